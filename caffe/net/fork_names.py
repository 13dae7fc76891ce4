"""Layer types of Caffe's forks, and which fork has each: they show for which fork a net that cannot be built was
made.
"""

_BY_FORK = {
    "SSD": "AnnotatedData DetectionEvaluate DetectionOutput MultiBoxLoss Normalize Permute PriorBox VideoData",
    "DeepLab": "AdaptiveBiasChannel BiasChannel DenseCRF DomainTransform DomainTransformForwardOnly ImageSegData "
    "Interp MatRead MatWrite Padding SegAccuracy SpatialProduct UniqueLabel",
    "PSPNet, SegNet, ENet and others": "BN",
    "SegNet and ENet": "DenseImageData Upsample",
    "DeconvNet and ParseNet": "EltwiseAccuracy UnPooling Unpooling WindowSegData",
    "CRF as RNN": "MultiStageMeanfield",
    "Fast R-CNN": "ROIPooling SmoothL1Loss",
    "R-FCN": "BoxAnnotatorOHEM PSROIPooling SmoothL1LossOHEM SoftmaxWithLossOHEM",
    "Faster R-CNN in C++": "FrcnnAnchorTarget FrcnnProposal FrcnnProposalTarget FrcnnRoiData Proposal",
    "Mask R-CNN's ports": "ROIAlign",
    "FlowNet 2": "Accum BlackAugmentation ChannelNorm Correlation Correlation1D CustomData DataAugmentation "
    "DisparityData Downsample FLOWriter FloatReader FloatWriter FlowAugmentation FlowWarp "
    "GenerateAugmentationParameters ImgReader ImgWriter L1Loss LpqLoss Mean NegReLU PFMWriter Resample",
    "OpenPose": "CPMData EuclideanmaskLoss ImResize Maximum Nms Switch",
    "MSCNN and Cascade R-CNN": "BBoxReg BoxOutput DecodeBBox DetectionAccuracy DetectionGroupAccuracy DetectionLoss "
    "ImageGtData ProposalTarget",
    "YOLO's ports": "AssistedExcitation EvalDetection GaussianYolov3 LaneData RegionLoss Reorg "
    "SegmentationEvaluate YoloDetectionOutput YoloSeg Yolov3 Yolov3DetectionOutput",
    "SENet": "Axpy",
    "MobileNet's ports": "ConvolutionDepthwise DepthwiseConvolution ReLU6",
    "ShuffleNet's ports": "ShuffleChannel",
    "C3D": "BlackHole Convolution3D Deconvolution3D DownSampling L2Normalize Pooling3D VideoSegmentationData "
    "VideoWithVoxelTruthData",
    "HED": "ImageLabelmapData",
    "SphereFace and caffe-windows": "CenterLoss FocalLoss LabelSpecificAdd Local MarginInnerProduct TripletLoss",
    "Ristretto": "ConvolutionRistretto DeconvolutionRistretto FcRistretto LRNRistretto",
    "NVIDIA Caffe": "AxpyLayer DetectNetTransformation TRT",
    "Intel Caffe": "BoxData MKLBatchNorm MnActivation SpatialDropout",
    "Synopsys Caffe": "Add Atan Attention BEGANLoss BatchToSpaceND BroadcastTo Ceil Corr1d CountNonzero "
    "CropAndResize DepthToSpace Div EmbeddingLookup EmbeddingLookupSparse ExpandDimsND FarthestPointSample Floor "
    "FloorDiv FloorMod GANLoss GRU GatherND GatherV2 Gemm GroupPoint HardSigmoid HardSwish HardTanH ICNetSubgraph "
    "LSTMV2 LayerNorm LogSoftmax LpNormalization LuongAttention MaskRCNNDetection MaskRCNNProposal MatMul Minimum "
    "MirrorPad Mish Mul NMS NMSGather NonMaxSuppression NotEqual OneHot Pad PeepholeLSTM Piece Pow "
    "PyramidROIAlign QueryBallPoint RNNv2 Range ReduceAll ReduceAny ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax "
    "ReduceMean ReduceMin ReduceProd ReduceSum ResizeBilinear ResizeNearestNeighbor ReverseSequence Round "
    "SSDDecoder SSDSort ScaledTanH ScatterND SeLU SeLUDropout Shape SimpleRNN Sin Softplus Softsign "
    "SpaceToBatchND SpaceToDepth SparseToDense SpatialBatchingPooling Squeeze SqueezeConvolution "
    "SqueezeDeconvolution SqueezeInnerProduct Stack StridedSlice Sub Tensor2Box ThreeInterpolate ThreeNN "
    "ThresholdedReLU TileND TopkGather Unstack UpsampleDarknet Where4 Where4Gathernd Where4GatherndCrop XLU "
    "YoloV2Loss YoloV3Loss",
    "spatial transformer's ports": "SpatialTransformer",
    "warp-ctc's and other ports": "CTCGreedyDecoder CTCLoss WarpCTC WarpCTCLoss WarpCtc",
    "CTPN and OCR's ports": "Lstm Reverse Transpose",
    "Cascade R-CNN": "BboxAccuracy BoxGroupOutput DecodeBBox DetectionData DetectionGroupLoss EvalData "
    "FrcnnOutput HardMining ScaleRoute",
    "FPN's port": "Conadd DeformableConvolution",
    "MNC": "MaskPooling MaskResize ROIWarping",
    "OSVOS": "SigmoidCrossEntropyBalanceLoss",
    "RCF": "AutoCrop",
    "LiteFlowNet": "ExpMax Grid NegSquare Warp",
    "DeepSkeleton": "Quantize Rescale",
    "DecoupledNet": "SelectSegBinary",
    "caffe-model's ports": "SeLu SeLuDropout",
    "MobileNet-SSD with focal loss": "MultiBoxFocalLoss",
    "SSTD": "AnnotatedDataMask DetectionOrientedOutput MultiBoxOrientedLoss",
    "caffe-windows": "Arccos BatchContrastiveLoss ChannelScale ConfidencePenaltyLoss CorrelationLoss Cosine "
    "FCNAccuracy Flip GeneralContrastiveLoss GeneralTripletLoss GlobalLSEMargin Gram Hotspot InnerDistance "
    "Insanity LargeMarginInnerProduct MovingNormalize MultiLabelImageData NCALoss Noise Pairwise PredictBox "
    "Resize Slope SoftContrastiveLoss SoftTruncation SubRegion Transformer Truncation",
    "ducha-aiki's Caffe": "Covariance EltwiseAffine EuclideanLossWithIndex ImageLocData RReLU",
    "temporal segment networks": "BatchReduction Gather Scatter SegData SyncBN",
    "video-caffe": "NdConvolution NdPooling",
}
TYPES = {name: fork for fork, names in _BY_FORK.items() for name in names.split()}

"""Layer types of Caffe's forks, and who has them: for telling what a net that cannot be built was made for."""

_BY_FORK = {
    "SSD": "AnnotatedData DetectionEvaluate DetectionOutput MultiBoxLoss Normalize Permute PriorBox VideoData",
    "DeepLab": "AdaptiveBiasChannel BiasChannel DenseCRF DomainTransform ImageSegData Interp MatRead MatWrite Padding "
    "SegAccuracy UniqueLabel",
    "PSPNet, SegNet, ENet and others": "BN",
    "SegNet and ENet": "DenseImageData Upsample",
    "DeconvNet and ParseNet": "EltwiseAccuracy UnPooling Unpooling WindowSegData",
    "CRF as RNN": "MultiStageMeanfield",
    "Fast R-CNN": "ROIPooling SmoothL1Loss",
    "R-FCN": "BoxAnnotatorOHEM PSROIPooling SmoothL1LossOHEM SoftmaxWithLossOHEM",
    "Faster R-CNN in C++": "Proposal",
    "Mask R-CNN's ports": "ROIAlign",
    "FlowNet 2": "Accum ChannelNorm Correlation Correlation1D DataAugmentation Downsample FlowAugmentation FlowWarp "
    "GenerateAugmentationParameters L1Loss LpqLoss Mean NegReLU Resample",
    "OpenPose": "CPMData ImResize Maximum Nms Switch",
    "MSCNN": "BBoxReg BoxOutput DetectionAccuracy DetectionGroupAccuracy DetectionLoss ImageGtData ProposalTarget",
    "YOLO's ports": "EvalDetection RegionLoss Reorg YoloDetectionOutput Yolov3 Yolov3DetectionOutput",
    "SENet": "Axpy",
    "MobileNet's ports": "ConvolutionDepthwise DepthwiseConvolution ReLU6",
    "ShuffleNet's ports": "ShuffleChannel",
    "C3D": "Convolution3D Deconvolution3D DownSampling Pooling3D VideoSegmentationData VideoWithVoxelTruthData",
    "HED": "ImageLabelmapData",
    "SphereFace and caffe-windows": "CenterLoss FocalLoss LabelSpecificAdd Local MarginInnerProduct TripletLoss",
    "Ristretto": "ConvolutionRistretto DeconvolutionRistretto FcRistretto LRNRistretto",
    "NVIDIA Caffe": "AxpyLayer DetectNetTransformation",
    "Intel Caffe": "SpatialDropout",
    "Synopsys Caffe": "HardSwish Mish Round",
    "spatial transformer's ports": "SpatialTransformer",
    "warp-ctc's and other ports": "CTCGreedyDecoder CTCLoss WarpCTC WarpCtc",
}
TYPES = {name: fork for fork, names in _BY_FORK.items() for name in names.split()}

"""Nets in other programs' formats.

graph.py        an ONNX graph in the making, with sizes that are numbers or are computed when the model runs
registry.py     which function says a layer type in ONNX, and the types for which there is none
windows.py pooling.py neuron.py normalization.py linear.py shapes.py reduction.py recurrent.py detection.py
segmentation.py classification.py    those functions, by families of layers
freedom.py      which axes of the inputs may have any size
model.py        from a net to a graph, and from a graph to a file
check.py        the file run by ONNX Runtime beside the engine
module.py       a net as a torch.nn.Module; program.py: that as a torch.export program
tensors.py      weights as safetensors
"""

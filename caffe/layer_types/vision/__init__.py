"""Layers on maps (N × C × H × W) that see a window of them: convolution, pooling, cropping."""

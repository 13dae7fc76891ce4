"""What layers and tools compute with, as functions of tensors."""

"""Inner products, embeddings, scales and biases: layers with weights that are not windows."""

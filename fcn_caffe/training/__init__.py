"""Training a stage: what it starts from, what is recorded of it, and what is kept."""

"""Training a stage: initial weights, records, and the snapshots that are kept."""

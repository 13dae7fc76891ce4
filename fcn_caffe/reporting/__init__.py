"""What a training has come to, as one HTML file that needs nothing else."""

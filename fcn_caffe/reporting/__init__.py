"""Reports on trainings as one HTML file that needs no other files."""

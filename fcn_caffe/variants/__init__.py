"""Which nets there are: those of the catalogue, those of tasks, and how far each has come."""

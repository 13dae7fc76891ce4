"""The available nets: those of the catalogue, those of tasks, and the progress of their trainings."""

"""A real SLURM of one machine, started by tests as whoever runs them."""

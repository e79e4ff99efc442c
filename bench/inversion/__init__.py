"""What the Milne–Eddington inversion finds, and how fast; ``python -m bench.inversion`` tells the docs."""

"""What the deconvolution gains, and what it costs; ``python -m bench.deconvolution`` tells the docs."""

"""How well a known PSF is found again: ``python -m bench.psf docs/psf.md`` makes the page's tables anew."""

"""Point spread functions of many images without a true one; arrays in, a `Psf` out; no instruments."""

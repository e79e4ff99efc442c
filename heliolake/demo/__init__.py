"""The demonstration: everything once, on small real and simulated data, with a picture at the end."""

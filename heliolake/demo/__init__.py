"""The demonstration: everything once, on small data, with a picture at the end; nothing else uses it."""

"""Inversion of Stokes profiles: arrays in, parameters out; no frames, headers or steps."""

"""Numerical kernels: arrays in, arrays out, compiled once per machine."""

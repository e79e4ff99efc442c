"""Heliolake: the front door."""

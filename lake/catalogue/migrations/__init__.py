"""Migrations of the catalogue, shipped with it."""

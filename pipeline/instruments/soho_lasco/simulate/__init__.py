"""Simulated LASCO images with known truth, and calibration files to go with them."""

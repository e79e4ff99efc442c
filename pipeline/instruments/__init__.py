"""Instruments the project brings along, one folder each."""

"""Instruments the project brings along, one folder each; what serves several of them lies beside."""

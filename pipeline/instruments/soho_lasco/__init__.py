"""SOHO LASCO: the coronagraphs C2 and C3 from level 0.5 to calibrated brightness and its polarisation."""

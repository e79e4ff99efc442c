"""LARS at the VTT: solar spectra on the wavelengths of a laser frequency comb, and velocities of lines."""

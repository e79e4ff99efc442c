"""KIS GRIS: slit spectra of the GREGOR Infrared Spectrograph to maps of Stokes profiles; no inversion."""

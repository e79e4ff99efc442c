"""The SOLARNET checker: what headers and pixels say that they should not; no file is read here."""

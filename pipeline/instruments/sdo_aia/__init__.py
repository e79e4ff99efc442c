"""SDO/AIA: full-disk and cut-out images of the corona, level 1 to level 1.5."""

"""Our own Rucio: its configuration, first contents, server, transfers, daemons; it never asks our catalogue.

Only the embedded services use this package. A site with a Rucio of its own needs
nothing but `lake.rucio.policy` from us.
"""

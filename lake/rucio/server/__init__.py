"""Our own Rucio: its configuration, first contents, server application, transfers and daemons.

Only the embedded services use this package. A site with a Rucio of its own needs
nothing but `lake.rucio.policy` from us.
"""

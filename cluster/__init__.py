"""Where Heliolake runs: homes, embedded services, sites, plans, runs and execution on Dask."""

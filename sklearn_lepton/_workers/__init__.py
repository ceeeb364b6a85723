"""Where fits run: the caller, threads, processes, dask or ray; and what travels there."""

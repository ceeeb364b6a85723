"""Workers that run fits: the calling thread, threads, processes, dask and ray."""

"""Trial records, their ranking and the statistics of their splits."""

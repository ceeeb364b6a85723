"""The engine, the searches and tune()."""

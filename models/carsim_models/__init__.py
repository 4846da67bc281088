"""Published and composed models for carsim: one paper a file, the flagship a package."""

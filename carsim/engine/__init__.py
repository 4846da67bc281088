"""The numerics: float64 arrays in, float64 arrays and status codes out."""

"""Names become indices here, and nowhere else: model -> expressions -> numba source -> kernels."""

from carsim.kernels.compile import compile_model

__all__ = ["compile_model"]

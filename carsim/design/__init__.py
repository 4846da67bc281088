"""What a sweep varies (axes) and which combinations it visits (designs)."""

from __future__ import annotations

from carsim.design.axis import Axis
from carsim.design.designs import (
    DESIGNS,
    Design,
    Grid,
    LatinHypercube,
    List,
    Random,
    Sampled,
    Single,
    Sobol,
    make_design,
)

__all__ = [
    "DESIGNS",
    "Axis",
    "Design",
    "Grid",
    "LatinHypercube",
    "List",
    "Random",
    "Sampled",
    "Single",
    "Sobol",
    "make_design",
]

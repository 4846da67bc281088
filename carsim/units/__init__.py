"""Units in one spelling, numbers that carry them, and conversion between them."""

from __future__ import annotations

from carsim.units.quantity import Quantity, convert
from carsim.units.unit import DIMENSIONLESS, SYMBOLS, Unit, conversion_factor, parse_unit, udunits

__all__ = [
    "DIMENSIONLESS",
    "SYMBOLS",
    "Quantity",
    "Unit",
    "conversion_factor",
    "convert",
    "parse_unit",
    "udunits",
]

"""Units in one spelling, and numbers that carry them.

A unit is a product of the symbols in `SYMBOLS` with exponents: ``"mL/virion/day"``, ``"cell/uL"``,
``"1/day"``, ``"kg/m2"``. Cells, virions, genome copies, international units (IU) and enzyme units
(U) are dimensions of their own, so that a virion cannot be taken for a cell.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from carsim.errors import ModelError, did_you_mean

__all__ = ["DIMENSIONLESS", "SYMBOLS", "Unit", "conversion_factor", "parse_unit", "udunits"]


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol of the table.

    Attributes
    ----------
    scale : float
        Size in the base unit of its dimensions (day, liter, gram, mole, one cell, ...).
    dimensions : tuple of (str, Fraction)
        Base dimensions and exponents.
    udunits : str
        Spelling of the UDUNITS library; empty for counts, which it does not know.
    udunits_scale : float
        Plain factor that goes with that spelling.
    """

    scale: float
    dimensions: tuple[tuple[str, Fraction], ...]
    udunits: str
    udunits_scale: float = 1.0


def _symbol(
    scale: float, dimension: str, udunits: str, exponent: Fraction | int = 1, factor: float = 1.0
) -> Symbol:
    return Symbol(scale, ((dimension, Fraction(exponent)),), udunits, factor)


_LENGTH = Fraction(1, 3)  # the base unit of volume is the liter, so a length is its cube root

SYMBOLS: Final[Mapping[str, Symbol]] = {
    "%": Symbol(0.01, (), "%"),
    "day": _symbol(1.0, "time", "d"),
    "hour": _symbol(1 / 24, "time", "h"),
    "min": _symbol(1 / 1440, "time", "min"),
    "s": _symbol(1 / 86400, "time", "s"),
    "week": _symbol(7.0, "time", "week"),
    "month": _symbol(30.4375, "time", "d", 1, 30.4375),
    "year": _symbol(365.25, "time", "d", 1, 365.25),
    "L": _symbol(1.0, "volume", "L"),
    "dL": _symbol(1e-1, "volume", "dL"),
    "mL": _symbol(1e-3, "volume", "mL"),
    "uL": _symbol(1e-6, "volume", "uL"),
    "m": _symbol(10.0, "volume", "m", _LENGTH),
    "cm": _symbol(0.1, "volume", "cm", _LENGTH),
    "kg": _symbol(1e3, "mass", "kg"),
    "g": _symbol(1.0, "mass", "g"),
    "mg": _symbol(1e-3, "mass", "mg"),
    "ug": _symbol(1e-6, "mass", "ug"),
    "ng": _symbol(1e-9, "mass", "ng"),
    "pg": _symbol(1e-12, "mass", "pg"),
    "mol": _symbol(1.0, "amount", "mol"),
    "mmol": _symbol(1e-3, "amount", "mmol"),
    "umol": _symbol(1e-6, "amount", "umol"),
    "nmol": _symbol(1e-9, "amount", "nmol"),
    "pmol": _symbol(1e-12, "amount", "pmol"),
    "cell": _symbol(1.0, "cell", ""),
    "virion": _symbol(1.0, "virion", ""),
    "copy": _symbol(1.0, "copy", ""),
    "IU": _symbol(1.0, "IU", ""),
    "mIU": _symbol(1e-3, "IU", "", 1, 1e-3),
    "U": _symbol(1.0, "U", ""),
    "mU": _symbol(1e-3, "U", "", 1, 1e-3),
}

_FACTOR = re.compile(r"([A-Za-z%]+)(?:\^?(-?\d+(?:\.\d+)?))?")


class Unit:
    """Product of symbols with exponents, as written: ``mL/L`` does not cancel.

    Two units are equal when they mean the same: ``mg/L == ug/mL``.

    Parameters
    ----------
    factors : mapping of str to Fraction
        Symbols of `SYMBOLS` and their exponents.
    """

    __slots__ = ("dimensions", "factors", "scale")

    factors: Mapping[str, Fraction]
    scale: float
    dimensions: Mapping[str, Fraction]

    def __init__(self, factors: Mapping[str, Fraction]) -> None:
        self.factors = {symbol: n for symbol, n in sorted(factors.items(), key=_order) if n}
        scale = 1.0
        dimensions: dict[str, Fraction] = {}
        for symbol, n in self.factors.items():
            entry = SYMBOLS[symbol]
            scale *= entry.scale ** float(n)
            for dimension, m in entry.dimensions:
                dimensions[dimension] = dimensions.get(dimension, Fraction(0)) + n * m
        self.scale = scale
        self.dimensions = {key: n for key, n in sorted(dimensions.items()) if n}

    def __mul__(self, other: Unit) -> Unit:
        factors = dict(self.factors)
        for symbol, n in other.factors.items():
            factors[symbol] = factors.get(symbol, Fraction(0)) + n
        return Unit(factors)

    def __truediv__(self, other: Unit) -> Unit:
        return self * other**-1

    def __pow__(self, exponent: Fraction | int) -> Unit:
        return Unit({symbol: n * exponent for symbol, n in self.factors.items()})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Unit):
            return NotImplemented
        return self.compatible(other) and abs(self.scale / other.scale - 1.0) < 1e-9

    def __hash__(self) -> int:
        # The scale is compared with a tolerance and therefore stays out.
        return hash(tuple(self.dimensions.items()))

    def __repr__(self) -> str:
        return f"Unit({str(self)!r})"

    def __str__(self) -> str:
        above = [_spell(symbol, n) for symbol, n in self.factors.items() if n > 0]
        below = [_spell(symbol, -n) for symbol, n in self.factors.items() if n < 0]
        return "/".join(["*".join(above) or "1", *below])

    def compatible(self, other: Unit) -> bool:
        """Whether both measure the same kind of quantity, in whatever size of unit."""
        return self.dimensions == other.dimensions

    @property
    def plain(self) -> bool:
        """Whether a number in this unit is a plain number: ``mg/mg``, but not ``%``."""
        return not self.dimensions and abs(self.scale - 1.0) < 1e-9


def _order(item: tuple[str, Fraction]) -> tuple[str, str]:
    return item[0].casefold(), item[0]


def _spell(symbol: str, n: Fraction) -> str:
    if n == 1:
        return symbol
    return f"{symbol}^{n}" if n.denominator == 1 else f"{symbol}^({n})"


DIMENSIONLESS: Final = Unit({})


@functools.cache
def parse_unit(text: str) -> Unit:
    """Read a unit.

    Parameters
    ----------
    text : str
        Symbols joined with ``*`` and ``/``, read from left to right, each with an optional
        exponent: ``"pg/mL/day/cell"``, ``"m2"``, ``"cell^2/mL"``; ``"1"`` is a plain number.

    Returns
    -------
    Unit
        The unit.

    Raises
    ------
    ModelError
        If a symbol is not in the table, with the nearest one.
    """
    given: object = text
    if not isinstance(given, str) or not given.strip():
        raise ModelError(f"{text!r} is not a unit. Write for example 'cell/mL', or '1'.")
    factors: dict[str, Fraction] = {}
    sign = 1
    for part in re.split(r"([*/])", text.strip()):
        part = part.strip()
        if part in ("*", "/"):
            sign = 1 if part == "*" else -1
            continue
        if part == "1":
            continue
        match = _FACTOR.fullmatch(part)
        if match is None:
            raise ModelError(
                f"Unit {text!r}: cannot read {part!r}. Join symbols with '*' and '/', with whole "
                "exponents and without parentheses: 'mL/virion/day', 'kg/m2'."
            )
        symbol, exponent = match.groups()
        if symbol not in SYMBOLS:
            raise ModelError(
                f"Unit {text!r}: unknown unit {symbol!r}.{did_you_mean(symbol, SYMBOLS)}"
            )
        n = Fraction(exponent) if exponent else Fraction(1)
        factors[symbol] = factors.get(symbol, Fraction(0)) + sign * n
    return Unit(factors)


def conversion_factor(from_: str, to: str) -> float:
    """Return the number that takes a value from one unit to another.

    Parameters
    ----------
    from_, to : str
        Two units of one dimension.

    Returns
    -------
    float
        ``conversion_factor("g", "mg")`` is 1000.

    Raises
    ------
    ModelError
        If the units measure different things.
    """
    one, other = parse_unit(from_), parse_unit(to)
    if not one.compatible(other):
        raise ModelError(f"[{from_}] cannot be converted to [{to}]: they measure different things.")
    return 1.0 if one == other else one.scale / other.scale


def udunits(text: str) -> str:
    """Spell a unit for the CF conventions, for the ``units`` attribute of a result.

    Counts (cell, virion, copy, IU, U) are unknown to UDUNITS and become plain numbers.

    Parameters
    ----------
    text : str
        A unit of carsim, such as ``"cell/uL"``.

    Returns
    -------
    str
        A unit of UDUNITS, such as ``"uL-1"``.
    """
    factor = 1.0
    above: list[str] = []
    below: list[str] = []
    for symbol, n in parse_unit(text).factors.items():
        entry = SYMBOLS[symbol]
        factor *= entry.udunits_scale ** float(n)
        if not entry.udunits:
            continue
        if n.denominator != 1:
            raise ModelError(f"Unit {text!r}: UDUNITS has no fractional exponents ({symbol}^{n}).")
        (above if n > 0 else below).append(entry.udunits if n == 1 else f"{entry.udunits}{n}")
    number = [] if abs(factor - 1.0) < 1e-12 else [f"{factor:.12g}"]
    return " ".join(number + above + below) or "1"

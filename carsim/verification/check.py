"""A check: a published result, what carsim gives in its place, and how far apart they may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ModelError
from carsim.model import Cited, Derived, Provenance

__all__ = ["KINDS", "Check", "Curve", "Findings", "Kind", "Row", "check", "near", "within"]

Kind: TypeAlias = Literal["reproduction", "closed form", "cohort fitted", "cohort predicted"]
Array: TypeAlias = NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]

KINDS: tuple[Kind, ...] = ("reproduction", "closed form", "cohort fitted", "cohort predicted")


@dataclass(frozen=True)
class Row:
    """One number of a paper beside carsim's; made by `near` and `within`.

    Attributes
    ----------
    quantity : str
        What the number is, in words a reader of the paper would use.
    unit : str
        Unit of all its numbers, ``"1"`` for none. A share of patients is given in ``"%"``: that is
        what the forest plot of the cohorts shows.
    published, found : float
        The paper's number and carsim's.
    lowest, highest : float
        Tolerated values of `found`.
    source : Provenance
        `Cited` for a number that stands in the paper, `Derived` for one that somebody computed
        from the paper's equations.
    definition : str
        How the quantity is defined: criterion, sampling grid, prophylaxis.
    published_interval, interval : (float, float), optional
        Uncertainty of `published`, and the Monte Carlo interval of `found`.
    """

    quantity: str
    unit: str
    published: float
    found: float
    lowest: float
    highest: float
    source: Provenance
    definition: str = ""
    published_interval: Interval | None = None
    interval: Interval | None = None

    @property
    def inside(self) -> bool:
        """Whether carsim's number is within the tolerance; a number that is NaN is not."""
        return self.lowest <= self.found <= self.highest

    @property
    def basis(self) -> Literal["published", "computed", "assumed"]:
        """What may be said of `published`: only a `Cited` number stands in a paper."""
        if isinstance(self.source, Cited):
            return "published"
        return "computed" if isinstance(self.source, Derived) else "assumed"

    @property
    def tolerance_used(self) -> float:
        """How far carsim is from the paper, as a share of what is tolerated on that side.

        0 where both agree, 1 at the edge; NaN where the published number is not between the
        bounds, or a bound is infinite.
        """
        if not self.lowest <= self.published <= self.highest:
            return math.nan
        apart = self.found - self.published
        reach = (self.highest if apart > 0.0 else self.lowest) - self.published
        if apart == 0.0:
            return 0.0
        if math.isinf(reach):
            return math.nan
        return apart / reach if reach != 0.0 else math.inf


def near(
    quantity: str,
    unit: str,
    published: float,
    found: object,
    source: Provenance,
    *,
    relative: float = 0.0,
    absolute: float = 0.0,
    definition: str = "",
) -> Row:
    """Return a row that tolerates a deviation from the published number.

    Parameters
    ----------
    quantity, unit, published, source, definition
        As in `Row`.
    found : float or array of one element
        carsim's number.
    relative, absolute : float
        Largest deviation, relative to the published number, or in its unit; they add up.
    """
    reach = relative * abs(published) + absolute
    if not reach > 0.0 or not math.isfinite(published):
        raise ModelError(
            f"check row {quantity!r}: published = {published!r}, tolerance {reach!r}. Give a "
            "finite number and a relative or absolute tolerance above zero."
        )
    bounds = (published - reach, published + reach)
    return within(quantity, unit, published, found, source, bounds, definition=definition)


def within(
    quantity: str,
    unit: str,
    published: float,
    found: object,
    source: Provenance,
    bounds: Interval,
    *,
    definition: str = "",
    published_interval: Interval | None = None,
    interval: Interval | None = None,
) -> Row:
    """Return a row that tolerates every value between two bounds.

    Parameters
    ----------
    quantity, unit, published, source, definition, published_interval, interval
        As in `Row`.
    found : float or array of one element
        carsim's number.
    bounds : (float, float)
        Lowest and highest tolerated value.
    """
    lowest, highest = bounds
    if not lowest <= highest:
        raise ModelError(f"check row {quantity!r}: bounds = {bounds!r}. Give (lowest, highest).")
    values = np.asarray(found, dtype=np.float64)
    if values.size != 1:
        raise ModelError(f"check row {quantity!r}: found holds {values.size} numbers. Give one.")
    return Row(
        quantity,
        unit,
        float(published),
        float(values.reshape(())),
        float(lowest),
        float(highest),
        source,
        definition,
        _ordered(quantity, "published_interval", published_interval),
        _ordered(quantity, "interval", interval),
    )


def _ordered(quantity: str, name: str, given: Interval | None) -> Interval | None:
    if given is None:
        return None
    low, high = (float(end) for end in given)
    if low > high:  # NaN passes: the interval of a number that is none
        raise ModelError(f"check row {quantity!r}: {name} = {given!r}. Give (lowest, highest).")
    return low, high


@dataclass(frozen=True, eq=False)
class Curve:
    """A figure of a check: carsim's lines over published points.

    Attributes
    ----------
    title, x_label, y_label : str
        Words; the labels end with the unit in brackets.
    lines : dict of str to (x, y)
        carsim's curves, by legend.
    points : dict of str to (x, y)
        Published or independently computed points, by legend. Points take the color of the line
        with their name, or else, where there are as many sets of points as lines, with their place.
    log_y : bool
        Logarithmic ordinate.
    """

    title: str
    x_label: str
    y_label: str
    lines: dict[str, tuple[Array, Array]]
    points: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    log_y: bool = False

    def __post_init__(self) -> None:
        for name, (x, y) in (*self.lines.items(), *self.points.items()):
            if np.ndim(x) != 1 or np.shape(x) != np.shape(y):
                raise ModelError(
                    f"curve {self.title!r}: {name!r} has x of shape {np.shape(x)} and y of shape "
                    f"{np.shape(y)}. Give two arrays of one dimension and equal length."
                )


@dataclass(frozen=True, eq=False)
class Findings:
    """What a check found."""

    rows: tuple[Row, ...]
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class Check:
    """One simulation or a few, and the published numbers that they are compared with.

    Attributes
    ----------
    name : str
        ``"<module>.<function>"`` of the file that holds it.
    title : str
        One line for the report.
    kind : str
        ``"reproduction"`` of a published model, ``"closed form"``, or a clinical cohort that the
        calibration used (``"cohort fitted"``) or did not (``"cohort predicted"``).
    model : str
        Name of the model.
    quick : bool
        Whether it takes less than a second once the kernels are compiled.
    run : callable
        Computes the findings.
    """

    name: str
    title: str
    kind: Kind
    model: str
    quick: bool
    run: Callable[[], Findings]


def check(
    title: str, *, kind: Kind, model: str, quick: bool = True
) -> Callable[[Callable[[], Findings]], Check]:
    """Make a check of a function without arguments that returns `Findings`.

    Parameters
    ----------
    title, kind, model, quick
        As in `Check`.
    """
    if kind not in KINDS:
        raise ModelError(f"check {title!r}: kind = {kind!r}. Choose one of {', '.join(KINDS)}.")

    def made(run: Callable[[], Findings]) -> Check:
        module = run.__module__.rpartition(".")[2]
        return Check(f"{module}.{run.__name__}", title, kind, model, quick, run)

    return made

"""One thing that a sweep varies, and the values it takes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.names import RESULT_NAMES, free_name

#: One value a cell: numbers, or texts such as the labels of a mixture.
Column: TypeAlias = NDArray[Any]

SCALES = ("linear", "log")
FAMILIES = ("parameters", "population", "therapy", "variants")


@dataclass(frozen=True)
class Axis:
    """One thing that is varied between the cells of a sweep.

    Parameters
    ----------
    path : str
        What is varied: ``"parameters.hbv.beta"``, ``"therapy.entecavir.stop"``, ``"start"``, or
        ``"population.serostatus"`` for the components of a mixture.
    values : sequence of float or str, optional
        The values, in the unit of what is varied. Either these or `low` and `high`.
    low, high : float, optional
        Bounds, for designs that choose the values themselves.
    scale : {"linear", "log"}, optional
        How values spread between the bounds.
    points : int, optional
        In a grid or a list: how many values between the bounds, both included.
    name : str, optional
        Name of the dimension of the result; made from the path by default.
    label : str, optional
        Words for figures.
    """

    path: str
    values: Sequence[float | str] | None = None
    low: float | None = None
    high: float | None = None
    scale: str = "linear"
    points: int | None = None
    name: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        if not _is_text(self.path) or not self.path.strip("."):
            raise ScenarioError(
                f"axis: the path is {self.path!r}. Say what is varied, for example "
                f"path = 'therapy.entecavir.stop'."
            )
        if self.scale not in SCALES:
            raise self._fail(unknown("scale", str(self.scale), SCALES, "an axis"))
        if self.values is not None:
            if self.low is not None or self.high is not None or self.points is not None:
                raise self._fail("values and low, high, points are both given. Keep one.")
            object.__setattr__(self, "values", self._checked_values())
        else:
            self._check_bounds()
        if not self.name:
            object.__setattr__(self, "name", _name_of(self.path))
        if not self.name.isidentifier() or self.name in RESULT_NAMES:
            free = f", for example {free_name(self.name, RESULT_NAMES)!r}"
            raise self._fail(
                f"the name {self.name!r} cannot name a dimension of the result. Use letters, "
                f"digits and underscores, and no name that the result uses itself"
                f"{free if self.name in RESULT_NAMES else ''}."
            )

    @property
    def levels(self) -> Column:
        """The values of the axis in a grid or list, shape (n_levels,)."""
        if self.values is not None:
            return np.array(self.values)
        if self.points is None:
            raise self._fail(
                f"a grid or a list needs its values. Give values = [...], or points beside "
                f"low = {self.low!r} and high = {self.high!r}."
            )
        return self.at(np.linspace(0.0, 1.0, self.points))

    def at(self, shares: NDArray[np.float64]) -> Column:
        """Values at shares of the way along the axis.

        Parameters
        ----------
        shares : float64 array, shape (n,)
            From 0 to 1.

        Returns
        -------
        array, shape (n,)
            In the unit of what is varied.
        """
        if self.values is not None:
            index = np.minimum((shares * len(self.values)).astype(np.int64), len(self.values) - 1)
            chosen: Column = np.array(self.values)[index]
            return chosen
        assert self.low is not None
        assert self.high is not None
        if self.scale == "log":
            spread = self.low * np.exp(math.log(self.high / self.low) * shares)
        else:
            spread = self.low + (self.high - self.low) * shares
        # Rounding may step over an end by one bit, and the last point of a grid is the end itself.
        spread = np.where(shares == 1.0, self.high, spread)
        return np.clip(spread, self.low, self.high)

    def _fail(self, what: str) -> ScenarioError:
        return ScenarioError(f"axis '{self.path}': {what}")

    def _checked_values(self) -> tuple[float | str, ...]:
        assert self.values is not None
        if _is_text(self.values):
            raise self._fail(f"values is the text {self.values!r}. Give a list.")
        values = tuple(
            value.item() if isinstance(value, np.generic) else value for value in self.values
        )
        if not values:
            raise self._fail("values is empty. Give at least one value, or remove the axis.")
        texts = [isinstance(value, str) for value in values]
        if any(texts) and not all(texts):
            raise self._fail(f"values {values!r} mixes numbers and texts. Use one kind.")
        for value in values:
            if isinstance(value, str):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise self._fail(f"{value!r} is neither a number nor a text.")
            _check_finite(self, "a value", value)
        if len(set(values)) < len(values):
            twice = next(value for value in values if values.count(value) > 1)
            raise self._fail(f"the value {twice!r} is given twice. Keep one.")
        return values

    def _check_bounds(self) -> None:
        if self.low is None or self.high is None:
            raise self._fail("give values = [...], or low and high.")
        for name, bound in (("low", self.low), ("high", self.high)):
            if isinstance(bound, bool) or not isinstance(bound, int | float | np.number):
                raise self._fail(f"{name} = {bound!r} is not a number.")
            _check_finite(self, name, bound)
        if not self.low < self.high:
            raise self._fail(f"low = {self.low!r} must be below high = {self.high!r}.")
        if self.scale == "log" and self.low <= 0:
            raise self._fail(f"low = {self.low!r}: a log scale needs bounds above 0.")
        way = self.high / self.low if self.scale == "log" else self.high - self.low
        if not math.isfinite(way):
            raise self._fail(
                f"low = {self.low!r} and high = {self.high!r} are too far apart to count with. "
                f"Bring them closer."
            )
        whole = isinstance(self.points, int) and not isinstance(self.points, bool)
        if self.points is not None and (not whole or not 2 <= self.points <= 1_000_000):
            raise self._fail(f"points = {self.points!r} must be a whole number, 2 or more.")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _check_finite(axis: Axis, what: str, value: float) -> None:
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of floats
        finite = False
    if not finite:
        raise ScenarioError(f"axis '{axis.path}': {what} is {str(value)[:20]}, not finite.")


def _name_of(path: str) -> str:
    family, _, rest = path.partition(".")
    name = rest if family in FAMILIES and rest else path
    return re.sub(r"\W+", "_", name)

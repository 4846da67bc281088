"""What every distribution can do."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import fields
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError
from carsim.population.checks import is_number

Array: TypeAlias = NDArray[np.float64]

#: The logarithms of all floats lie within about 710 of 0.
LARGEST_SPREAD = 700.0


class Distribution(ABC):
    """A distribution of one parameter over patients.

    Attributes
    ----------
    kind : str
        Name in config files, for example ``"lognormal"``.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Smallest and largest value that can be drawn."""

    @property
    def relative(self) -> bool:
        """Whether the center is the parameter's own value (the median was left out)."""
        return False

    @property
    def random(self) -> bool:
        """Whether two patients can differ."""
        return True

    @abstractmethod
    def values(self, scores: Array, center: Array) -> Array:
        """Turn scores into values.

        Parameters
        ----------
        scores : float64 array, shape (n,)
            Standard normal scores.
        center : float64 array, shape (n,)
            The parameter's own value for each patient; only a relative distribution reads it.

        Returns
        -------
        float64 array, shape (n,), unit of the parameter
        """

    def settings(self) -> dict[str, object]:
        """Return the distribution as a config file would give it."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        plain = {
            name: value
            for name, value in given.items()
            if value is not None and not (isinstance(value, float) and math.isinf(value))
        }
        return {"distribution": self.kind, **plain}

    def _fail(self, given: str, right: str) -> ScenarioError:
        return ScenarioError(f"{self.kind} distribution: {given}. {right}")

    def _check_finite(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not is_number(value) or not math.isfinite(value):
                raise self._fail(f"{name} = {value!r}", f"Give {name} a finite number.")

    def _check_positive(self, *names: str) -> None:
        self._check_finite(*names)
        for name in names:
            if getattr(self, name) <= 0:
                raise self._fail(f"{name} = {getattr(self, name)!r}", f"{name} must be above 0.")

    def _check_spread(self, sigma: float) -> None:
        if sigma > LARGEST_SPREAD:
            raise self._fail(
                f"its logarithms have the standard deviation {sigma:g}",
                f"No numbers are so far apart: stay below {LARGEST_SPREAD:g}.",
            )

    def _check_order(self, low: str, high: str) -> None:
        below, above = getattr(self, low), getattr(self, high)
        for name, value in ((low, below), (high, above)):
            if not is_number(value) or math.isnan(value):
                raise self._fail(f"{name} = {value!r}", f"Give {name} a number.")
        if not below < above:
            raise self._fail(f"{low} = {below!r} and {high} = {above!r}", f"{low} must be below.")

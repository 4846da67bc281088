"""Which number of a population a study looks at: a variable and its statistic over patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.sensitivity.frame import Label

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

STATISTICS = ("mean", "median", "percentile")
SCALES = ("linear", "log")


@dataclass(frozen=True)
class Output:
    """One output of a study.

    Parameters
    ----------
    variable : str
        Endpoint variable or metric, such as ``"hbv_reactivation"``.
    statistic : {"mean", "median", "percentile"}, optional
        Over the virtual patients of a point; the mean by default, which for yes and no is the
        share of patients. Where patients are the rows (`prcc` without factors) there is none.
    percentile : float, optional
        From 0 to 100, for that statistic.
    scale : {"linear", "log"}, optional
        "log": the decimal logarithm of the statistic, for what spans powers of ten.
    name : str, optional
        Name in the result; made of the variable and the statistic by default.
    label : str, optional
        Words for figures.
    """

    variable: str
    statistic: str = ""
    percentile: float | None = None
    scale: str = "linear"
    name: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        if self.statistic and self.statistic not in STATISTICS:
            raise self._fail(unknown("statistic", str(self.statistic), STATISTICS, "an output"))
        if self.scale not in SCALES:
            raise self._fail(unknown("scale", str(self.scale), SCALES, "an output"))
        if (self.percentile is not None) != (self.statistic == "percentile"):
            raise self._fail(
                "give percentile together with statistic = 'percentile', for example "
                "percentile = 95."
            )
        if self.percentile is not None and not 0.0 <= self.percentile <= 100.0:
            raise self._fail(f"percentile = {self.percentile!r} is not from 0 to 100.")
        if not self.name:
            suffix = {"median": "_median", "percentile": f"_p{self.percentile or 0.0:g}"}
            object.__setattr__(self, "name", self.variable + suffix.get(self.statistic, ""))

    def of(self, values: Array) -> Array:
        """Statistic over the last axis, NaN left out.

        Parameters
        ----------
        values : float64 array, shape (n_points, n_patients)
            At least one number in each row.

        Returns
        -------
        float64 array, shape (n_points,)
            Not yet on the output's scale.
        """
        whole = not np.isnan(values).any()  # the functions that expect NaN are far slower
        if self.statistic == "median":
            found = (np.median if whole else np.nanmedian)(values, axis=-1)
        elif self.statistic == "percentile":
            percentile = np.percentile if whole else np.nanpercentile
            found = percentile(values, self.percentile or 0.0, axis=-1)
        else:
            found = np.nanmean(values, axis=-1)
        return np.asarray(found, dtype=np.float64)

    def scaled(self, statistic: Array) -> Array:
        """Put a statistic on the output's scale; what has no logarithm is not finite."""
        return np.log10(statistic) if self.scale == "log" else statistic

    def rows(self, swept: xr.Dataset) -> Array:
        """Values of the variable, shape (n_points, n_patients), also of but one patient."""
        return _rows(swept[self.variable])

    def described(self, variable: xr.DataArray) -> Label:
        """Words and unit of the statistic.

        Parameters
        ----------
        variable : xarray.DataArray
            The variable over patients, with its words and unit.
        """
        words = str(variable.attrs.get("long_name", self.variable))
        words = words if words[:2].isupper() else words[:1].lower() + words[1:]
        unit = str(variable.attrs.get("carsim_units", "1"))
        if self.statistic == "median":
            words = f"median {words}"
        elif self.statistic == "percentile":
            words = f"{self.percentile:g}th percentile of {words}"
        elif is_event(variable):
            words = f"risk of {words}"
        else:
            words = f"mean {words}"
        if self.scale == "log":
            words = f"log10 of {words}" + ("" if unit == "1" else f" in {unit}")
            unit = "1"
        return Label(self.name, self.label or words, unit)

    def _fail(self, what: str) -> ScenarioError:
        return ScenarioError(f"output '{self.variable}': {what}")


def is_event(variable: xr.DataArray) -> bool:
    """Whether a variable over patients says yes or no (1 or 0), so that its mean is a risk.

    Parameters
    ----------
    variable : xarray.DataArray
        With the attribute ``carsim_units``.
    """
    values = variable.values[np.isfinite(variable.values)]
    return str(variable.attrs.get("carsim_units", "1")) == "1" and set(np.unique(values)) <= {
        0.0,
        1.0,
    }


def reduced(
    output: Output, swept: xr.Dataset, points: Mapping[str, Array]
) -> tuple[Array, NDArray[np.int64]]:
    """Statistic of one output at every point, on its scale, and how many patients are in it.

    Parameters
    ----------
    output : Output
        What is asked for.
    swept : xarray.Dataset
        Result of the sweep over ``point`` and perhaps ``patient``.
    points : mapping of str to array, shape (n_points,)
        Values of the factors, for messages.

    Raises
    ------
    ScenarioError
        A point where no patient has a value, or one without a logarithm; it is named.
    """
    values = output.rows(swept)
    n = np.isfinite(values).sum(axis=1)
    empty = np.flatnonzero(n == 0)
    if empty.size:
        failed = int((_rows(swept["status"])[empty[0]] != 0).sum())
        first = f" {swept.attrs['failures']}" if failed else ""
        raise ScenarioError(
            f"sensitivity: {_place(empty, points)} no patient has a value of '{output.variable}': "
            f"{failed} of {values.shape[1]} failed. Narrow the ranges of the factors, or look at "
            f"something that is defined there.{first}"
        )
    found = output.of(values)
    if output.scale == "log":
        bad = np.flatnonzero(found <= 0.0)
        if bad.size:
            raise ScenarioError(
                f"sensitivity: {_place(bad, points)} output '{output.name}' is {found[bad[0]]:g} "
                f"and has no logarithm. Use scale = 'linear'."
            )
    return output.scaled(found), n


def _rows(variable: xr.DataArray) -> Array:
    """Values of a row a point, also where there is but one patient."""
    values = np.asarray(variable.values, dtype=np.float64)
    return values.reshape(len(values), -1)


def _place(bad: NDArray[np.int64], points: Mapping[str, Array]) -> str:
    here = ", ".join(f"{name} = {_spelled(values[bad[0]])}" for name, values in points.items())
    more = f" (and at {bad.size - 1} more)" if bad.size > 1 else ""
    return f"at point {bad[0]} ({here}){more}"


def _spelled(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

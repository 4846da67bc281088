"""What an output does when one factor alone goes to the ends of its range: the classic tornado."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from carsim.design import Axis, Design
from carsim.design.axis import Column
from carsim.endpoints import risk_difference
from carsim.errors import ScenarioError
from carsim.scenario import Scenario
from carsim.sensitivity.designs import design_hash
from carsim.sensitivity.frame import Label, frame, labels_of, versions
from carsim.sensitivity.outputs import Output, is_event
from carsim.sweep.axes import value_of

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2000
NO_PAIR = "no patient has a value at both"
NO_LOGARITHM = "no interval: a resample has no logarithm"
MOST_NUMBERS = 4_000_000
"""Numbers resampled at a time, 32 MB."""


@dataclass(frozen=True)
class OneAtATime(Design):
    """All factors at their own values, then each alone at its low and at its high end.

    The order is base, first factor low, first factor high, second factor low, and so on:
    ``2 * n_factors + 1`` evaluations.

    Parameters
    ----------
    axes : sequence of Axis
        The factors, with `low` and `high`.
    base : sequence of float
        Own value of each factor, between the two.
    """

    base: Sequence[float] = ()
    kind: ClassVar[str] = "one_at_a_time"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "base", tuple(float(value) for value in self.base))
        if len(self.base) != len(self.axes):
            raise ScenarioError(
                f"one_at_a_time design: {len(self.axes)} factors and {len(self.base)} base "
                f"values. Give one for each factor."
            )
        for number, (axis, value) in enumerate(zip(self.axes, self.base, strict=True)):
            where = _where(number, axis)
            if axis.low is None or axis.high is None:
                raise ScenarioError(_why_no_ends(where, axis))
            if axis.points is not None:
                raise ScenarioError(
                    f"{where}: points = {axis.points} is for grids; a factor goes to low and to "
                    f"high, nowhere else. Remove it."
                )
            if not axis.low <= value <= axis.high:
                raise ScenarioError(
                    f"{where}: the scenario's own value is {value:g}, outside low = {axis.low:g} "
                    f"to high = {axis.high:g}, so that it has no change to both sides. Widen the "
                    f"range, or change the scenario."
                )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of evaluations."""
        return (2 * len(self.axes) + 1,)

    def columns(self, cells: NDArray[np.int64]) -> dict[str, Column]:
        """Values of the factors at some points (see `carsim.design.Design.columns`)."""
        found = {}
        for k, (axis, value) in enumerate(zip(self.axes, self.base, strict=True)):
            column = np.full(self.size, value)
            column[1 + 2 * k : 3 + 2 * k] = axis.low, axis.high
            found[axis.path] = column[cells]
        return found


def at_own_values(scenario: Scenario, factors: Sequence[Axis]) -> OneAtATime:
    """Design around the values that a scenario gives to the factors.

    Parameters
    ----------
    scenario : Scenario
        Whose values are the base.
    factors : sequence of Axis
        With `low` and `high`.

    Raises
    ------
    ScenarioError
        A factor without one number of its own, or one that changes who the patients are.
    """
    base = []
    for number, axis in enumerate(factors):
        where = _where(number, axis)
        if axis.low is None or axis.high is None:
            raise ScenarioError(_why_no_ends(where, axis))
        if axis.path == "population.seed":
            raise ScenarioError(
                f"{where}: another seed draws other patients, who cannot be compared with those "
                f"at base one by one. Use a sweep."
            )
        value = value_of(scenario, axis.path)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise ScenarioError(f"{where}: {_why_no_number(axis.path, value)}")
        base.append(float(value))
    return OneAtATime(tuple(factors), tuple(base))


def _where(number: int, axis: Axis) -> str:
    return f"sensitivity.factors[{number}]: axis '{axis.path}'"


def _why_no_ends(where: str, axis: Axis) -> str:
    if axis.values is not None and isinstance(axis.values[0], str):
        return (
            f"{where}: labels have no low and no high end. Compare them in a sweep, or use Sobol "
            f"indices."
        )
    return f"{where}: one_at_a_time goes to two ends. Give low and high in place of values."


def _why_no_number(path: str, value: object) -> str:
    if isinstance(value, np.ndarray):
        return "the scenario gives each patient another value, not one to start from."
    if value is not None:
        return f"the scenario's own value is {value!r}, not one number to start from."
    if path.startswith("population.parameters.") and path.endswith(".median"):
        name = path.removeprefix("population.parameters.").removesuffix(".median")
        return (
            f"the distribution has no median of its own: its center is the parameter. Vary "
            f"parameters.{name}, or give the median."
        )
    return "the scenario gives no value to start from. Give one in the scenario."


def one_at_a_time(
    design: OneAtATime,
    swept: xr.Dataset,
    outputs: Sequence[Output],
    values: Mapping[str, Array],
    *,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> xr.Dataset:
    """Changes of outputs by one factor at a time, in the same patients.

    Parameters
    ----------
    design : OneAtATime
        The points.
    swept : xarray.Dataset
        Result of the sweep over ``point`` and perhaps ``patient``.
    outputs : sequence of Output
        What is looked at.
    values : mapping of str to array, shape (n_points,)
        The outputs at the points, by name (`carsim.sensitivity.outputs.reduced`).
    seed : int, optional
        Of the bootstrap.
    level : float, optional
        Level of the intervals.
    resamples : int, optional
        Number of bootstrap resamples of the patients.

    Returns
    -------
    xarray.Dataset
        Over ``factor`` and ``output``: ``at_low`` and ``at_high``, over all patients who have a
        value there; ``change_low`` and ``change_high``, the difference to base over the patients
        with a value at both (``pairs_low``, ``pairs_high``); ``swing``, the size of the difference
        between the ends over the patients with a value at both (``pairs_swing``). Differences have
        ``_lower`` and ``_upper``: Tango's interval for a difference of risks, else percentiles of
        a bootstrap over patients; NaN for one patient, who is no sample. The interval of a swing
        is that of the difference, folded at 0. Over ``output``: ``at_base``.
    """
    d, m = len(design.axes), len(outputs)
    found = {name: np.full((d, m), np.nan) for name in _words(level)}
    why = np.full((d, m), "", dtype=object)
    for k, output in enumerate(outputs):
        found["at_low"][:, k] = values[output.name][1::2]
        found["at_high"][:, k] = values[output.name][2::2]
        patients = output.rows(swept)
        base = np.broadcast_to(patients[0], (d, patients.shape[1]))
        low, high = patients[1::2], patients[2::2]
        risk = output.statistic in ("", "mean") and output.scale == "linear"
        differ = _of_risks if risk and is_event(swept[output.variable]) else _of_statistics
        for name, here, there in (
            ("change_low", low, base),
            ("change_high", high, base),
            ("swing", high, low),
        ):
            change, lower, upper = differ(output, here, there, seed, level, resamples)
            pairs = (np.isfinite(here) & np.isfinite(there)).sum(axis=1)
            why[:, k] = np.where(pairs == 0, NO_PAIR, why[:, k])
            unknown = (pairs > 1) & np.isnan(lower)
            why[:, k] = np.where(unknown & (why[:, k] == ""), NO_LOGARITHM, why[:, k])
            lower, upper = (np.where(pairs > 1, end, np.nan) for end in (lower, upper))
            if name == "swing":
                change, lower, upper = _folded(change, lower, upper)
            found[name][:, k] = change
            found[f"{name}_lower"][:, k], found[f"{name}_upper"][:, k] = lower, upper
            found[f"pairs_{name.removeprefix('change_')}"][:, k] = pairs
    table = np.column_stack(list(design.columns(np.arange(design.size)).values()))
    attributes = {
        "title": "One factor at a time",
        "method": "one_at_a_time",
        "simulations": design.size,
        "bootstrap_seed": int(seed),
        "design_hash": design_hash(table),
        "level": level,
        "resamples": resamples,
        "versions": versions("numpy"),
    }
    dataset = frame(
        {name: (found[name], words) for name, words in _words(level).items()},
        labels_of(design.axes),
        [Label(output.name) for output in outputs],
        attributes,
        why=why,
        in_output_unit=[name for name in found if not name.startswith("pairs")],
    )
    about = {"long_name": "all factors at the scenario's own values, in output_unit"}
    return dataset.assign(
        at_base=("output", np.array([values[output.name][0] for output in outputs]), about)
    ).assign_coords(_ends(design))


def _ends(design: OneAtATime) -> dict[str, Any]:
    """The three values of each factor, beside its name."""
    given = {
        "low": [axis.low for axis in design.axes],
        "base": list(design.base),
        "high": [axis.high for axis in design.axes],
    }
    return {
        f"factor_{name}": (
            "factor",
            np.array(ends, dtype=np.float64),
            {"long_name": f"{name} value of the factor, in factor_unit"},
        )
        for name, ends in given.items()
    }


def _words(level: float) -> dict[str, str]:
    percent = f"{100 * level:g} % interval"
    words = {
        "at_low": "output with the factor at its low end",
        "at_high": "output with the factor at its high end",
    }
    for name, what in (
        ("change_low", "change of the output to the factor's low end"),
        ("change_high", "change of the output to the factor's high end"),
        ("swing", "size of the difference of the output between the factor's ends"),
    ):
        words[name] = what
        words[f"{name}_lower"] = f"{what}, lower end of the {percent}"
        words[f"{name}_upper"] = f"{what}, upper end of the {percent}"
    words["pairs_low"] = "patients with a value at the low end and at base"
    words["pairs_high"] = "patients with a value at the high end and at base"
    words["pairs_swing"] = "patients with a value at both ends"
    return words


def _of_risks(
    output: Output, here: Array, there: Array, seed: int, level: float, resamples: int
) -> tuple[Array, Array, Array]:
    """Differences of risks in the same patients, with Tango's interval."""
    import xarray as xr

    dims = ("factor", "patient")
    found = risk_difference(
        xr.DataArray(here, dims=dims), xr.DataArray(there, dims=dims), level=level
    )
    return found["difference"].values, found["lower"].values, found["upper"].values


def _of_statistics(
    output: Output, here: Array, there: Array, seed: int, level: float, resamples: int
) -> tuple[Array, Array, Array]:
    """Differences of any statistic, with percentiles of a bootstrap over the patients."""
    found = np.full((3, len(here)), np.nan)
    for k, (first, second) in enumerate(zip(here, there, strict=True)):
        paired = np.isfinite(first) & np.isfinite(second)
        if not paired.any():
            continue
        both = np.stack([first[paired], second[paired]])
        one = output.scaled(output.of(both))
        found[0, k] = one[0] - one[1]
        spread = _bootstrap(output, both, resamples, seed)
        if np.isfinite(spread).all():
            found[1:, k] = np.quantile(spread, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
    return found[0], found[1], found[2]


def _bootstrap(output: Output, both: Array, resamples: int, seed: int) -> Array:
    """Differences in resampled patients, who stay pairs; shape (resamples,)."""
    random = np.random.Generator(np.random.Philox(seed))
    n = both.shape[1]
    at_a_time = max(1, MOST_NUMBERS // n)
    parts = []
    for start in range(0, resamples, at_a_time):
        chosen = random.integers(0, n, (min(at_a_time, resamples - start), n))
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = (output.scaled(output.of(values[chosen])) for values in both)
            parts.append(first - second)
    return np.concatenate(parts)


def _folded(change: Array, lower: Array, upper: Array) -> tuple[Array, Array, Array]:
    """Size of a difference: 0 is its smallest where the interval of the difference holds 0."""
    ends = np.abs(np.stack([lower, upper]))
    holds = (lower <= 0.0) & (upper >= 0.0)
    return np.abs(change), np.where(holds, 0.0, ends.min(axis=0)), ends.max(axis=0)

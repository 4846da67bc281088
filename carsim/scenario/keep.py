"""What is kept of each patient: courses, metrics and endpoints, and what the engine is asked for.

A metric is an endpoint with one requirement. Both are joined here, once: times that an endpoint
looks at are saved beside those of the scenario, and what two of them need is computed once. The
same object turns what the engine returned into the variables of the result, for one simulation and
for a block of a sweep.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carsim.endpoints import Endpoint, EndpointValues, Kept, Requirements, Setting
from carsim.endpoints.requirements import SAME_TIME
from carsim.engine.plan import SAME_INSTANT
from carsim.errors import ScenarioError
from carsim.metrics import Last, Maximum, Metric, TimeOfMaximum
from carsim.therapy.values import FloatArray

if TYPE_CHECKING:
    from carsim.scenario.scenario import Scenario

MOST_FOR_COURSES = 1000
"""Patients up to which courses are saved without being asked for."""

MOST_POINTS = 400


@dataclass(frozen=True)
class Number:
    """A metric as an endpoint: one requirement, and one variable that has the metric's name.

    Parameters
    ----------
    name : str
        Name of the variable.
    metric : Metric
        What it is.
    """

    name: str
    metric: Metric

    def requires(self, setting: Setting) -> Requirements:
        """Ask for the metric."""
        return Requirements(metrics={self.name: self.metric})

    def evaluate(self, kept: Kept) -> dict[str, EndpointValues]:
        """Pass it on."""
        metric, model = self.metric, kept.setting.model
        unit, words = metric.unit(model), metric.words(model)
        return {self.name: EndpointValues(kept.metrics[self.name], unit, words, metric.is_instant)}


@dataclass(frozen=True)
class Part:
    """One endpoint, and where in the engine's answer stands what it asked for.

    Attributes
    ----------
    where : str
        Its path in the scenario, for messages.
    endpoint : Endpoint
        The endpoint, or a metric as one.
    required : Requirements
        What it asked for.
    times : float64 array, shape (n_times,), model time unit
        The times that it asked for, each once.
    columns : int64 array, shape (n_times,)
        Where they stand among all saved times.
    keys : dict of str to str
        The name it uses for a metric, to the name among all metrics.
    """

    where: str
    endpoint: Endpoint
    required: Requirements
    times: FloatArray
    columns: NDArray[np.int64]
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Keep:
    """What is kept of each patient of a scenario.

    Attributes
    ----------
    setting : Setting
        What the endpoints are told.
    outputs : tuple of str
        Observables and states whose courses are in the result.
    times : float64 array, shape (n_times,), model time unit
        Times of these courses.
    columns : int64 array, shape (n_times,)
        Where they stand in `save_at`.
    saved : tuple of str
        What the engine saves: the outputs, and behind them what only endpoints look at.
    save_at : float64 array, shape (n_saved,), model time unit
        When it does: at the times of the result and at those of the endpoints.
    metrics : dict of str to Metric
        Reductions of the engine.
    parts : tuple of Part
        Metrics and endpoints, in the order of their variables in the result.
    note : str
        What was left out by default and how to ask for it; empty if nothing was.
    """

    setting: Setting
    outputs: tuple[str, ...]
    times: FloatArray
    columns: NDArray[np.int64]
    saved: tuple[str, ...]
    save_at: FloatArray
    metrics: Mapping[str, Metric]
    parts: tuple[Part, ...]
    note: str

    def evaluate(
        self,
        saved: Mapping[str, FloatArray],
        metrics: Mapping[str, FloatArray],
        stop: FloatArray,
    ) -> dict[str, EndpointValues]:
        """Turn what the engine kept into the numbers of the result.

        Parameters
        ----------
        saved : mapping of str to float64 array, shape (n, n_saved)
            The `saved` outputs at `save_at`; NaN from a failure on.
        metrics : mapping of str to float64 array, shape (n,)
            The `metrics`.
        stop : float64 array, shape (n,), model time unit
            Where each patient's simulation ends.

        Returns
        -------
        dict of str to EndpointValues
            Each of shape (n,). A metric is NaN for patients who do not live through its window.
        """
        found = self._evaluated(saved, metrics, stop)
        return {name: each for values in found for name, each in values.items()}

    def _evaluated(
        self,
        saved: Mapping[str, FloatArray],
        metrics: Mapping[str, FloatArray],
        stop: FloatArray,
    ) -> list[Mapping[str, EndpointValues]]:
        return [
            part.endpoint.evaluate(self._kept(part, saved, metrics, stop)) for part in self.parts
        ]

    def _kept(
        self,
        part: Part,
        saved: Mapping[str, FloatArray],
        metrics: Mapping[str, FloatArray],
        stop: FloatArray,
    ) -> Kept:
        required, start = part.required, self.setting.start
        whole = len(part.columns) == len(self.save_at)
        covered = {
            name: metric.covered(start, stop, shortened=name in required.shortened)
            for name, metric in required.metrics.items()
        }
        return Kept(
            self.setting,
            stop,
            part.times,
            {
                name: saved[name] if whole else saved[name][:, part.columns]
                for name in required.outputs
                if part.times.size
            },
            {
                name: np.where(covered[name], metrics[key], np.nan)
                for name, key in part.keys.items()
            },
        )

    @cached_property
    def described(self) -> tuple[Mapping[str, EndpointValues], ...]:
        """For each part, its numbers by name, found without simulating: their values say nothing.

        Units and words do. `carsim.scenario.names.result_names` sees to it that no name comes
        twice.
        """
        course = np.ones((1, len(self.save_at)))
        stop = np.full(1, self.setting.stop)
        saved, metrics = dict.fromkeys(self.saved, course), dict.fromkeys(self.metrics, np.ones(1))
        return tuple(self._evaluated(saved, metrics, stop))

    @property
    def numbers(self) -> dict[str, EndpointValues]:
        """All numbers by name; as `described`."""
        return {name: each for part in self.described for name, each in part.items()}


def keep_of(scenario: Scenario, *, courses: bool = True) -> Keep:
    """Work out what is kept of each patient of a scenario.

    Parameters
    ----------
    scenario : Scenario
        What is simulated.
    courses : bool
        Whether courses are kept; a sweep keeps none.

    Returns
    -------
    Keep

    Raises
    ------
    ScenarioError
        An endpoint that the model or the span of the simulation cannot give.
    """
    setting = Setting(scenario.model, scenario.start, scenario.last_stop, scenario.infusion)
    own: Mapping[str, Metric] = scenario.metrics
    outputs: tuple[str, ...] = ()
    times, note = np.empty(0), ""
    if courses:
        own, outputs, times, note = _courses(scenario)
    kept: list[tuple[str, str, Endpoint]] = [
        (f"metrics.{name}", "", Number(name, metric)) for name, metric in own.items()
    ]
    kept += [(f"endpoints.{name}", f"{name}.", each) for name, each in scenario.endpoints.items()]
    asked = [_asked(where, endpoint, setting) for where, _, endpoint in kept]
    save_at = _joined(times, [need.save_at for need in asked])
    metrics: dict[str, Metric] = {}
    parts = []
    for (where, prefix, endpoint), need in zip(kept, asked, strict=True):
        keys = {}
        for name, metric in need.metrics.items():
            same = [known for known, other in metrics.items() if other == metric]
            # A metric of the scenario is kept under its own name.
            keys[name] = same[0] if same and prefix else f"{prefix}{name}"
            metrics[keys[name]] = metric
        own_times = _apart(np.asarray(need.save_at, dtype=np.float64), SAME_TIME)
        parts.append(Part(where, endpoint, need, own_times, _nearest(save_at, own_times), keys))
    seen = [name for need in asked if len(need.save_at) for name in need.outputs]
    return Keep(
        setting,
        outputs,
        times,
        _nearest(save_at, times),
        tuple(dict.fromkeys((*outputs, *seen))),
        save_at,
        metrics,
        tuple(parts),
        note,
    )


def regular_times(start: float, stop: float, most: int = MOST_POINTS) -> FloatArray:
    """Round times that span a simulation.

    Parameters
    ----------
    start, stop : float, model time unit
        Both are among the times.
    most : int
        Largest number of intervals.

    Returns
    -------
    float64 array, shape (n_times,)
        Steps of 1, 2, 2.5 or 5 times a power of ten.
    """
    power = math.floor(math.log10((stop - start) / most))
    steps = [m * 10.0**e for e in (power, power + 1) for m in (1.0, 2.0, 2.5, 5.0)]
    step = next(s for s in steps if (stop - start) / s <= most * (1 + 1e-12))
    count = math.floor((stop - start) / step * (1 + 1e-12))
    # 0.1 * 3 is 0.30000000000000004; a user selects 0.3.
    times: FloatArray = np.round(
        start + step * np.arange(count + 1, dtype=np.float64), min(max(2 - power, 0), 12)
    )
    times[0] = start
    if stop - times[-1] > 1e-6 * step:
        return np.append(times, stop)
    times[-1] = stop
    return times


def _asked(where: str, endpoint: Endpoint, setting: Setting) -> Requirements:
    try:
        return endpoint.requires(setting)
    except ScenarioError as error:
        raise ScenarioError(f"{where}: {error}") from error
    except (ValueError, MemoryError, OverflowError) as error:
        raise ScenarioError(f"{where}: it looks at too many times: {error}.") from None


def _joined(times: FloatArray, visits: Sequence[FloatArray]) -> FloatArray:
    """Times of the result, and those visits that are none of them, ascending."""
    if not visits:
        return times
    extra = np.unique(np.concatenate([np.asarray(each, dtype=np.float64) for each in visits]))
    # Two endpoints may reach the same visit by different sums.
    extra = _apart(extra, SAME_INSTANT)
    if times.size and extra.size:
        nearest = times[_nearest(times, extra)]
        extra = extra[np.abs(nearest - extra) > SAME_INSTANT * np.maximum(1.0, np.abs(extra))]
    return np.sort(np.concatenate([times, extra]))


def _apart(times: FloatArray, relative: float) -> FloatArray:
    """Ascending times without those that are the same as the one before."""
    if times.size == 0:
        return times
    apart = np.diff(times) > relative * np.maximum(1.0, np.abs(times[1:]))
    kept: FloatArray = times[np.concatenate([[True], apart])]
    return kept


def _nearest(times: FloatArray, wanted: FloatArray) -> NDArray[np.int64]:
    """Index of the nearest of some ascending times to each of those wanted."""
    if times.size == 0:
        return np.empty(0, dtype=np.int64)
    right = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(times) - 1)
    closer = np.abs(times[right] - wanted) < np.abs(times[left] - wanted)
    return np.where(closer, right, left).astype(np.int64)


def _is_small(scenario: Scenario) -> bool:
    return scenario.n_patients <= MOST_FOR_COURSES


def _courses(
    scenario: Scenario,
) -> tuple[Mapping[str, Metric], tuple[str, ...], FloatArray, str]:
    """Metrics, outputs, their times, and what was left out of what nobody asked for."""
    model, outputs = scenario.model, scenario.outputs
    names = tuple(model.observable_names or model.state_names) if outputs is None else outputs
    if scenario.save_at is not None or outputs is not None or _is_small(scenario):
        times = scenario.save_at
        if times is None:
            times = regular_times(scenario.start, scenario.last_stop)
        if not names or not len(times):
            return scenario.metrics, (), np.empty(0), ""
        return scenario.metrics, tuple(names), np.asarray(times), ""
    note = (
        f"No courses were saved, as there are more than {MOST_FOR_COURSES} patients and neither "
        f"outputs nor save_at were given. Name outputs to save them."
    )
    metrics: Mapping[str, Metric] = scenario.metrics
    if not metrics and not scenario.endpoints:
        note += " The maximum, its time and the last value of every output were kept instead."
        metrics = {
            f"{prefix}_{name}": kind(name)
            for name in names
            for prefix, kind in (
                ("maximum", Maximum),
                ("time_of_maximum", TimeOfMaximum),
                ("last", Last),
            )
        }
    return metrics, (), np.empty(0), note

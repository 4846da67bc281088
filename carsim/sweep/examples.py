"""Whole courses of a few patients of a sweep, to look at and to explain its numbers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.design import Axis
from carsim.sweep.axes import replaced, unit_of, words_of
from carsim.sweep.courses import simulated
from carsim.sweep.sweep import Sweep

if TYPE_CHECKING:
    import xarray as xr

MOST_STRATEGIES = 3
MOST_KINDS = 4


def examples(
    sweep: Sweep, result: xr.Dataset | None = None, *, event: str = "hbv_reactivation"
) -> xr.Dataset:
    """Simulate one patient of each kind under a few treatments, with courses.

    The first axis that is not the kind of patient is seen at its first, middle and last value, the
    others at their middle. Each kind is shown by its first patient to whom the event happens under
    the first of these treatments, or by its first patient.

    Parameters
    ----------
    sweep : Sweep
        A sweep over a grid; its scenario's `outputs` say what is saved.
    result : xarray.Dataset, optional
        Its result, to choose the patients by.
    event : str, optional
        Variable of `result` to choose by.

    Returns
    -------
    xarray.Dataset
        Dimensions ``(patient, time)``; coordinates on ``patient``: ``strategy`` (words), the name
        of the mixture (label) and ``number`` (index in the population).
    """
    strategies = _strategies(sweep)
    kinds = _kinds(sweep)
    chosen = {kind: _chosen(sweep, result, event, kind, strategies[0][1]) for kind in kinds}
    parts = [
        _course(sweep, words, cell, kind, chosen[kind])
        for words, cell in strategies
        for kind in kinds
    ]
    return _joined(parts)


def _strategies(sweep: Sweep) -> list[tuple[str, dict[str, Any]]]:
    """Words and values by path of a few cells."""
    axes = [axis for axis in sweep.design.axes if axis is not sweep.membership]
    if not axes:
        return [("", {})]
    middle = {axis.path: _levels(axis)[len(_levels(axis)) // 2] for axis in axes}
    first = axes[0]
    levels = _levels(first)
    unit = unit_of(sweep.scenario, first.path)
    unit = "" if unit in ("", "1") else f" {unit}"
    picks = sorted({0, len(levels) // 2, len(levels) - 1})[:MOST_STRATEGIES]
    return [
        (
            f"{words_of(sweep.scenario, first)}: {_shown(levels[k])}{unit}",
            {**middle, first.path: levels[k]},
        )
        for k in picks
    ]


def _levels(axis: Axis) -> list[Any]:
    if axis.values is None and axis.points is None:
        return list(axis.at(np.array([0.0, 0.5, 1.0])).tolist())
    return list(axis.levels.tolist())


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _kinds(sweep: Sweep) -> list[str | None]:
    population = sweep.scenario.population
    if population is None or population.mixture is None:
        return [None]
    labels: Sequence[str] = population.mixture.labels
    if sweep.membership is not None and sweep.membership.values is not None:
        labels = [str(value) for value in sweep.membership.values]
    return list(labels[:MOST_KINDS])


def _chosen(
    sweep: Sweep,
    result: xr.Dataset | None,
    event: str,
    kind: str | None,
    cell: Mapping[str, Any],
) -> int:
    """Index of the patient that stands for a kind."""
    if sweep.membership is None and kind is not None:
        labels = _labels(sweep)
        candidates = np.flatnonzero(labels == kind)
    else:
        candidates = np.arange(sweep.n_patients)
    if result is None or event not in result or "patient" not in result[event].dims:
        return int(candidates[0]) if candidates.size else 0
    values = result[event]
    by_path = {axis.path: axis.name for axis in sweep.design.axes}
    at = {by_path[path]: value for path, value in cell.items()}
    if sweep.membership is not None and kind is not None:
        at[sweep.membership.name] = kind
    at = {name: value for name, value in at.items() if name in values.dims}
    if len(at) < values.ndim - 1:
        return int(candidates[0]) if candidates.size else 0
    happened = np.asarray(values.sel(at).values)[candidates] == 1
    return int(candidates[np.argmax(happened)])


def _labels(sweep: Sweep) -> Any:
    population = sweep.scenario.population
    assert population is not None
    assert population.mixture is not None
    membership = population.membership(np.arange(sweep.n_patients))
    return np.array(population.mixture.labels)[membership]


def _course(
    sweep: Sweep, words: str, cell: Mapping[str, Any], kind: str | None, patient: int
) -> xr.Dataset:
    scenario = sweep.scenario
    for path, value in cell.items():
        scenario = replaced(scenario, path, value)
    if sweep.membership is not None and kind is not None:
        scenario = replaced(scenario, sweep.membership.path, kind)
    dataset = simulated(sweep, scenario, np.array([patient], dtype=np.int64))
    labels: dict[str, Any] = {"strategy": ("patient", np.array([words], dtype=object))}
    labels["number"] = ("patient", np.array([patient]))
    if kind is not None:
        assert scenario.population is not None
        assert scenario.population.mixture is not None
        name = scenario.population.mixture.name
        labels[name] = ("patient", np.array([kind], dtype=object))
    kept = [name for name, each in dataset.data_vars.items() if "time" in each.dims]
    courses = dataset[kept]
    plain = courses.drop_vars([c for c in courses.coords if c != "time"])
    return plain.assign_coords(labels)


def _joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    joined: xr.Dataset = xr.concat(parts, dim="patient", combine_attrs="override")
    return joined.assign_coords(patient=np.arange(joined.sizes["patient"]))

"""Whether the start of a model is a steady state, and whether the model returns to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from carsim.errors import ScenarioError, unknown
from carsim.kernels.compile import compile_model
from carsim.model import Model
from carsim.scenario import Scenario, Solver
from carsim.simulation import simulate

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["recovery", "steady_state"]

Array = NDArray[np.float64]

STEADY = 1e-8
"""Relative change per time unit below which a state counts as steady."""
RETURNED = 0.05
"""Part of the disturbance that is left when a model counts as returned."""
POINTS = 801


def steady_state(
    model: Model,
    parameters: Mapping[str, float] | None = None,
    variants: Sequence[str] = (),
    *,
    tolerance: float = STEADY,
) -> xr.Dataset:
    """Say which states are steady at the start, without therapy.

    Parameters
    ----------
    model : Model
        The model.
    parameters : mapping of str to float, optional
        Values in place of the model's.
    variants : sequence of str, optional
        Named parameter sets.
    tolerance : float
        Relative change per time unit below which a state is steady.

    Returns
    -------
    xarray.Dataset
        By ``state``: ``value``; ``rate``, its derivative; ``relative_rate``, per time unit, of the
        value or of the state's absolute tolerance, whichever is larger; ``steady``. By ``mode``:
        ``eigenvalue_real`` and ``eigenvalue_imaginary`` of the Jacobian there, per time unit, the
        largest real part first. A positive one means that a disturbance grows.
    """
    import xarray as xr

    p, y0 = _start(model, parameters, variants)
    rates = np.array(model.derivatives(0.0, list(y0), list(p)), dtype=np.float64)
    floors = np.array([field.atol for field in model.states])
    relative = np.abs(rates) / np.maximum(np.abs(y0), floors)
    eigenvalues = np.linalg.eigvals(_jacobian(model, y0, p))
    order = np.lexsort((eigenvalues.imag, -eigenvalues.real))
    per_time = f"1/{model.time_unit}"
    return xr.Dataset(
        {
            "value": ("state", y0, {"long_name": "initial value"}),
            "rate": ("state", rates, {"long_name": f"derivative, unit per {model.time_unit}"}),
            "relative_rate": (
                "state",
                relative,
                {"long_name": "relative rate of change", "carsim_units": per_time},
            ),
            "steady": ("state", relative <= tolerance, {"long_name": "whether it is steady"}),
            "eigenvalue_real": (
                "mode",
                eigenvalues[order].real,
                {"long_name": "growth rate of a disturbance", "carsim_units": per_time},
            ),
            "eigenvalue_imaginary": (
                "mode",
                eigenvalues[order].imag,
                {"long_name": "angular frequency of a disturbance", "carsim_units": per_time},
            ),
        },
        {
            "state": ("state", list(model.state_names)),
            "unit": ("state", [field.unit for field in model.states]),
        },
        {"title": f"Steady state of {model.name}", "model": model.name, "tolerance": tolerance},
    )


def recovery(
    model: Model,
    parameters: Mapping[str, float] | None = None,
    variants: Sequence[str] = (),
    *,
    factor: float = 1.1,
    stop: float = 365.0,
    states: Sequence[str] | None = None,
) -> xr.Dataset:
    """Disturb each state and see whether the model returns, and how fast.

    The undisturbed run is the measure, so that a start that is not steady can be tried, too. The
    distance of two runs is the largest difference of a state, relative to the undisturbed one (or
    to the state's absolute tolerance, if that is larger).

    Parameters
    ----------
    model : Model
        The model.
    parameters : mapping of str to float, optional
        Values in place of the model's.
    variants : sequence of str, optional
        Named parameter sets.
    factor : float
        By which an initial value is multiplied; positive and not 1.
    stop : float
        How long to wait, in the time unit of the model.
    states : sequence of str, optional
        States to disturb; all that do not start at zero by default.

    Returns
    -------
    xarray.Dataset
        By ``state``: ``distance`` (state, time), in units of the disturbance; ``largest`` distance;
        ``time_to_return``, after which less than 5 % of the disturbance is left for good, NaN if
        that is not before `stop`; ``predicted_time``, the same by the linearized equations (the
        exponential of the Jacobian at the start): the two agree for a small disturbance of a steady
        state.
    """
    import xarray as xr

    if not (np.isfinite(factor) and factor > 0.0 and factor != 1.0):
        raise ScenarioError(
            f"recovery: factor = {factor!r}. Give a positive number other than 1, such as 1.1."
        )
    p, y0 = _start(model, parameters, variants)
    names = [n for n, value in zip(model.state_names, y0, strict=True) if value != 0.0]
    if states is not None:
        for name in states:
            if name not in model.state_names:
                where = f"model {model.name!r}"
                raise ScenarioError(unknown("state", name, model.state_names, where))
            if name not in names:
                raise ScenarioError(
                    f"recovery: state {name!r} starts at zero, which no factor changes. Leave it "
                    "out."
                )
        names = list(states)
    if not names:
        raise ScenarioError(
            f"recovery: every state of {model.name!r} starts at zero, which no factor changes."
        )
    columns = [model.state_index[name] for name in names]
    starts = np.tile(y0, (1 + len(names), 1))
    starts[np.arange(1, 1 + len(names)), columns] *= factor
    # Early times are the quick ones.
    times = np.concatenate([[0.0], np.geomspace(stop * 1e-4, stop, POINTS - 1)])
    scenario = Scenario(
        model,
        parameters=dict(parameters or {}),
        variants=variants,
        stop=stop,
        save_at=times,
        outputs=model.state_names,
        initial={name: starts[:, k] for k, name in enumerate(model.state_names)},
        solver=Solver(rtol=1e-9),
    )
    result = simulate(scenario, on_failure="raise")
    runs = np.array([result[name].values for name in model.state_names]).transpose(1, 2, 0)
    floors = np.array([field.atol for field in model.states])
    sizes = np.maximum(np.abs(runs[0]), floors)
    distance = np.max(np.abs(runs[1:] - runs[0]) / sizes, axis=2) / abs(factor - 1.0)
    jacobian = _jacobian(model, y0, p)
    linear = _linear_distances(jacobian, y0, np.maximum(np.abs(y0), floors), columns, times)
    about = {"carsim_units": model.time_unit}
    return xr.Dataset(
        {
            "distance": (
                ("state", "time"),
                distance,
                {"long_name": "distance from the undisturbed run, in disturbances"},
            ),
            "largest": (
                "state",
                distance.max(axis=1),
                {"long_name": "largest distance, in disturbances"},
            ),
            "time_to_return": (
                "state",
                _time_to_return(times, distance),
                {**about, "long_name": "time after which 5 % of the disturbance are left"},
            ),
            "predicted_time": (
                "state",
                _time_to_return(times, linear),
                {**about, "long_name": "the same by the linearized equations"},
            ),
        },
        {
            "state": ("state", names),
            "time": ("time", times, {**about, "long_name": "time since the disturbance"}),
        },
        {"title": f"Recovery of {model.name}", "model": model.name, "factor": factor},
    )


def _start(
    model: Model, parameters: Mapping[str, float] | None, variants: Sequence[str]
) -> tuple[Array, Array]:
    y0, p = model.initial_state(model.parameter_values(parameters or {}, variants))
    if len(y0) != 1:
        raise ScenarioError(f"{model.name}: {len(y0)} patients were given. Give one number each.")
    if not (np.isfinite(y0).all() and np.isfinite(p).all()):
        raise ScenarioError(
            f"{model.name}: these parameters admit no initial state. Take other values."
        )
    return p[0], y0[0]


def _jacobian(model: Model, y: Array, p: Array) -> Array:
    program = compile_model(model)
    found: Array = program.evaluate_jacobian(np.zeros(1), y[None], p[None])[0]
    return found


def _linear_distances(
    jacobian: Array, y0: Array, sizes: Array, columns: Sequence[int], times: Array
) -> Array:
    """Distances of disturbed states by the exponential of the Jacobian, in disturbances."""
    distances = np.empty((len(columns), len(times)))
    start = np.zeros((len(y0), len(columns)))
    start[columns, np.arange(len(columns))] = y0[list(columns)]
    for place, time in enumerate(times):
        with np.errstate(all="ignore"):
            moved = expm(jacobian * time) @ start
        distances[:, place] = np.max(np.abs(moved) / sizes[:, None], axis=0)
    return distances


def _time_to_return(times: Array, distance: Array) -> Array:
    """First time from which on less than `RETURNED` is left; NaN if the end is not below it."""
    found = np.full(len(distance), np.nan)
    for row, course in enumerate(distance):
        away = np.flatnonzero(~(course < RETURNED))
        last = int(away[-1]) if away.size else -1
        if last + 1 < len(times):
            found[row] = times[last + 1]
    return found

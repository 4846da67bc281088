"""What every model must pass: used by the tests of this library and of any package of models.

Examples
--------
In the tests of a package of models::

    @pytest.mark.parametrize("name", list_models())
    def test_model(name):
        check_model(load_model(name))
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from carsim.errors import CarsimError, ModelError
from carsim.model import Model

__all__ = ["check_model"]

Array = NDArray[np.float64]

_POINTS = 24
_SAVED_TIMES = 201
_SHOWN = 20

# Two evaluations of one formula differ by rounding, relative to its largest terms.
_ROUNDING = 1e-10
_OBSERVED = 1e-9

# Central differences: step relative to the state, and what truncation and cancellation leave.
_STEP = 1e-5
_TRUNCATION = 1e-4
_CANCELLATION = 1e-9


class Evaluator(Protocol):
    """The part of a compiled program that is compared with plain Python."""

    def evaluate_rhs(self, t: Array, y: Array, p: Array) -> Array:
        """Return the derivatives, shape (n, n_states), of n patients."""

    def evaluate_jacobian(self, t: Array, y: Array, p: Array) -> Array:
        """Return the Jacobians, shape (n, n_states, n_states), of n patients."""

    def evaluate_observables(self, t: Array, y: Array, p: Array) -> Array:
        """Return the observables, shape (n, n_observables), of n patients."""


def check_model(model: Model, *, span: float = 100.0) -> None:
    """Check everything that can be checked of a model without knowing what it is about.

    The units of all equations agree; around the initial state the compiled derivatives and
    observables equal the plain-Python ones and the Jacobian equals finite differences; with the
    default parameters a simulation succeeds and no state turns negative. (That every parameter has
    a unit and a source is checked when a `Model` is built.)

    Parameters
    ----------
    model : Model
        The model.
    span : float
        Length of the simulation, in the time unit of the model.

    Raises
    ------
    ModelError
        With one sentence for each problem found.
    """
    problems = model.check_units()
    try:
        program: Evaluator = importlib.import_module("carsim.kernels").compile_model(model)
        problems += compare_kernels(model, program)
        problems += _simulation(model, span)
    except CarsimError as error:
        problems.append(str(error))
    if problems:
        shown = problems[:_SHOWN]
        if len(problems) > _SHOWN:
            shown.append(f"... and {len(problems) - _SHOWN} more.")
        raise ModelError(
            f"model {model.name!r} fails {len(problems)} "
            f"check{'s' if len(problems) > 1 else ''}:\n  " + "\n  ".join(shown)
        )


def compare_kernels(model: Model, program: Evaluator) -> list[str]:
    """Compare compiled derivatives, observables and Jacobian with the plain-Python equations.

    Parameters
    ----------
    model : Model
        The model.
    program : object
        With ``evaluate_rhs(t, y, p)``, ``evaluate_jacobian(t, y, p)`` and
        ``evaluate_observables(t, y, p)`` on arrays of shapes (n,), (n, n_states),
        (n, n_parameters).

    Returns
    -------
    list of str
        One sentence per state, observable or Jacobian entry that differs.
    """
    t, y, p = _points(model)
    with np.errstate(all="ignore"):
        expected = _twin(model, t, y, p)
        found = np.asarray(program.evaluate_rhs(t, y, p), dtype=np.float64)
        jacobian = np.asarray(program.evaluate_jacobian(t, y, p), dtype=np.float64)
        # The size of the terms in each derivative, of which rounding takes its share.
        terms = np.einsum("nij,nj->ni", np.abs(jacobian), np.abs(y)) + np.abs(expected)
        differences, slack = _differences(model, t, y, p, terms)
        reported = np.asarray(program.evaluate_observables(t, y, p), dtype=np.float64)
    problems = _mismatches(model, y, expected, found, _ROUNDING * terms)
    problems += _observable_mismatches(model, t, y, p, reported)
    finite = _finite_rows(expected)
    # The first point may hold empty pools, at which no relative step can be taken.
    finite[0] = False
    return problems + _jacobian_mismatches(
        model, jacobian[finite], differences[finite], slack[finite]
    )


def _points(model: Model) -> tuple[Array, Array, Array]:
    """Take the initial state of the defaults, and positive states and parameters around it."""
    generator = np.random.default_rng(20260101)
    table = model.parameter_values(n=_POINTS)
    spread = np.exp(0.1 * generator.standard_normal(table.shape))
    spread[0] = 1.0
    bounds = np.array([(field.lower, field.upper) for field in model.parameters]).reshape(-1, 2)
    spread_table = np.clip(table * spread, bounds[:, 0], bounds[:, 1])
    y, p = model.initial_state(spread_table)
    # Some patients have no initial state (no steady state, say): they get the default parameters.
    complete = _finite_rows(y) & _finite_rows(p)
    y, p = model.initial_state(np.where(complete[:, None], spread_table, table))
    # A pool that starts empty is tried at every size between its floor and one.
    floors = np.array([field.atol for field in model.states])
    small = np.exp(generator.uniform(0.0, 1.0, y.shape) * np.abs(np.log(floors))) * floors
    states = np.where(y == 0.0, small, y) * np.exp(generator.standard_normal(y.shape))
    states[0] = y[0]
    return generator.uniform(0.0, 100.0, _POINTS), states, p


def _finite_rows(table: Array) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(table).all(axis=1), dtype=np.bool_)


def _twin(model: Model, t: Array, y: Array, p: Array) -> Array:
    columns = model.derivatives(t, list(y.T), list(p.T))
    return np.stack([np.broadcast_to(np.asarray(c, dtype=np.float64), t.shape) for c in columns], 1)


def _differences(model: Model, t: Array, y: Array, p: Array, terms: Array) -> tuple[Array, Array]:
    """Central differences of the plain-Python equations, and the error they may have."""
    n, size = y.shape
    derivative = np.full((n, size, size), np.nan)
    slack = np.full((n, size, size), np.nan)
    for j in range(size):
        step = _STEP * np.abs(y[:, j])
        above, below = y.copy(), y.copy()
        above[:, j] += step
        below[:, j] -= step
        width = above[:, j] - below[:, j]
        change = _twin(model, t, above, p) - _twin(model, t, below, p)
        derivative[:, :, j] = change / width[:, None]
        slack[:, :, j] = _CANCELLATION * terms / np.abs(y[:, j])[:, None]
    return derivative, slack + _TRUNCATION * np.abs(derivative)


def _mismatches(
    model: Model, y: Array, expected: Array, found: Array, tolerance: Array
) -> list[str]:
    if found.shape != expected.shape:
        return [f"compiled derivatives have shape {found.shape}, expected {expected.shape}."]
    same = np.isclose(found, expected, rtol=0.0, atol=0.0, equal_nan=True)
    with np.errstate(invalid="ignore"):
        bad = ~(same | (np.abs(found - expected) <= tolerance))
    problems = []
    for i in np.flatnonzero(bad.any(axis=0)):
        point = int(np.argmax(bad[:, i]))
        unit = f"{model.states[i].unit}/{model.time_unit}"
        problems.append(
            f"d({model.state_names[i]})/dt compiled is {found[point, i]:.12g}, in plain Python "
            f"{expected[point, i]:.12g} [{unit}], at {_state(model, y[point])}."
        )
    for i in np.flatnonzero(~np.isfinite(expected).all(axis=0)):
        point = int(np.argmax(~np.isfinite(expected[:, i])))
        problems.append(
            f"d({model.state_names[i]})/dt is {expected[point, i]:g} near the initial state, at "
            f"{_state(model, y[point])}."
        )
    return problems


def _observable_mismatches(model: Model, t: Array, y: Array, p: Array, found: Array) -> list[str]:
    problems = []
    expected = model.observe(t, list(y.T), list(p.T))
    for index, (name, values) in enumerate(expected.items()):
        close = np.isclose(found[:, index], values, rtol=_OBSERVED, atol=_OBSERVED, equal_nan=True)
        if not close.all():
            point = int(np.argmin(close))
            problems.append(
                f"observable {name!r} compiled is {found[point, index]:.12g}, in plain Python "
                f"{np.broadcast_to(values, t.shape)[point]:.12g} [{model.unit_of(name)}], at "
                f"{_state(model, y[point])}."
            )
    return problems


def _jacobian_mismatches(model: Model, found: Array, expected: Array, slack: Array) -> list[str]:
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(found - expected) <= slack)
    return [
        f"the derivative of d({model.state_names[i]})/dt with respect to {model.state_names[j]} "
        f"compiled is {found[point, i, j]:.8g}, by differences "
        f"{expected[point, i, j]:.8g}."
        for i, j in np.argwhere(bad.any(axis=0))
        for point in [int(np.argmax(bad[:, i, j]))]
    ]


def _state(model: Model, y: Array) -> str:
    shown = [f"{name} = {value:.6g}" for name, value in zip(model.state_names, y, strict=True)]
    return ", ".join(shown[:6]) + (", ..." if len(shown) > 6 else "")


def _simulation(model: Model, span: float) -> list[str]:
    """Problems of one simulation with the default parameters."""
    simulate: Any = importlib.import_module("carsim.simulation").simulate
    result = simulate(
        model,
        start=0.0,
        stop=span,
        save_at=np.linspace(0.0, span, _SAVED_TIMES),
        outputs=model.state_names,
        on_failure="raise",
    )
    problems = []
    for field in model.states:
        values = np.asarray(result[field.name], dtype=np.float64)
        times = np.asarray(result["time"], dtype=np.float64)
        if not np.isfinite(values).all():
            first = times[int(np.argmax(~np.isfinite(values)))]
            problems.append(f"{field.name} is not finite at t = {first:g} {model.time_unit}.")
        elif not field.signed and values.min() < -10.0 * field.atol:
            worst = int(np.argmin(values))
            problems.append(
                f"{field.name} falls to {values[worst]:.6g} [{field.unit}] at t = "
                f"{times[worst]:g} {model.time_unit}. A pool must not turn negative; if this is no "
                "pool, declare it with signed=True."
            )
    return problems

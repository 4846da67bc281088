"""The compiled stepper takes the step of its tableau, and errors shrink with the right power."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from carsim.engine import compiled, layout
from carsim.engine.integrate import integrate
from carsim.engine.plan import Action, Save, Trajectories
from carsim.engine.program import Program
from carsim.engine.tableaus import METHODS, Tableau
from tests.engine_plans import schedule

Array = NDArray[np.float64]

each_method = pytest.mark.parametrize("tableau", METHODS.values(), ids=METHODS.keys())

# So loose that every step is accepted and asked for as long as the next stop is away.
LOOSE = 1e4


def fixed_steps(
    program: Program,
    tableau: Tableau,
    y0: Array,
    p: Array,
    counts: list[int],
    span: tuple[float, float],
    within: Array | None = None,
) -> Trajectories:
    """Cross `span` in ``counts[i]`` equal steps, patient by patient; save where `within` says.

    Every step ends at a stop, which is landed on; the tolerance leaves no other choice.
    """
    start, stop = span
    edges = [np.linspace(start, stop, count + 1)[1:-1] for count in counts]
    stops = schedule(*([(float(t), Action.RESTART, 0, 0.0) for t in e] for e in edges))
    save = Save.nothing()
    if within is not None:
        save = Save(start + within * (stop - start), np.arange(len(y0)))
    n = len(counts)
    result = integrate(
        program,
        np.tile(y0, (n, 1)),
        np.tile(p, (n, 1)),
        start,
        stop,
        method=tableau.name,
        rtol=LOOSE,
        atol=np.full(len(y0), 1e-9),
        stops=stops,
        save=save,
        threads=1,
    )
    np.testing.assert_array_equal(result.status, 0)
    np.testing.assert_array_equal(result.n_steps, counts)
    # None for its error: at most one a stop, which is undone because it went past.
    assert np.all(result.n_rejected <= np.array(counts) - 1)
    return result


def slope(steps: list[float], errors: Array) -> float:
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


# --- one step equals that of the twin ---


def equations(program: Program, p: Array) -> tuple[Any, Any, Any]:
    """Compiled right-hand side, Jacobian and time derivative at single points."""

    def f(t: float, y: Array) -> Array:
        return np.asarray(program.evaluate_rhs(np.array([t]), y[None], p[None])[0])

    def jacobian(t: float, y: Array) -> Array:
        return np.asarray(program.evaluate_jacobian(np.array([t]), y[None], p[None])[0])

    def time_derivative(t: float, y: Array) -> Array:
        # A fourth-order difference; the tests of the kernels compare the compiled one exactly.
        d = 1e-3
        ahead = 8.0 * (f(t + d, y) - f(t - d, y)) - (f(t + 2 * d, y) - f(t - 2 * d, y))
        return np.asarray(ahead / (12.0 * d))

    return f, jacobian, time_derivative


INSIDE = np.array([0.0, 0.125, 0.5, 0.875])


@each_method
@pytest.mark.parametrize("h", [0.3, 0.05])
def test_one_step_equals_the_twin(
    tableau: Tableau, h: float, kaps_program: Program, reference_stepper: ModuleType
) -> None:
    p = np.array([0.4, 1.0])
    y0 = np.array([0.8, 1.1])
    result = fixed_steps(kaps_program, tableau, y0, p, [1], (0.0, h), INSIDE)
    step = reference_stepper.step(tableau, *equations(kaps_program, p), 0.0, y0, h)
    np.testing.assert_allclose(result.final_state[0], step.new, rtol=1e-12)
    for i, theta in enumerate(INSIDE):
        np.testing.assert_allclose(result.saved[:, 0, i], step.dense(theta), rtol=1e-12)


@each_method
@pytest.mark.parametrize("h", [0.3, 0.05])
def test_one_step_in_time_equals_the_twin(
    tableau: Tableau, h: float, forced_program: Program, reference_stepper: ModuleType
) -> None:
    p = np.array([2.0, 0.7, 1.3, 5.0, 1.0])
    y0 = np.array([0.9, 1.0, 0.5, 1.0])
    start = 0.4
    result = fixed_steps(forced_program, tableau, y0, p, [1], (start, start + h), INSIDE)
    length = (start + h) - start
    step = reference_stepper.step(tableau, *equations(forced_program, p), start, y0, length)
    np.testing.assert_allclose(result.final_state[0], step.new, rtol=1e-12)
    for i, theta in enumerate(INSIDE):
        np.testing.assert_allclose(result.saved[:, 0, i], step.dense(theta), rtol=1e-12)


@each_method
def test_the_twin_s_error_estimate_has_the_order_of_the_embedded_formula(
    tableau: Tableau, kaps_program: Program, reference_stepper: ModuleType
) -> None:
    p, y0 = np.array([0.5, 1.0]), np.array([0.8, 1.1])
    steps = [0.02, 0.015, 0.01, 0.0075, 0.005]
    functions = equations(kaps_program, p)
    errors = [
        np.linalg.norm(reference_stepper.step(tableau, *functions, 0.0, y0, h).error) for h in steps
    ]
    assert slope(steps, np.array(errors)) == pytest.approx(tableau.error_order + 1, abs=0.15)


def compiled_step(
    program: Program, tableau: Tableau, y0: Array, p: Array, h: Array, rtol: float, atol: Array
) -> tuple[Array, Array]:
    """Rows NUMBERS and vectors of the engine after one step of length ``h[lane]`` in each lane."""
    lanes = program.lanes
    numbers = np.zeros((layout.N_NUMBERS, lanes))
    vectors = np.zeros((layout.N_VECTORS, program.n_states * lanes))
    vectors[layout.Y] = np.repeat(y0, lanes)
    parameters = np.ones(program.n_all_parameters * lanes)
    flags = np.zeros((layout.N_FLAGS, lanes), dtype=np.int64)
    parameters[: program.n_parameters * lanes] = np.repeat(p, lanes)
    program.derive(lanes, parameters)
    numbers[layout.H] = h
    numbers[layout.PREVIOUS] = 1.0
    numbers[layout.CAP] = 6.0
    numbers[layout.RUNNING] = 1.0
    order = tableau.error_order + 1
    compiled.compiled_start(
        lanes,
        order,
        np.empty(0, dtype=np.int64),
        False,
        program.rhs,
        parameters,
        numbers,
        vectors,
        atol,
        rtol,
    )
    compiled.compiled_step(
        lanes, order, tableau.implicit, program.autonomous, np.empty(0, dtype=np.int64), False,
        1.0 / tableau.gamma if tableau.implicit else 0.0,
        tableau.a, tableau.coupling,
        np.array([tableau.b, tableau.c, tableau.d, tableau.error]),
        program.rhs, program.jacobian, program.time_derivative, program.factor, program.solve,
        parameters, numbers, flags, vectors,
        np.zeros((tableau.stages, program.n_states * lanes)),
        np.zeros(program.n_jacobian * lanes), np.zeros(program.n_factors * lanes),
        atol, rtol, np.full(program.n_states, -np.inf),
    )  # fmt: skip
    return numbers, vectors.reshape(layout.N_VECTORS, program.n_states, lanes)


@each_method
def test_the_error_estimate_equals_that_of_the_twin(
    tableau: Tableau, kaps_program: Program, reference_stepper: ModuleType
) -> None:
    p, y0 = np.array([0.5, 1.0]), np.array([0.8, 1.1])
    h = np.geomspace(0.02, 0.5, kaps_program.lanes)
    rtol, atol = 1e-5, np.array([1e-6, 1e-4])
    numbers, vectors = compiled_step(kaps_program, tableau, y0, p, h, rtol, atol)
    functions = equations(kaps_program, p)
    order = tableau.error_order + 1
    for lane in range(kaps_program.lanes):
        step = reference_stepper.step(tableau, *functions, 0.0, y0, h[lane])
        np.testing.assert_allclose(vectors[layout.NEW, :, lane], step.new, rtol=1e-12)
        np.testing.assert_allclose(
            vectors[layout.DELTA, :, lane], step.error, rtol=1e-9, atol=1e-14
        )
        scale = atol + rtol * np.maximum(np.abs(y0), np.abs(step.new))
        norm = np.sqrt(np.mean((step.error / scale) ** 2))
        # Up to the rounding of the estimate itself, which is allowed for above.
        assert numbers[layout.ERROR, lane] == pytest.approx(norm, rel=1e-8, abs=1e-14 / scale.min())
        assert numbers[layout.ACCEPTED, lane] == float(norm <= 1.0)
        # Behind a step with error one, the proportional part of the control is silent.
        expected = 0.9 * norm ** (-0.7 / order) if norm <= 1.0 else 0.9 * norm ** (-1.0 / order)
        bounds = (0.2, 6.0) if norm <= 1.0 else (0.2, 0.75)
        assert numbers[layout.FACTOR, lane] == pytest.approx(np.clip(expected, *bounds), rel=1e-8)
    assert 0.0 < numbers[layout.ACCEPTED].mean() < 1.0


# --- observed order ---


def kaps_at(t: float) -> Array:
    return np.array([np.exp(-2.0 * t), np.exp(-t)])


def forced_at(t: float, p: Array) -> Array:
    """Closed forms; the input is a third, decaying compartment for the matrix exponential."""
    a, b, c, _, _ = p
    matrix = np.array([[-a, b, 1.0], [a, -2.0 * b, 0.0], [0.0, 0.0, -c]])
    u, v, _ = expm(matrix * t) @ np.array([1.0, 0.5, 1.0])
    return np.array([1.0 / (1.0 + t * t), u, v, np.exp(-t)])


FORCED = np.array([2.0, 0.7, 1.3, 5.0, 1.0])


@each_method
def test_observed_order_autonomous(tableau: Tableau, kaps_program: Program) -> None:
    counts = [8, 12, 16, 24, 32]
    p = np.array([1.0, 1.0])
    result = fixed_steps(kaps_program, tableau, np.ones(2), p, counts, (0.0, 1.0))
    errors = np.abs(result.final_state - kaps_at(1.0)).max(axis=1)
    steps = [1.0 / count for count in counts]
    assert slope(steps, errors) == pytest.approx(tableau.order, abs=0.35)
    assert errors[0] < 1e-4


@each_method
def test_observed_order_in_time(tableau: Tableau, forced_program: Program) -> None:
    counts = [16, 24, 32, 48, 64]
    y0 = np.array([1.0, 1.0, 0.5, 1.0])
    result = fixed_steps(forced_program, tableau, y0, FORCED, counts, (0.0, 1.5))
    errors = np.abs(result.final_state - forced_at(1.5, FORCED))
    steps = [1.5 / count for count in counts]
    for i in range(4):
        assert slope(steps, errors[:, i]) == pytest.approx(tableau.order, abs=0.5), i


@each_method
def test_observed_order_of_the_dense_output(tableau: Tableau, forced_program: Program) -> None:
    """One step from the exact state: the error inside is of one order more than the global one."""
    theta = np.array([0.3, 0.55, 0.8])
    start = 0.5
    y0 = forced_at(start, FORCED)
    steps = [0.06, 0.045, 0.03, 0.02]
    errors = []
    for h in steps:
        result = fixed_steps(forced_program, tableau, y0, FORCED, [1], (start, start + h), theta)
        exact = np.array([forced_at(start + x * h, FORCED) for x in theta]).T
        errors.append(np.abs(result.saved[:, 0] - exact).max())
    assert slope(steps, np.array(errors)) > tableau.dense_order + 1 - 0.35


@each_method
def test_both_ends_of_the_dense_output_are_exact(tableau: Tableau, forced_program: Program) -> None:
    y0 = np.array([1.0, 1.0, 0.5, 1.0])
    result = fixed_steps(
        forced_program, tableau, y0, FORCED, [4], (0.0, 1.0), np.linspace(0.0, 1.0, 5)
    )
    np.testing.assert_array_equal(result.saved[:, 0, 0], y0)
    np.testing.assert_array_equal(result.saved[:, 0, -1], result.final_state[0])
    for quarter in (1, 2, 3):
        shorter = fixed_steps(forced_program, tableau, y0, FORCED, [quarter], (0.0, 0.25 * quarter))
        np.testing.assert_array_equal(result.saved[:, 0, quarter], shorter.final_state[0])


# --- stiffness, with the step size chosen by the engine ---


@pytest.mark.parametrize(("name", "most_steps"), [("rodas5p", 100), ("rodas4", 400)])
def test_a_stiff_forced_problem_is_followed_in_few_steps(
    name: str, most_steps: int, forced_program: Program
) -> None:
    """Prothero and Robinson's problem, up to 1e8 times stiffer than a step is long."""
    stiffness = np.array([1.0, 1e3, 1e6, 1e9])
    n = len(stiffness)
    p = np.tile(FORCED, (n, 1))
    p[:, 3] = stiffness
    y0 = np.tile([1.0, 1.0, 0.5, 1.0], (n, 1))
    result = integrate(
        forced_program, y0, p, 0.0, 1.5, method=name, rtol=1e-6, atol=np.full(4, 1e-8), threads=1
    )
    np.testing.assert_array_equal(result.status, 0)
    errors = np.abs(result.final_state / forced_at(1.5, FORCED) - 1.0)
    assert errors.max() < 1e-5
    assert result.n_steps.max() < most_steps


@pytest.mark.parametrize(("name", "most_steps"), [("rodas5p", 100), ("rodas4", 400)])
def test_a_stiff_nonlinear_problem_is_followed_in_few_steps(
    name: str, most_steps: int, kaps_program: Program
) -> None:
    epsilon = np.array([1.0, 1e-3, 1e-6, 1e-9])
    p = np.stack([epsilon, np.ones(4)], axis=1)
    result = integrate(
        kaps_program, np.ones((4, 2)), p, 0.0, 2.0,
        method=name, rtol=1e-6, atol=np.full(2, 1e-8), threads=1,
    )  # fmt: skip
    np.testing.assert_array_equal(result.status, 0)
    assert np.abs(result.final_state / kaps_at(2.0) - 1.0).max() < 1e-5
    assert result.n_steps.max() < most_steps

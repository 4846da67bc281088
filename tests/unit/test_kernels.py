"""Compiled kernels of every model: right, vectorised, and the same bits in every lane."""

from __future__ import annotations

import platform
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carsim import Assumed, Model, Parameters, State, observable, parameter, state
from carsim.engine.program import Program
from carsim.kernels import compile_model
from carsim.kernels.source import write_source
from carsim.math import abs_, exp, hill, log, maximum, minimum, power, sqrt, tanh, where
from carsim.registry import load_model
from carsim.symbolic.expression import Expression, Graph
from carsim.symbolic.trace import Trace, trace
from carsim.testing import compare_kernels

Array = NDArray[np.float64]

KERNELS = ("derive", "rhs", "jacobian", "time_derivative", "observe", "factor", "solve")
SOURCE = Assumed("test")


class Pools(State):
    a: float = state(1.0, "1", "first", SOURCE)
    b: float = state(2.0, "1", "second", SOURCE)
    c: float = state(0.5, "1", "third", SOURCE)
    d: float = state(0.5, "1", "on its own", SOURCE)
    e: float = state(0.5, "1", "does not change", SOURCE)


class Rates(Parameters):
    k: float = parameter(1.5, "1/day", "rate", SOURCE)
    n: float = parameter(2.5, "1", "steepness", SOURCE)
    m: float = parameter(0.8, "1", "level", SOURCE)


@observable("1", "all in all")
def total(t: float, y: Pools, p: Rates) -> float:
    return y.a + y.b / p.m + log(y.c)


@observable("1", "a number")
def number(t: float, y: Pools, p: Rates) -> float:
    return 3.25


@observable("1", "a parameter")
def level(t: float, y: Pools, p: Rates) -> float:
    return p.m * p.m


def everything(t: float, y: Pools, p: Rates) -> Pools:
    """Each operation that an equation may contain."""
    shared = hill(y.a, p.m, p.n) * p.k
    chosen = where((y.a < y.b) & (y.c > 0.1) | (y.b <= 0.2), y.a / p.m, exp(-y.b))
    return Pools(
        a=shared - power(y.b, 1.5) * p.k + tanh(y.c - p.m) - hill(y.b, p.m, 4),
        b=p.k * chosen - sqrt(y.a * y.b + 1) + abs_(y.a - y.c) * exp(-t) + y.d,
        c=minimum(y.a, p.m * y.c) - maximum(y.b, 1.5) * power(y.a, p.n) / (1 + shared) - y.c**3,
        d=-p.k * y.d,
        e=0.0 * y.a,
    )


MODEL = Model("everything", everything, Pools, Rates, observables=(total, number, level))


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_model(MODEL)


def points(n: int) -> tuple[Array, Array, Array]:
    generator = np.random.default_rng(3)
    y = np.exp(generator.uniform(-3.0, 2.0, (n, 5)))
    p = np.exp(generator.uniform(-1.0, 1.0, (n, 3)))
    return generator.uniform(0.0, 5.0, n), y, p


# --- right ---


def test_every_operation_equals_plain_python(program: Program) -> None:
    assert compare_kernels(MODEL, program) == []
    t, y, p = points(100)
    twin = np.array([MODEL.derivatives(*point) for point in zip(t, y, p, strict=True)])
    np.testing.assert_allclose(program.evaluate_rhs(t, y, p), twin, rtol=1e-12, atol=1e-12)
    seen = MODEL.observe(t, list(y.T), list(p.T))
    for column, values in zip(program.evaluate_observables(t, y, p).T, seen.values(), strict=True):
        np.testing.assert_allclose(column, np.broadcast_to(values, t.shape), rtol=1e-12)


def test_vanished_and_negative_pools_equal_plain_python(program: Program) -> None:
    """Values that runs meet: exactly zero after an extinction, a little below by rounding."""
    t, y, p = points(32)
    y[:, 0] = np.tile([0.0, -1e-9, 1e-300, 0.0], 8)
    y[:, 1] = np.tile([0.0, 0.2, 0.3, -1e-9], 8)
    twin = np.array([MODEL.derivatives(*point) for point in zip(t, y, p, strict=True)])
    np.testing.assert_allclose(program.evaluate_rhs(t, y, p), twin, rtol=1e-12, atol=1e-12)


def test_the_time_derivative_equals_differences(program: Program) -> None:
    t, y, p = points(program.lanes)
    out = np.empty((program.n_states, program.lanes))
    run(program, program.time_derivative, t, y, p, out)
    step = 1e-4
    ahead, back = (program.evaluate_rhs(t + s, y, p) for s in (step, -step))
    np.testing.assert_allclose(out.T, (ahead - back) / (2.0 * step), rtol=1e-6, atol=1e-7)
    assert not program.autonomous


@pytest.mark.slow
def test_published_kernels_equal_plain_python(model_name: str) -> None:
    model = load_model(model_name)
    assert compare_kernels(model, compile_model(model)) == []


def run(program: Program, kernel: Any, t: Array, y: Array, p: Array, out: Array) -> None:
    """One call on a full load of lanes."""
    parameters = np.ones((program.n_all_parameters, program.lanes))
    parameters[: program.n_parameters] = p.T
    flat = parameters.reshape(-1)
    program.derive(program.lanes, flat)
    kernel(program.lanes, t, np.ascontiguousarray(y.T).reshape(-1), flat, out.reshape(-1))


def solve_both_ways(
    program: Program, t: Array, y: Array, p: Array, h: Array
) -> tuple[Array, Array]:
    """``(I / gamma - h J) x = h f + couple`` by the kernels and by dense linear algebra."""
    lanes, size = program.lanes, program.n_states
    inverse_gamma = 1.0 / 0.21
    generator = np.random.default_rng(8)
    f, couple = generator.standard_normal((2, size, lanes))
    jacobian = np.empty((max(program.n_jacobian, 1), lanes))
    run(program, program.jacobian, t, y, p, jacobian)
    factors = np.empty((program.n_factors, lanes))
    smallest = np.empty(lanes)
    x = np.empty((size, lanes))
    program.factor(lanes, jacobian.reshape(-1), h, inverse_gamma, factors.reshape(-1), smallest)
    program.solve(lanes, factors.reshape(-1), f.reshape(-1), couple.reshape(-1), h, x.reshape(-1))
    dense = np.zeros((lanes, size, size))
    for k, (i, j) in enumerate(program.jacobian_positions):
        dense[:, i, j] = jacobian[k]
    matrix = np.eye(size) * inverse_gamma - h[:, None, None] * dense
    right = h[:, None] * f.T + couple.T
    assert np.all(smallest > 0.0)
    return x.T, np.linalg.solve(matrix, right[..., None])[..., 0]


def test_factor_and_solve_equal_dense_linear_algebra(program: Program) -> None:
    t, y, p = points(program.lanes)
    found, expected = solve_both_ways(program, t, y, p, np.geomspace(1e-4, 0.05, program.lanes))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


def test_published_solves_equal_dense_linear_algebra(model_name: str) -> None:
    """At steps of a hundredth of the fastest time, where no matrix is singular by chance."""
    model = load_model(model_name)
    program = compile_model(model)
    y, p = model.initial_state(model.parameter_values(n=program.lanes))
    spread = np.random.default_rng(2).uniform(-0.5, 0.5, y.shape)
    y = np.where(y > 0.0, y, 1.0) * np.exp(spread)
    t = np.zeros(program.lanes)
    rates = np.abs(program.evaluate_jacobian(t, y, p)).sum(axis=2).max(axis=1)
    # Rows are in the units of their states, so that the solutions are compared by row.
    found, expected = solve_both_ways(program, t, y, p, 0.01 / rates)
    scale = np.abs(expected).max(axis=0)
    np.testing.assert_allclose(found / scale, expected / scale, rtol=1e-8, atol=1e-10)


# --- the generated source of random patterns, run in plain Python ---


def plain(source: str) -> dict[str, Any]:
    """The kernels as ordinary functions: packs become slices of arrays."""

    def load(array: Array, offset: int) -> Array:
        return array[offset : offset + 8]

    def store(array: Array, offset: int, value: Any) -> None:
        array[offset : offset + 8] = value

    names: dict[str, Any] = {
        "kernel": lambda signature: lambda function: function,
        "load": load,
        "store": store,
        "repeat": lambda value: np.full(8, value),
        "select": np.where,
        "magnitude": np.abs,
        "square_root": np.sqrt,
        "hyperbolic_tangent": np.tanh,
        "exp": np.exp,
        "log": np.log,
        "inf": np.inf,
        **{name.upper(): None for name in (*KERNELS, "switch")},
    }
    exec(compile(source.split("\n\n\n", 1)[1], "kernels", "exec"), names)
    return names


@st.composite
def patterns(draw: st.DrawFn) -> tuple[int, set[tuple[int, int]]]:
    size = draw(st.integers(1, 9))
    index = st.integers(0, size - 1)
    return size, draw(st.sets(st.tuples(index, index), max_size=4 * size))


def linear(size: int, nonzeros: set[tuple[int, int]]) -> Trace:
    """``y_i' = sum_j p_ij y_j`` over the given positions."""
    graph = Graph()
    time = graph.symbol("t")
    states = tuple(graph.symbol(f"y.{i}") for i in range(size))
    entries = {position: graph.symbol(f"p.{position}") for position in sorted(nonzeros)}
    rows: list[Expression] = [graph.zero] * size
    for (i, j), entry in entries.items():
        rows[i] = rows[i] + entry * states[j]
    return Trace(graph, time, states, tuple(entries.values()), tuple(rows), ())


@settings(max_examples=60, deadline=None)
@given(patterns(), st.integers(0, 2**32 - 1))
def test_generated_elimination_of_random_patterns(
    pattern: tuple[int, set[tuple[int, int]]], seed: int
) -> None:
    size, nonzeros = pattern
    source = write_source(linear(size, nonzeros), 8)
    kernels = plain(source.text)
    generator = np.random.default_rng(seed)
    # Diagonally dominant for h = 0.2: no pivoting is needed.
    p = generator.uniform(-1.0, 1.0, (max(len(nonzeros), 1), 8)) / max(size, 1)
    h = np.full(8, 0.2)
    f, couple = generator.standard_normal((2, size, 8))
    jacobian = np.zeros((max(source.n_jacobian, 1), 8))
    factors, smallest = np.zeros((source.n_factors, 8)), np.zeros(8)
    x = np.zeros((size, 8))
    kernels["jacobian"](8, h, x.ravel(), p.reshape(-1), jacobian.reshape(-1))
    kernels["factor"](8, jacobian.reshape(-1), h, 4.0, factors.reshape(-1), smallest)
    kernels["solve"](8, factors.reshape(-1), f.reshape(-1), couple.reshape(-1), h, x.reshape(-1))
    dense = np.zeros((8, size, size))
    for k, (i, j) in enumerate(source.jacobian_positions):
        dense[:, i, j] = jacobian[k]
    assert set(source.jacobian_positions) == nonzeros
    matrix = 4.0 * np.eye(size) - 0.2 * dense
    expected = np.linalg.solve(matrix, (0.2 * f + couple).T[..., None])[..., 0]
    np.testing.assert_allclose(x.T, expected, rtol=1e-12, atol=1e-13)
    assert np.all((smallest > 3.0) & (smallest <= 4.5))


def test_fill_in_of_the_published_models_is_small(model_name: str) -> None:
    """Markowitz's order; a dense factorisation would have the square of the number of states."""
    program = compile_model(load_model(model_name))
    diagonal = {(i, i) for i in range(program.n_states)}
    present = len(diagonal | set(program.jacobian_positions))
    # The most is 1.31, of park_2025: sixteen cell pools that meet in one signal.
    assert program.n_factors <= 1.35 * present + 2
    if program.n_states > 20:
        assert program.n_factors < 0.3 * program.n_states**2


# --- vectorised ---

ARITHMETIC = r"\tv?(?:add|sub|mul|div|sqrt|max|min|fn?m(?:add|sub)(?:132|213|231))"

x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason=f"counts x86 instructions; this machine is {platform.machine()}",
)


def counts(kernel: Any) -> tuple[int, int, list[str]]:
    """Packed and scalar instructions on doubles, and calls of the mathematical library."""
    (compiled,) = kernel.overloads.values()
    # `inspect_asm` knows nothing of kernels found in the cache; their optimised module does.
    library = compiled.library
    module = library._get_module_for_linking()
    text = str(library.codegen._tm.emit_assembly(module))
    packed = len(re.findall(ARITHMETIC + r"pd\t", text))
    scalar = len(re.findall(ARITHMETIC + r"sd\t", text))
    return packed, scalar, re.findall(r"\b(?:exp|log|pow|sqrt|tanh|fmod)\b(?=\(|@|$)", text)


def kernel_of(program: Program, name: str) -> Any:
    if name == "observe":
        return program.observing(tuple(range(program.n_observables)))
    return getattr(program, name)


@x86
def test_every_operation_is_vectorised(program: Program) -> None:
    for name in KERNELS:
        packed, scalar, _ = counts(kernel_of(program, name))
        assert packed > 0, name
        # The state that does not change has the pivot 1 / gamma in all lanes: one scalar division.
        assert scalar <= (name == "factor"), name


@pytest.mark.slow
@x86
def test_published_kernels_are_vectorised(model_name: str) -> None:
    program = compile_model(load_model(model_name))
    for name in KERNELS:
        packed, scalar, calls = counts(kernel_of(program, name))
        assert scalar <= 1, f"{name}: {packed} packed and {scalar} scalar instructions"
        assert calls == []
        if name in ("rhs", "factor", "solve"):
            assert packed >= program.n_states, name


# --- the same in every lane ---


@pytest.fixture(scope="module")
def narrow_and_wide() -> tuple[Program, Program]:
    return compile_model(MODEL, lanes=8), compile_model(MODEL, lanes=16)


def test_eight_and_sixteen_lanes_have_the_same_bits(
    narrow_and_wide: tuple[Program, Program],
) -> None:
    t, y, p = points(100)
    for evaluate in ("evaluate_rhs", "evaluate_jacobian", "evaluate_observables"):
        narrow, wide = (getattr(program, evaluate)(t, y, p) for program in narrow_and_wide)
        np.testing.assert_array_equal(narrow, wide)


def test_a_lane_does_not_know_its_neighbors(program: Program) -> None:
    t, y, p = points(50)
    whole = program.evaluate_rhs(t, y, p)
    y[7] = np.nan
    np.testing.assert_array_equal(
        np.delete(program.evaluate_rhs(t, y, p), 7, axis=0), np.delete(whole, 7, axis=0)
    )
    for first in (1, 3, 30):
        np.testing.assert_array_equal(
            program.evaluate_rhs(t[first:], y[first:], p[first:])[40 - first :], whole[40:]
        )


# --- what a program is ---


def test_equal_equations_have_equal_kernels() -> None:
    again = write_source(trace(MODEL), 16)
    assert again.text == write_source(trace(MODEL), 16).text
    assert again.digest != write_source(trace(MODEL), 8).digest


def test_some_observables_are_those_of_all(program: Program) -> None:
    """A kernel of one observable fills its place, and no other."""
    t, y, p = points(program.lanes)
    everything = program.evaluate_observables(t, y, p)
    parameters = np.ones((program.n_all_parameters, program.lanes))
    parameters[: program.n_parameters] = p.T
    program.derive(program.lanes, parameters.reshape(-1))
    for number in range(program.n_observables):
        out = np.full((program.n_observables, program.lanes), np.nan)
        observe = program.observing((number,))
        observe(program.lanes, t, y.T.copy().reshape(-1), parameters.reshape(-1), out.reshape(-1))
        np.testing.assert_array_equal(out[number], everything[:, number])
        assert np.all(np.isnan(np.delete(out, number, axis=0)))
    names = [o.name for o in MODEL.observables]
    read = dict(zip(names, program.reads, strict=False))
    for name, states in read.items():
        shifted = y.copy()
        unread = [i for i in range(program.n_states) if i not in states]
        shifted[:, unread] = np.nan
        seen = program.evaluate_observables(t, shifted, p)
        np.testing.assert_array_equal(seen[:, names.index(name)], everything[:, names.index(name)])


def test_functions_of_parameters_are_computed_once_a_patient() -> None:
    """``1 / m``, ``log(m)`` and the like are stored, not evaluated in every step."""
    source = write_source(trace(MODEL), 16)
    rhs = source.text.split("def rhs")[1].split("@kernel")[0]
    assert source.n_derived >= 3
    # One logarithm each for hill(a, m, n) and power(b, 1.5) is of states; that of m is stored.
    assert len(re.findall(r"\blog\(", rhs)) <= 2


def test_programs_are_kept() -> None:
    assert compile_model(MODEL) is compile_model(MODEL)

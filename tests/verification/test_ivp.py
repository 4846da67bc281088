"""Stiff problems of the Test Set for IVP Solvers, against its solutions and against LSODA.

scd, the number of significant correct digits, is ``-log10 max |y - ref| / |ref|`` at the end; mescd
adds ``atol / rtol`` to the denominator.

The absolute tolerances are chosen by the size of what must be resolved, the same for both solvers:
HIRES 1e-4 rtol (states down to 6e-5); ROBER 1e-8, 1e-14 and 1e-6 rtol (states end at 2e-8, 8e-14
and 1); OREGO 1e-6 rtol (states from 1 up); E5 1.7e-24 (states of 1e-22, as in the Test Set).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import odeint

from carsim.engine.integrate import integrate
from carsim.engine.plan import Save, Trajectories
from carsim.engine.program import Program
from carsim.kernels import compile_model
from carsim.model import Model
from carsim.registry import load_model

Array = NDArray[np.float64]

HERE = Path(__file__).resolve().parent
RTOLS = 10.0 ** -np.arange(4.0, 11.0)

ATOL: dict[str, Callable[[float], Array]] = {
    "hires": lambda rtol: np.full(8, 1e-4 * rtol),
    "rober": lambda rtol: np.array([1e-8, 1e-14, 1e-6]) * rtol,
    "orego": lambda rtol: np.full(3, 1e-6 * rtol),
    "e5": lambda rtol: np.full(4, 1.7e-24),
}


@dataclass(frozen=True)
class Problem:
    """One problem with its solution at the end."""

    name: str
    model: Model
    program: Program
    start: float
    stop: float
    y0: Array
    p: Array
    reference: Array

    def run(self, rtol: float, method: str = "rodas5p", save: Save | None = None) -> Trajectories:
        result = integrate(
            self.program, self.y0[None], self.p[None], self.start, self.stop,
            method=method, rtol=rtol, atol=ATOL[self.name](rtol), save=save, threads=1,
        )  # fmt: skip
        assert result.status[0] == 0
        return result

    def lsoda(self, rtol: float) -> Array:
        p = self.model.parameter_record(self.p.tolist())

        def rhs(t: float, y: Array) -> list[float]:
            return self.model.flatten(self.model.rhs(t, self.model.state_record(y.tolist()), p))

        times = [self.start, self.stop]
        solution = odeint(
            rhs, self.y0, times, tfirst=True, rtol=rtol, atol=ATOL[self.name](rtol), mxstep=10**6
        )
        return np.asarray(solution[-1])

    def scd(self, y: Array) -> float:
        return float(-np.log10(np.max(np.abs(y / self.reference - 1.0))))

    def mescd(self, y: Array, rtol: float) -> float:
        floor = ATOL[self.name](rtol) / rtol
        error = np.abs(y - self.reference) / (floor + np.abs(self.reference))
        return float(-np.log10(np.max(error)))


class Shelf:
    """Problems by name, each compiled when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self.data = json.loads(path.read_text())["problems"]
        self.known: dict[str, Problem] = {}

    def __getitem__(self, name: str) -> Problem:
        if name not in self.known:
            data = self.data[name]
            model = load_model(str(HERE / "stiff" / f"{name}.py"))
            start, stop = map(float, data["t"])
            self.known[name] = Problem(
                name,
                model,
                compile_model(model),
                start,
                stop,
                np.array(data["y0"], dtype=np.float64),
                model.parameter_values()[0],
                np.array(data["ref"], dtype=np.float64),
            )
        return self.known[name]


@pytest.fixture(scope="module")
def shelf(suites: Path) -> Shelf:
    return Shelf(suites / "ivp" / "ivp_problems.json")


each_problem = pytest.mark.parametrize("name", ATOL)
each_scored = pytest.mark.parametrize("name", ["hires", "rober", "orego"])


@each_problem
def test_the_equations_are_those_of_the_suite(shelf: Shelf, name: str) -> None:
    problem, data = shelf[name], shelf.data[name]
    assert data["states"] == list(problem.model.state_names)
    y = np.random.default_rng(4).uniform(0.5, 2.0, len(problem.y0))
    # Otherwise sympify would take E5's C and M for something else.
    names = {n: sympy.Symbol(n) for n in (*data["states"], *(data["params"] or {}))}
    values = {names[n]: v for n, v in zip(data["states"], y, strict=True)}
    values |= {names[n]: v for n, v in (data["params"] or {}).items()}
    expected = [float(sympy.sympify(f, locals=names).subs(values)) for f in data["rhs"]]
    np.testing.assert_allclose(
        problem.program.evaluate_rhs(np.zeros(1), y[None], problem.p[None])[0], expected, rtol=1e-12
    )
    np.testing.assert_array_equal(problem.y0, problem.model.initial_state(problem.p[None])[0][0])


@each_scored
@pytest.mark.parametrize("method", ["rodas5p", "rodas4"])
def test_at_least_as_many_digits_as_lsoda(shelf: Shelf, name: str, method: str) -> None:
    problem = shelf[name]
    for rtol in RTOLS:
        mine = problem.scd(problem.run(rtol, method).final_state[0])
        assert mine >= problem.scd(problem.lsoda(rtol)) - 0.3, rtol


@each_scored
def test_the_error_is_of_the_size_of_the_tolerance(shelf: Shelf, name: str) -> None:
    """At worst ten times rtol in the worst component, after thousands of steps."""
    problem = shelf[name]
    for rtol in RTOLS:
        assert problem.scd(problem.run(rtol).final_state[0]) >= -np.log10(10.0 * rtol), rtol


@pytest.mark.parametrize("method", ["rodas5p", "rodas4"])
def test_e5_does_not_blow_up(shelf: Shelf, method: str) -> None:
    """Thirteen decades of time, states between 1e-3 and 1e-291; y2 - y3 - y4 is conserved.

    An integrator that lets y3 turn negative runs away. Digits of y2 and y3 at the end (9e-23) are
    out of reach of doubles: ``A y1 = 1e-12`` is rounded at 1e-28 and a step is up to 1e12 long.
    What is left of them, 1e-22 to 6e-20, depends on the processor, and so does mescd where that is
    what it counts. At rtol 1e-10, with a floor of 1.7e-14, it counts nothing else: left out.
    """
    problem = shelf["e5"]
    for rtol in RTOLS:
        y = problem.run(rtol, method).final_state[0]
        atol = ATOL["e5"](rtol)
        assert np.all(y >= -atol)
        assert np.all(y <= 1e-19)
        if rtol > 1.5e-10:
            rounding = problem.mescd(problem.reference + [0.0, 6e-20, 6e-20, 0.0], rtol)
            least = min(problem.mescd(problem.lsoda(rtol), rtol) - 0.3, rounding)
            assert problem.mescd(y, rtol) >= least, rtol


@pytest.mark.parametrize("name", ["rober", "orego"])
def test_the_error_is_proportional_to_the_tolerance(shelf: Shelf, name: str) -> None:
    problem = shelf[name]
    errors = [10.0 ** -problem.scd(problem.run(rtol).final_state[0]) for rtol in RTOLS]
    assert 0.8 <= slope(RTOLS, errors) <= 1.2


def test_sums_that_the_equations_conserve_are_conserved(shelf: Shelf) -> None:
    for name, columns in (("rober", [0, 1, 2]), ("hires", [6, 7])):
        problem = shelf[name]
        times = np.geomspace(1e-4, problem.stop, 60)
        for method in ("rodas5p", "rodas4"):
            for rtol in (1e-3, 1e-6, 1e-9):
                course = problem.run(rtol, method, Save(times, np.array(columns))).saved[:, 0]
                total = problem.y0[columns].sum()
                assert np.abs(course.sum(axis=0) / total - 1.0).max() <= min(10.0 * rtol, 1e-11)


# --- models of the library ---


def published(name: str) -> tuple[Model, Program]:
    pytest.importorskip("carsim_models")
    model = load_model(f"carsim_models.{name}")
    return model, compile_model(model)


def slope(rtols: Array, errors: list[float]) -> float:
    return float(np.polyfit(np.log(rtols), np.log(errors), 1)[0])


@pytest.mark.parametrize("method", ["rodas5p", "rodas4", "dormand_prince"])
def test_leon_triana_s_error_is_proportional_to_the_tolerance(method: str) -> None:
    model, program = published("leon_triana_2021")
    y0, p = model.initial_state(model.parameter_values())

    def final(rtol: float) -> Array:
        # States of 1e5 to 1e11 cells: the tolerance is relative for all of them.
        result = integrate(
            program, y0, p, 0.0, 100.0, method=method, rtol=rtol, atol=np.full(3, 1e-2 * rtol),
            threads=1,
        )  # fmt: skip
        return np.asarray(result.final_state[0])

    exact = final(1e-13)
    errors = [float(np.abs(final(rtol) / exact - 1.0).max()) for rtol in RTOLS]
    assert 0.8 <= slope(RTOLS, errors) <= 1.2
    assert np.all(errors <= 50.0 * RTOLS)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["stein_2019", "dahari_2009", "kimmel_2021"]),
    st.sampled_from([1e-4, 1e-5, 1e-7]),
)
def test_pools_stay_positive(seed: int, name: str, rtol: float) -> None:
    """200 patients with all parameters up to threefold larger or smaller, one year."""
    model, program = published(name)
    generator = np.random.default_rng(seed)
    table = model.parameter_values(n=200)
    bounds = np.array([(field.lower, field.upper) for field in model.parameters])
    spread = np.exp(0.5 * generator.standard_normal(table.shape))
    y0, p = model.initial_state(np.clip(table * spread, bounds[:, 0], bounds[:, 1]))
    possible = np.isfinite(y0).all(axis=1) & (y0 >= 0.0).all(axis=1)
    y0, p = y0[possible], p[possible]
    atol = np.array([field.atol for field in model.states])
    result = integrate(
        program, y0, p, 0.0, 365.0, rtol=rtol, atol=atol, floors=np.zeros(len(atol)),
        save=Save(np.linspace(0.0, 365.0, 366), np.arange(len(atol))),
    )  # fmt: skip
    np.testing.assert_array_equal(result.status, 0)
    assert np.all(result.saved >= -atol[:, None, None])

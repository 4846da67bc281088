"""What depends on the time alone is landed on, not stepped over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carsim import (
    AreaUnder,
    FirstAbove,
    Maximum,
    Model,
    ModelError,
    Parameters,
    ScenarioError,
    Solver,
    State,
    TimeAbove,
    TimeOfMaximum,
    Window,
    parameter,
    simulate,
    state,
)
from carsim.engine.tableaus import METHODS
from carsim.kernels.compile import compile_model
from carsim.math import where
from tests.unit.steep import CLOCKED, HIDDEN, SOURCE

each_method = pytest.mark.parametrize("method", METHODS)


@each_method
def test_pulses_of_any_width_are_seen(method: str) -> None:
    rng = np.random.default_rng(4)
    start = rng.uniform(40.0, 60.0, 60)
    width = np.geomspace(0.01, 20.0, 60)
    result = simulate(
        CLOCKED, stop=100.0, save_at=[100.0], outputs=["area", "until"],
        parameters={"start": start, "width": width},
        metrics={"peak": Maximum("pulse"), "when": TimeOfMaximum("pulse")},
        solver=Solver(method=method),
    )  # fmt: skip
    np.testing.assert_allclose(result.peak, 100.0 * -np.expm1(-width), rtol=1e-6)
    # A longer one is flat at its end.
    short = width < 5.0
    np.testing.assert_allclose(result.when[short], (start + width)[short], rtol=1e-12)
    np.testing.assert_allclose(result.area[:, 0], 100.0 * width, rtol=1e-6)
    np.testing.assert_allclose(result.until[:, 0], 100.0 - start, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 100.0), st.floats(0.0, 30.0), st.floats(0.2, 3.0))
def test_a_random_pulse(start: float, width: float, k: float) -> None:
    result = simulate(
        CLOCKED, stop=100.0, save_at=[100.0], outputs=["pulse"],
        parameters={"start": start, "width": max(width, 1e-3), "k": k},
        metrics={"covered": AreaUnder("shown"), "lasts": TimeAbove("shown", 0.5)},
    )  # fmt: skip
    width = max(width, 1e-3)
    end = min(start + width, 100.0)
    right = 100.0 / k * -np.expm1(-k * (end - start)) * np.exp(-k * (100.0 - end))
    assert float(result.pulse[0]) == pytest.approx(right, rel=2e-5, abs=1e-4)
    assert float(result.covered) == pytest.approx(end - start, rel=1e-6, abs=1e-9)
    assert float(result.lasts) == pytest.approx(end - start, rel=1e-6, abs=1e-9)


def test_an_observable_has_the_value_behind_its_edge() -> None:
    result = simulate(
        CLOCKED, stop=100.0, save_at=[49.9, 50.0, 50.4, 50.5], outputs=["shown"],
        metrics={"peak": Maximum("shown"), "first": FirstAbove("shown", 0.5)},
    )  # fmt: skip
    np.testing.assert_array_equal(result["shown"], [0.0, 1.0, 1.0, 0.0])
    assert (float(result.peak), float(result["first"])) == (1.0, 50.0)


def test_a_switch_follows_its_parameter() -> None:
    """A window moves the end of the pulse while it lasts, and another one its beginning."""
    result = simulate(
        CLOCKED, stop=100.0, save_at=[100.0], outputs=["until"],
        therapy={"earlier": Window("start", start=20.0, stop=30.0, value=10.0)},
    )  # fmt: skip
    # From 20 to 30 it holds, as 20 is behind 10; then from 50 on.
    assert float(result.until[0]) == pytest.approx(60.0, rel=1e-9)


def test_kernels_agree_with_the_twin_at_any_time() -> None:
    program = compile_model(CLOCKED)
    t = np.array([0.0, 49.75, 50.0, 50.2, 50.5, 51.0, 80.0])
    y = np.full((len(t), 5), 0.3)
    p = np.repeat(CLOCKED.parameter_values(), len(t), axis=0)
    twin = CLOCKED.derivatives(t, list(y.T), list(p.T))
    np.testing.assert_allclose(
        program.evaluate_rhs(t, y, p).T, np.broadcast_arrays(*twin), rtol=1e-12
    )
    shown = CLOCKED.observe(t, list(y.T), list(p.T))["shown"]
    np.testing.assert_array_equal(program.evaluate_observables(t, y, p)[:, 0], shown)


def test_a_smooth_burst_needs_a_largest_step() -> None:
    right = 100.0 * 0.18 * np.sqrt(np.pi)
    given = {"width": 0.18, "start": 61.0, "height": 100.0}
    seen = simulate(
        CLOCKED, stop=100.0, save_at=[100.0], outputs=["burst"], parameters=given,
        solver=Solver(max_step=0.2),
    )  # fmt: skip
    assert float(seen.burst[0]) == pytest.approx(right, rel=1e-4)


def test_a_comparison_that_is_not_linear_in_time_is_refused() -> None:
    class Y(State):
        x: float = state(0.0, "1", "x")

    class P(Parameters):
        a: float = parameter(50.0, "day^2", "a", SOURCE)

    def rhs(t: float, y: Y, p: P) -> Y:
        return Y(x=where(t * t > p.a, 1.0, 0.0))

    model = Model("curved", rhs, Y, P)
    with pytest.raises(ModelError, match=r"d\(x\)/dt.*not linear in t.*Window.*Infusion"):
        simulate(model, stop=10.0)


@pytest.mark.parametrize("output", ["burst", "valley"])
def test_the_check_of_tolerances_sees_what_they_hide(output: str) -> None:
    """A burst between two steps, and a state that nearly vanishes and comes back."""
    result = simulate(HIDDEN, stop=40.0, save_at=[40.0], outputs=[output], check_tolerance=True)
    text = result.attrs["tolerance_check"]
    assert float(text.split("difference ")[1].split(" ")[0]) > 0.5
    stricter = Solver(rtol=1e-6, atol_scale=1e-6, max_step=0.04)
    right = {"burst": 0.05 * np.sqrt(np.pi), "valley": 1.0}
    assert float(result[output][0]) != pytest.approx(right[output], rel=0.1)
    seen = simulate(HIDDEN, stop=40.0, save_at=[40.0], outputs=[output], solver=stricter)
    assert float(seen[output][0]) == pytest.approx(right[output], rel=1e-4)


@pytest.mark.parametrize(
    ("field", "words"), [("max_step", "Give a time above 0"), ("atol_scale", "Give a factor")]
)
def test_impossible_settings_are_refused(field: str, words: str) -> None:
    given: dict[str, Any] = {field: 0.0}
    with pytest.raises(ScenarioError, match=f"solver: {field} = 0.0. {words}"):
        Solver(**given)

"""Steady states of drugs whose elimination saturates, and of a switch: right, or refused in words.

Of c' = -V c / (K + c) an interval of length 1 takes the peak p to p - d, with K log(p / (p - d)) +
d = V; so the peak is d + d / expm1((V - d) / K), and there is none unless d < V.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq

from carsim import (
    Assumed,
    Dose,
    Infusion,
    Model,
    Parameters,
    Rule,
    ScenarioError,
    SetParameter,
    Solver,
    State,
    load_model,
    parameter,
    simulate,
    state,
)
from carsim.engine.status import Status
from carsim.errors import SolverError
from carsim.math import where
from carsim.therapy import Item
from tests.steady_states import draw

Array = NDArray[np.float64]

MODEL: Model = load_model(str(Path(__file__).parent / "saturable.py"))
DECADES = 10.0 ** np.arange(-9.0, 4.0, 3.0)


def start(item: Item, name: str = "drug", **parameters: Any) -> tuple[Array, NDArray[np.int64]]:
    """Values of a state at the record, and statuses, of patients."""
    result = simulate(
        MODEL,
        therapy={"a": item},
        parameters=parameters,
        stop=1e-3,
        save_at=[0.0],
        outputs=[name],
    )
    return result[name].values[..., 0], result["status"].values


def peak(dose: Array, capacity: Array, half: Array) -> Array:
    return dose + dose / np.expm1((capacity - dose) / half)


def daily(dose: Array | float, into: str = "iv", **more: Any) -> Dose:
    return Dose(into, dose, at=0.0, every=1.0, count=1, **{"steady_state": 1, **more})


def test_doses_of_every_scale_and_share_of_the_capacity() -> None:
    share = np.array([0.001, 0.5, 0.9, 0.99, 0.999, 0.9999])
    dose, scale = (each.reshape(-1) for each in np.meshgrid(10.0 * share, DECADES))
    dose, capacity, half = dose * scale, 10.0 * scale, 2.0 * scale
    found, status = start(daily(dose), V=capacity, K=half)
    assert np.all(status == 0)
    np.testing.assert_allclose(found, peak(dose, capacity, half), rtol=1e-7)


def test_random_doses_below_and_beyond_the_capacity() -> None:
    drawn = draw(200, 2)
    assert np.all(drawn.status[drawn.ratio >= 1.0] == Status.NO_STEADY_STATE)
    below = drawn.ratio < 0.99
    assert np.all(drawn.status[below] == 0)
    assert drawn.error[below].max() < 1e-6
    near = (drawn.ratio > 0.99) & (drawn.ratio < 1.0) & (drawn.status == 0)
    assert drawn.error[near].max(initial=0.0) < 1e-4


@settings(max_examples=10, deadline=None)
@given(st.floats(-9.0, 3.0), st.floats(0.05, 20.0), st.floats(0.01, 1.5).filter(lambda r: r != 1.0))
def test_any_dose(decade: float, half: float, share: float) -> None:
    capacity = np.array([10.0**decade])
    found, status = start(daily(share * capacity), V=capacity, K=half * capacity)
    if share > 1.0:
        assert status[0] == Status.NO_STEADY_STATE
        assert np.isnan(found[0])
    elif share < 0.99:
        np.testing.assert_allclose(
            found, peak(share * capacity, capacity, half * capacity), rtol=1e-6
        )


@pytest.mark.parametrize("half", [1e-9, 1e-4])
def test_elimination_of_almost_zero_order(half: float) -> None:
    """What enters is gone before the next dose, or never."""
    found, status = start(daily(np.array([1e-12, 1.0, 9.0, 10.5])), K=half)
    np.testing.assert_allclose(found[:3], [1e-12, 1.0, 9.0], rtol=1e-6)
    assert status.tolist() == [0, 0, 0, Status.NO_STEADY_STATE]


def test_infusions() -> None:
    """The state at the end of the infusion has the closed form of one interval without it."""
    rate, duration = np.array([8.0, 19.0, 21.0, 30.0]), 0.5
    infusion = Infusion("iv", 0.0, rate=rate, duration=duration, every=1.0, count=1, steady_state=1)
    found, status = start(infusion)
    assert status.tolist() == [0, 0, Status.NO_STEADY_STATE, Status.NO_STEADY_STATE]
    for value, r in zip(found[:2], rate, strict=False):
        # The time from the trough up to what the rest of the interval takes down to the trough.
        def left(top: float, trough: float = value) -> float:
            return float(2.0 * np.log(top / trough) + top - trough - 10.0 * (1.0 - duration))

        top = brentq(left, value, value + 10.0, xtol=1e-13)
        took, _ = quad(lambda c, r=r: 1.0 / (r - 10.0 * c / (2.0 + c)), value, top, epsabs=1e-12)
        np.testing.assert_allclose(took, duration, rtol=1e-6)


def test_infusions_longer_than_the_interval() -> None:
    """Two run at a time: in the steady state that is a constant rate."""
    rate = np.array([2.0, 4.9, 5.0, 6.0])
    long = Infusion("iv", 0.0, rate=rate, duration=2.0, every=1.0, count=1, steady_state=1)
    found, status = start(long)
    np.testing.assert_allclose(found[:2], 2.0 * 2 * rate[:2] / (10.0 - 2 * rate[:2]), rtol=1e-7)
    assert status.tolist() == [0, 0, Status.NO_STEADY_STATE, Status.NO_STEADY_STATE]


@pytest.mark.parametrize("scale", DECADES)
@pytest.mark.parametrize("fast", [1e-4, 1.0, 1e6])
def test_constant_rates(scale: float, fast: float) -> None:
    """Free of the unit of amount and of that of time."""
    rate = scale * fast * np.array([1e-6, 5.0, 9.9, 9.99, 10.0, 10.1, 15.0])
    constant = Infusion("iv", 0.0, rate=rate, duration=0.0, steady_state=1)
    capacity, half = 10.0 * scale * fast, 2.0 * scale
    found, status = start(constant, V=capacity, K=half)
    np.testing.assert_allclose(found[:4], half * rate[:4] / (capacity - rate[:4]), rtol=1e-7)
    assert np.all(status[4:] == Status.NO_STEADY_STATE)


def test_a_steady_state_that_is_added() -> None:
    dose = np.array([9.0, 11.0])
    found, status = start(daily(dose, steady_state=2))
    np.testing.assert_allclose(found[0], peak(dose, np.full(2, 10.0), np.full(2, 2.0))[0])
    assert status.tolist() == [0, Status.NO_STEADY_STATE]


@pytest.mark.parametrize("lag", [0.3, 2.3])
def test_a_dose_that_lags(lag: float) -> None:
    """The peak comes with the lag; before it, what is left of the dose before."""
    result = simulate(
        MODEL,
        therapy={"a": Dose("iv", 9.0, at=0.0, every=1.0, count=4, lag=lag, steady_state=1)},
        stop=1.0,
        save_at=[0.3],
        outputs=["drug"],
        solver=Solver(rtol=1e-9),
    )
    np.testing.assert_allclose(result["drug"], peak(*map(np.array, (9.0, 10.0, 2.0))), rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_tablets_against_an_independent_solver(scale: float) -> None:
    dose = np.array([5.0, 9.5, 10.2]) * scale
    found, status = start(daily(dose, "oral"), V=10.0 * scale, K=2.0 * scale)
    assert status.tolist() == [0, 0, Status.NO_STEADY_STATE]
    for d, value in zip(dose[:2] / scale, found[:2] / scale, strict=True):
        depot = d / -np.expm1(-3.0)

        def rates(t: float, y: Array) -> list[float]:
            return [-3.0 * y[0], 3.0 * y[0] - 10.0 * y[1] / (2.0 + y[1])]

        end = solve_ivp(rates, (0.0, 1.0), [depot, value], "LSODA", rtol=1e-12, atol=1e-14).y[1, -1]
        np.testing.assert_allclose(end, value, rtol=1e-8)


def test_of_several_steady_states_the_one_that_the_doses_reach() -> None:
    """Small pushes leave the switch off, larger ones turn it on: as 300 of them do one by one."""
    push = np.array([0.02, 0.1, 0.15, 0.2, 0.3, 1.0])
    given = Dose("signal", push, at=0.0, every=1.0, count=301)
    result = simulate(
        MODEL,
        therapy={"a": given},
        stop=300.5,
        save_at=[300.0],
        outputs=["switch"],
        solver=Solver(rtol=1e-9),
    )
    for scale in DECADES:
        found, _ = start(daily(push * scale, "signal"), "switch", made=2.0 * scale, half=scale)
        np.testing.assert_allclose(found / scale, result["switch"][:, 0], rtol=1e-6)
    assert found[0] / scale < 0.1
    assert found[-1] / scale > 2.0


def test_who_has_no_steady_state_changes_nobody_else() -> None:
    dose = np.tile([4.0, 11.0, 9.9, 15.0, 9.0], 6)
    therapy = {"a": Dose("iv", dose, at=2.0, every=1.0, count=3, steady_state=1)}
    times = [0.0, 1.0, 2.0, 2.5, 6.0]
    one, other = (
        simulate(MODEL, therapy=therapy, stop=7.0, save_at=times, outputs=["drug"], solver=solver)
        for solver in (Solver(threads=1), Solver(threads=2, block_size=7))
    )
    np.testing.assert_array_equal(one["drug"], other["drug"])
    np.testing.assert_array_equal(one["status"], other["status"])
    failed = dose > 10.0
    assert np.all(one["status"].values[failed] == Status.NO_STEADY_STATE)
    assert np.isnan(one["drug"].values[failed]).all()
    kept = {"a": therapy["a"].select(np.s_[0:1])}
    alone = simulate(MODEL, therapy=kept, stop=7.0, save_at=times, outputs=["drug"])
    np.testing.assert_array_equal(one["drug"][0], alone["drug"][0])
    assert "12 of 30 patients failed (12 no_steady_state)" in one.attrs["failures"]


def test_words_say_which_item_when_and_what_to_do() -> None:
    late = Dose("iv", 12.0, at=2.0, every=1.0, count=1, steady_state=1)
    words = (
        r"stopped at t = 2 day of 5: therapy.late: as much enters in an interval as can leave, or "
        r"more, so that there is no steady state. Lower the dose .*leave steady_state out"
    )
    with pytest.raises(SolverError, match=words):
        simulate(MODEL, therapy={"late": late}, stop=5.0, on_failure="raise")


def test_a_dose_at_exactly_the_capacity() -> None:
    with pytest.raises(SolverError, match="as much enters"):
        simulate(MODEL, therapy={"a": daily(10.0)}, stop=5.0, on_failure="raise")


class Clocked(State):
    """Emptied faster at night."""

    drug: float = state(0.0, "mg", "drug")


class ClockedParameters(Parameters):
    """Its rate constant."""

    k: float = parameter(1.0, "1/day", "elimination", Assumed("test"))


def clocked(t: float, y: Clocked, p: ClockedParameters) -> Clocked:
    """The rate constant doubles on day 3."""
    return Clocked(drug=-p.k * where(t > 3.0, 2.0, 1.0) * y.drug)


CLOCKED = Model("clocked", clocked, Clocked, ClockedParameters)


def test_equations_that_depend_on_the_time_have_no_steady_state() -> None:
    with pytest.raises(ScenarioError, match=r"the equation of 'drug' depends on the time"):
        simulate(CLOCKED, stop=5.0, therapy={"a": daily(1.0, "drug")})


def test_what_a_rule_changes_before_a_steady_state_is_refused() -> None:
    therapy: dict[str, Item] = {
        "a": Dose("iv", 1.0, at=2.0, every=1.0, steady_state=1),
        "change": Rule(at=[1.0], do=SetParameter("V", 20.0)),
    }
    with pytest.raises(ScenarioError, match=r"a rule changes 'V', which the steady state"):
        simulate(MODEL, stop=5.0, therapy=therapy)
    # At the start no rule has changed anything.
    at_start = {**therapy, "a": daily(1.0)}
    assert int(simulate(MODEL, stop=5.0, therapy=at_start).status) == 0

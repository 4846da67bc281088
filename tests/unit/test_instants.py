"""One instant: doses, visits, located events and saved times that differ by rounding only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carsim import (
    Dose,
    Infusion,
    Model,
    Parameters,
    Rule,
    State,
    ValueAt,
    observable,
    parameter,
    simulate,
    state,
)
from tests.unit.steep import SOURCE


class Bag(State):
    """What was given, nothing leaves."""

    x: float = state(0.0, "1", "amount")


class BagParameters(Parameters):
    """Losses, and the time of an event."""

    k: float = parameter(0.0, "1/day", "loss", SOURCE)
    when: float = parameter(1.0, "day", "time of the event", SOURCE)


def rhs(t: float, y: Bag, p: BagParameters) -> Bag:
    """Loss."""
    return Bag(x=-p.k * y.x)


@observable("day", "time since the event")
def since(t: float, y: Bag, p: BagParameters) -> float:
    """Zero at the event."""
    return t - p.when


BAG = Model("bag", rhs, Bag, BagParameters, observables=[since])


def test_repeated_doses_and_a_grid_of_multiples() -> None:
    grid = np.arange(10, dtype=np.float64) * 0.7
    result = simulate(
        BAG, stop=7.0, save_at=grid, outputs=["x"],
        therapy={"doses": Dose("x", 100.0, at=0.0, every=0.7, count=10)},
    )  # fmt: skip
    np.testing.assert_array_equal(result.x, 100.0 * np.arange(1, 11))


@pytest.mark.parametrize(
    ("given", "saved"),
    [(0.1 + 0.2, 0.3), (0.3, 0.1 + 0.2), (5 / 24, 5 * (1 / 24)), (1e6 + 1e-7, 1e6)],
)
def test_a_dose_and_a_saved_time(given: float, saved: float) -> None:
    result = simulate(
        BAG, stop=saved + 5.0, save_at=[saved], outputs=["x"],
        therapy={"dose": Dose("x", 100.0, at=given)}, metrics={"then": ValueAt("x", saved)},
    )  # fmt: skip
    assert (float(result.x[0]), float(result.then)) == (100.0, 100.0)


def test_what_is_no_longer_one_instant() -> None:
    result = simulate(
        BAG, stop=5.0, save_at=[1.0], outputs=["x"],
        therapy={"dose": Dose("x", 100.0, at=1.0 + 4e-12)},
    )  # fmt: skip
    assert float(result.x[0]) == 0.0


def test_a_located_event_and_a_saved_time() -> None:
    rng = np.random.default_rng(3)
    result = simulate(
        BAG, stop=3.0, save_at=[1.0], outputs=["x"], parameters={"k": rng.lognormal(0.0, 2.0, 400)},
        therapy={"event": Rule("since", above=0.0, do=Dose("x", 1000.0))},
    )  # fmt: skip
    assert (result.x.values[:, 0] >= 999.0).all()


def test_a_visit_looks_before_what_is_given_then() -> None:
    """Also at the very start, and where the dose comes a rounding before the visit."""
    for first in (0.0, 0.3, 0.1 + 0.2):
        result = simulate(
            BAG, stop=2.0, save_at=[],
            therapy={
                "dose": Dose("x", 5.0, at=first),
                "look": Rule("x", above=1.0, at=[0.0, 0.3, 1.0], limit=1),
            },
        )  # fmt: skip
        seen = float(result.event_time[0])
        assert seen == (0.3 if first == 0.0 else 1.0)


@pytest.mark.parametrize(("at", "duration"), [(1e5 + 1.0, 1e-7), (1e5 + 1.0, 1e-8), (2e6, 1e-6)])
def test_an_infusion_shorter_than_an_instant_is_a_bolus(at: float, duration: float) -> None:
    result = simulate(
        BAG, stop=at + 2.0, save_at=[at + 0.5], outputs=["x"], parameters={"k": 0.01},
        therapy={"fast": Infusion("x", start=at, duration=duration, amount=6.05)},
    )  # fmt: skip
    assert float(result.x[0]) == pytest.approx(6.05 * np.exp(-0.005), rel=1e-6)
    assert int(result.doses_given[0]) == 1


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_coinciding_instants_by_any_arithmetic(data: st.DataObject) -> None:
    """Doses at k * step, saved at sums of steps: each is the value after the dose."""
    step = data.draw(st.floats(0.01, 7.0))
    offset = data.draw(st.floats(-20.0, 1000.0))
    count = data.draw(st.integers(2, 40))
    sums: NDArray[np.float64] = np.cumsum(np.full(count, step)) - step + offset
    products = offset + step * np.arange(count, dtype=np.float64)
    times = data.draw(st.permutations([sums, products]))
    result = simulate(
        BAG, start=min(offset - 1.0, 0.0), stop=offset + step * (count + 1), outputs=["x"],
        save_at=times[0], therapy={"doses": Dose("x", 1.0, at=tuple(times[1]))},
    )  # fmt: skip
    np.testing.assert_array_equal(result.x, np.arange(1, count + 1))

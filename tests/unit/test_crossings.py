"""Rules, metrics and the event log agree on whether and when a threshold is crossed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from carsim import (
    AreaUnder,
    Assumed,
    FirstAbove,
    FirstBelow,
    Maximum,
    Model,
    Parameters,
    Rule,
    State,
    TimeAbove,
    TimeOfMaximum,
    observable,
    parameter,
    simulate,
    state,
)
from carsim.math import minimum, where

SOURCE = Assumed("test")


class Swing(State):
    """A sine, and a straight line."""

    sine: float = state(0.0, "1", "amplitude times sin", signed=True)
    cosine: float = state(1.0, "1", "amplitude times cos", signed=True)
    line: float = state(3.0, "1", "rises by 0.04 a day")


class SwingParameters(Parameters):
    """How fast, how high."""

    w: float = parameter(1.0, "1/day", "angular frequency", SOURCE)
    slope: float = parameter(0.04, "1/day", "slope", SOURCE)


def rhs(t: float, y: Swing, p: SwingParameters) -> Swing:
    """Circle and line."""
    return Swing(sine=p.w * y.cosine, cosine=-p.w * y.sine, line=p.slope)


@observable("1", "pieces that meet")
def tent(t: float, y: Swing, p: SwingParameters) -> float:
    """Above zero while the line is between 3.07 and 3.095."""
    return minimum(y.line - 3.07, 3.095 - y.line)


@observable("1", "yes or no")
def box(t: float, y: Swing, p: SwingParameters) -> float:
    """One there, zero elsewhere."""
    return where((y.line > 3.07) & (y.line < 3.095), 1.0, 0.0)


@observable("1", "a sharp peak of a smooth course")
def peak(t: float, y: Swing, p: SwingParameters) -> float:
    """Lorentz' curve around sine = 0.63."""
    away = 10.0 * y.sine - 6.3
    return 1.0 / (1.0 + 100.0 * away * away)


@observable("1", "above a level that the sine just reaches")
def top(t: float, y: Swing, p: SwingParameters) -> float:
    """One near the summit."""
    return where(y.sine > 1.0, 1.0, 0.0)


SWING = Model("swing", rhs, Swing, SwingParameters, observables=[tent, box, peak, top])


def agreement(count: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether all that look at sin(w t) * a above 1, with a within 1e-3 of 1, agree."""
    rng = np.random.default_rng(seed)
    sign = rng.choice([-1.0, 1.0], count)
    amplitude = 1.0 + sign * 10.0 ** rng.uniform(-6.0, -3.0, count)
    result = simulate(
        SWING, stop=4.5, save_at=[], parameters={"w": rng.uniform(0.5, 1.4, count)},
        initial={"cosine": amplitude}, therapy={"seen": Rule("sine", above=1.0)},
        metrics={
            "highest": Maximum("sine"), "first": FirstAbove("sine", 1.0),
            "above": TimeAbove("sine", 1.0), "shown": Maximum("top"),
        },
    )  # fmt: skip
    reached = result.highest.values >= 1.0
    seen = np.zeros(count, dtype=bool)
    seen[result.event_patient.values] = True
    when = np.full(count, np.nan)
    when[result.event_patient.values] = result.event_time.values
    same = (
        (seen == reached)
        & (np.isfinite(result["first"].values) == reached)
        & ((result.above.values > 0.0) == reached)
        & ((result["shown"].values == 1.0) == (result.highest.values > 1.0))
    )
    both = reached & same
    same[both] = np.abs(when[both] - result["first"].values[both]) <= 1e-9
    return np.asarray(same)


def test_thresholds_near_the_summit() -> None:
    assert agreement(300, 1).all()


def test_a_threshold_between_two_samples() -> None:
    result = simulate(
        SWING, stop=3.0, save_at=[], therapy={"seen": Rule("sine", above=0.9998)},
        metrics={
            "first": FirstAbove("sine", 0.9998), "above": TimeAbove("sine", 0.9998),
            "area": AreaUnder("peak"), "down": FirstBelow("cosine", 0.0),
        },
    )  # fmt: skip
    right = np.arcsin(0.9998)
    assert right == pytest.approx(1.5508, abs=1e-5)
    assert float(result["first"]) == pytest.approx(right, abs=1e-5)
    assert float(result.event_time[0]) == float(result["first"])
    assert float(result.above) == pytest.approx(2.0 * (np.pi / 2.0 - right), rel=1e-3)
    assert float(result.down) == pytest.approx(np.pi / 2.0, abs=1e-5)
    sharp = [np.arcsin(0.63), np.pi - np.arcsin(0.63)]
    area = quad(
        lambda t: 1.0 / (1.0 + 100.0 * (10.0 * np.sin(t) - 6.3) ** 2),
        0.0,
        3.0,
        points=sharp,
        limit=300,
    )[0]
    assert float(result.area) == pytest.approx(area, rel=1e-5)


def test_pieces_that_meet_inside_a_step() -> None:
    result = simulate(
        SWING, stop=10.0, save_at=[], parameters={"w": 1e-3},
        therapy={"in_tent": Rule("tent", above=0.0), "in_box": Rule("box", above=0.5)},
        metrics={
            "highest": Maximum("tent"), "when": TimeOfMaximum("tent"),
            "first": FirstAbove("tent", 0.0), "above": TimeAbove("tent", 0.0),
            "tent_area": AreaUnder("tent"),
            "box_first": FirstAbove("box", 0.5), "box_time": TimeAbove("box", 0.5),
            "box_area": AreaUnder("box"),
        },
    )  # fmt: skip
    np.testing.assert_allclose(result.event_time, [1.75, 1.75], rtol=1e-9)
    right = {
        "highest": 0.0125, "when": 2.0625, "first": 1.75, "above": 0.625, "box_first": 1.75,
        "box_time": 0.625, "box_area": 0.625, "tent_area": -0.059296875 - 1.160859375,
    }  # fmt: skip
    for name, value in right.items():
        assert float(result[name]) == pytest.approx(value, rel=1e-6), name


@settings(max_examples=25, deadline=None)
@given(st.floats(3.001, 3.39), st.floats(1e-4, 0.2))
def test_a_random_tent(foot: float, width: float) -> None:
    """Of the tent, with its summit of 0.0125, what lies less than half a width below the summit."""
    level = 0.0125 - width / 2.0
    result = simulate(
        SWING, stop=10.0, save_at=[], parameters={"w": 1e-3}, initial={"line": foot - 0.3},
        metrics={"first": FirstAbove("tent", level), "above": TimeAbove("tent", level)},
    )  # fmt: skip
    begin = max((3.0825 - width / 2.0 - (foot - 0.3)) / 0.04, 0.0)
    end = min((3.0825 + width / 2.0 - (foot - 0.3)) / 0.04, 10.0)
    if begin < 10.0 and end > 0.0:
        assert float(result["first"]) == pytest.approx(begin, rel=1e-6, abs=1e-9)
        assert float(result.above) == pytest.approx(end - begin, rel=1e-5, abs=1e-9)
    else:
        assert np.isnan(result["first"])

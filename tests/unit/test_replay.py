"""The event log, replayed as scheduled doses, gives the same course to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from carsim import (
    Assay,
    Covariate,
    Discontinue,
    Dose,
    Hazard,
    Infusion,
    Population,
    Reset,
    Rule,
    ScenarioError,
    SetState,
    Solver,
    Window,
    load_model,
    replay,
    simulate,
)
from carsim.model import Model
from carsim.therapy import Item

MODEL: Model = load_model(str(Path(__file__).with_name("one_compartment.py")))
STOP = 40.0
N = 24


def run(therapy: dict[str, Item], rtol: float = 1e-5, **options: Any) -> xr.Dataset:
    generator = np.random.default_rng(5)
    return simulate(
        MODEL,
        therapy=therapy,
        stop=STOP,
        population=Population(N, seed=7),
        parameters={
            "CL": np.exp(generator.normal(0.0, 0.5, N)),
            "V": 20.0 * np.exp(generator.normal(0.0, 0.4, N)),
        },
        save_at=np.linspace(0.0, STOP, 401),
        outputs=("depot", "central", "concentration"),
        solver=Solver(rtol=rtol, **options),
    )


def check(therapy: dict[str, Item], rtol: float = 1e-5) -> xr.Dataset:
    result = run(therapy, rtol)
    assert (result["status"] == 0).all()
    scenario = replay(result)
    assert not any(isinstance(item, Rule) for item in scenario.therapy.values())
    again = simulate(scenario)
    for name in ("depot", "central", "concentration"):
        np.testing.assert_array_equal(again[name].values, result[name].values)
    return result


BACKGROUND: dict[str, Item] = {
    "tablet": Dose("oral", 5.0, at=2.0, every=4.0, count=3, lag=0.5),
    "weekly": Dose("iv", 100.0, at=0.0, every=7.0),
    "infusion": Infusion("iv", start=1.0, rate=10.0, duration=2.0, every=8.0, count=4),
    "weight": Covariate("ka", at=(0.0, 10.0, 20.0), value=(1.5, 1.0, 2.0), interpolation="linear"),
}

actions = st.one_of(
    st.builds(Dose, st.sampled_from(["iv", "oral", "split"]), st.floats(1.0, 60.0)),
    st.builds(
        lambda amount, every, count: Dose("oral", amount, every=every, count=count),
        st.floats(1.0, 20.0),
        st.sampled_from([0.3, 1.0, 2.5]),
        st.integers(1, 6),
    ),
    st.builds(
        lambda rate, duration: Infusion("iv", rate=rate, duration=duration),
        st.floats(1.0, 20.0),
        st.floats(0.2, 6.0),
    ),
    st.just(Infusion("iv", rate=3.0)),
    st.builds(
        # A tablet reads F when it is given.
        lambda name, scale, d: Window(name, duration=d, scale=scale),
        st.sampled_from(["V", "F"]),
        st.floats(0.3, 1.25),
        st.floats(0.5, 9.0),
    ),
    st.sampled_from([Discontinue("weekly"), Discontinue("infusion"), Discontinue("first")]),
)
resets = st.just(Reset(states=("depot",)))
visited = st.builds(
    lambda above, level, every, limit, consecutive, delay, busy, noisy, do: Rule(
        "central",
        above=level if above else None,
        below=None if above else level,
        every=every,
        limit=limit,
        consecutive=consecutive,
        delay=delay,
        unless_running=busy,
        assay=Assay(cv=0.2, detection_limit=1.0) if noisy else None,
        do=do,
    ),
    st.booleans(),
    st.floats(10.0, 120.0),
    st.sampled_from([0.7, 1.0, 3.5, 7.0]),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.0, 0.05, 2.0]),
    st.booleans(),
    st.booleans(),
    st.lists(st.one_of(actions, resets), min_size=0, max_size=3),
)
# Watched rules may set each other off at one instant; a reset that follows a dose then would have
# to come before it in a schedule.
watched = st.builds(
    lambda above, level, limit, delay, do: Rule(
        "concentration",
        above=level if above else None,
        below=None if above else level,
        limit=limit,
        delay=delay,
        do=do,
    ),
    st.booleans(),
    st.floats(0.5, 6.0),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.0, 0.01, 1.0]),
    st.lists(actions, min_size=0, max_size=3),
)
chance = st.builds(
    lambda rate, do: Hazard(rate, do=do),
    st.floats(0.01, 0.2),
    st.lists(st.one_of(actions, resets), max_size=2),
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(visited, watched, chance), min_size=1, max_size=4),
    st.sampled_from([1e-3, 1e-5, 1e-7]),
)
def test_any_rules_replay_to_the_bit(rules: list[Item], rtol: float) -> None:
    """24 patients each, so about a thousand courses."""
    names = ["first", "second", "third", "fourth"]
    therapy = {**BACKGROUND, **dict(zip(names, rules, strict=False))}
    check(therapy, rtol)


def test_a_stop_changes_nothing_before_the_step_that_meets_it() -> None:
    """Not a bit, wherever it lies: the past does not depend on what is scheduled.

    Between the last step before the stop and the stop, saved values are read from another step.
    """
    plain = run(BACKGROUND, rtol=1e-9)
    time = plain["time"].values
    for at, last_stop in ((3.21, 3.0), (6.9, 3.0), (11.0, 11.0), (13.9, 11.0), (29.9, 28.0)):
        more = run({**BACKGROUND, "late": Dose("iv", 50.0, at=at)}, rtol=1e-9)
        one, other = more["central"].values, plain["central"].values
        before = time < at
        np.testing.assert_allclose(one[:, before], other[:, before], rtol=1e-8, atol=1e-6)
        # Steps end on the stops that both have, so at most the one step to the new stop differs.
        first = time[np.argmax(one != other, axis=1)]
        assert np.all(first > min(last_stop, at - 1e-9))
        if at - last_stop > 1.5:
            assert np.median(first) > last_stop + 0.5  # Several steps lie between.


def test_what_only_looks_changes_nothing() -> None:
    plain = run(BACKGROUND)
    looking: dict[str, Item] = {
        "often": Rule("concentration", above=0.0, every=0.1, limit=None),
        "watch": Rule("concentration", above=3.0, limit=50),
        "later": Rule("central", above=1.0, delay=1000.0, do=Dose("iv", 1.0)),
    }
    looked = run({**BACKGROUND, **looking})
    assert looked.sizes["event"] > 40 * N
    for name in ("depot", "central", "concentration"):
        np.testing.assert_array_equal(looked[name].values, plain[name].values)


def test_doses_are_counted_alike() -> None:
    therapy: dict[str, Item] = {
        **BACKGROUND,
        "rescue": Rule("central", below=90.0, every=1.0, limit=5, do=Dose("iv", 20.0)),
    }
    result = check(therapy)
    again = simulate(replay(result))
    given_by_rule = result["doses_given"].sel(item="rescue").values
    np.testing.assert_array_equal(again["doses_given"].sel(item="rescue_do_0"), given_by_rule)
    fired = np.bincount(
        result["event_patient"].values[result["event_name"].values == "rescue"], minlength=N
    )
    np.testing.assert_array_equal(given_by_rule, fired)


def test_what_cannot_be_scheduled_is_refused() -> None:
    result = run({"set": Rule("central", below=1e9, do=SetState("central", 5.0))})
    with pytest.raises(ScenarioError, match=r"which cannot be scheduled. Give a Window"):
        replay(result)
    full = run({"often": Rule("concentration", above=-1.0, every=0.1, limit=None)})
    with pytest.raises(ScenarioError, match=r"the event log is not complete: .* did not fit"):
        replay(full)

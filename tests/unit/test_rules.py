"""What rules do, clause by clause, against scenarios computed by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from carsim import (
    Assay,
    Discontinue,
    Dose,
    Infusion,
    Population,
    Reset,
    Rule,
    SetParameter,
    SetState,
    Solver,
    Window,
    load_model,
    simulate,
)
from carsim.model import Model

MODEL: Model = load_model(str(Path(__file__).with_name("clock.py")))
FINE = Solver(rtol=1e-9)


def run(therapy: dict[str, Any], stop: float = 20.0, **options: Any) -> xr.Dataset:
    options = {"save_at": np.linspace(0.0, stop, 201), "solver": FINE, **options}
    return simulate(MODEL, therapy=therapy, stop=stop, outputs=MODEL.state_names, **options)


def log(result: xr.Dataset, name: str) -> list[float]:
    """Times at which a rule fired."""
    return [float(t) for t in result["event_time"].values[result["event_name"].values == name]]


def seen(result: xr.Dataset, name: str) -> list[float]:
    return [float(v) for v in result["event_value"].values[result["event_name"].values == name]]


GIVE = Dose("dose", 10.0)


# when and check


def test_a_watched_rule_acts_at_the_crossing() -> None:
    """The decay is at 50 after ln 2 / 0.1 days."""
    result = run({"half": Rule("decay", below=50.0, do=GIVE)})
    when = math.log(2.0) / 0.1
    assert log(result, "half") == pytest.approx([when], rel=1e-9)
    assert seen(result, "half") == pytest.approx([50.0], rel=1e-8)
    since = np.maximum(result["time"].values - when, 0.0)
    expected = np.where(result["time"].values >= when, 10.0 * np.exp(-0.5 * since), 0.0)
    np.testing.assert_allclose(result["drug"].values, expected, atol=1e-7)


def test_a_visit_sees_the_crossing_late() -> None:
    """Below 50 since day 6.93; visits on days 0, 3, 6, 9."""
    result = run({"half": Rule("decay", below=50.0, every=3.0, do=GIVE)})
    assert log(result, "half") == [9.0]
    assert seen(result, "half") == pytest.approx([100.0 * math.exp(-0.9)], rel=1e-8)


def test_visits_may_be_listed_or_begin_late_and_end_early() -> None:
    always: dict[str, Any] = {"limit": None}
    result = run(
        {
            "listed": Rule(at=(1.0, 4.0, 9.0), **always),
            "late": Rule(every=5.0, start=3.0, **always),
            "early": Rule(every=5.0, until=10.0, **always),
            "whole": Rule(every=5.0, **always),
        }
    )
    assert log(result, "listed") == [1.0, 4.0, 9.0]
    assert log(result, "late") == [3.0, 8.0, 13.0, 18.0]
    assert log(result, "early") == [0.0, 5.0]
    # Actions take place before the stop: none on day 20.
    assert log(result, "whole") == [0.0, 5.0, 10.0, 15.0]


def test_a_visit_comes_before_what_is_scheduled_for_its_time() -> None:
    result = run(
        {"dose": Dose("dose", 8.0, at=4.0), "look": Rule("drug", above=1.0, at=(4.0, 6.0))}
    )
    assert log(result, "look") == [6.0]
    assert seen(result, "look") == pytest.approx([8.0 * math.exp(-1.0)], rel=1e-8)


def test_at_a_visit_all_rules_look_before_any_acts() -> None:
    result = run(
        {
            "first": Rule("decay", below=70.0, every=4.0, do=SetState("decay", 500.0)),
            "second": Rule("decay", below=70.0, every=4.0, do=SetState("decay", 900.0)),
        },
        stop=4.5,
    )
    assert log(result, "first") == log(result, "second") == [4.0]
    assert float(result["decay"].sel(time=4.5, method="nearest")) == pytest.approx(
        900.0 * math.exp(-0.05), rel=1e-8
    )


def test_a_step_function_is_seen_on_visits() -> None:
    result = run({"grade": Rule("grade", above=1.0, every=2.0, limit=None)})
    assert log(result, "grade") == [6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0]


# n times in a row, at most, delay, spacing


def test_the_condition_must_hold_at_consecutive_visits() -> None:
    """The drug is above 1 on days 1 and 5 to 7 only; a visit without it begins the count anew."""
    therapy = {
        "short": Dose("dose", 2.0, at=0.5),
        "long": Dose("dose", 4.0, at=4.5),
        "twice": Rule("drug", above=1.0, every=1.0, consecutive=2, limit=None),
        "thrice": Rule("drug", above=1.0, every=1.0, consecutive=3),
        "often": Rule("drug", above=1.0, every=1.0, consecutive=4),
    }
    result = run(therapy)
    days = [d for d in range(20) if 4.0 * math.exp(-0.5 * (d - 4.5)) >= 1.0 and d >= 5]
    assert days == [5, 6, 7]
    assert log(result, "twice") == [6.0]
    assert log(result, "thrice") == [7.0]
    assert log(result, "often") == []


def test_at_most_so_many_firings() -> None:
    for limit, days in ((1, [0.0]), (3, [0.0, 2.0, 4.0]), (None, [2.0 * k for k in range(10)])):
        assert log(run({"r": Rule(every=2.0, limit=limit)}), "r") == days


def test_a_delay_moves_what_is_done_and_not_the_log() -> None:
    result = run({"r": Rule("decay", below=50.0, every=3.0, delay=2.5, do=GIVE)})
    assert log(result, "r") == [9.0]
    drug = result["drug"]
    assert float(drug.sel(time=11.4, method="nearest")) == 0.0
    assert float(drug.sel(time=11.5, method="nearest")) == pytest.approx(10.0, rel=1e-9)


def test_a_delay_shorter_than_a_step_is_kept() -> None:
    """Nothing happens for long, so steps are long; a watched rule acts a little later."""
    result = run({"r": Rule("decay", below=50.0, delay=1e-3, do=GIVE)}, solver=Solver(rtol=1e-4))
    when = math.log(2.0) / 0.1 + 1e-3
    assert log(result, "r") == pytest.approx([when - 1e-3], rel=1e-4)
    last = 10.0 * math.exp(-0.5 * (20.0 - when))
    assert float(result["drug"][-1]) == pytest.approx(last, rel=2e-3)


def test_spacing_keeps_firings_apart() -> None:
    """Visits every 8 hours, firings 24 hours apart, although 1/3 is not a binary fraction."""
    rule = Rule(every=1.0 / 3.0, spacing=1.0, limit=None, until=4.0)
    assert log(run({"r": rule}), "r") == pytest.approx([0.0, 1.0, 2.0, 3.0])


# after another rule, not while running


def test_a_rule_waits_for_another() -> None:
    result = run(
        {
            "first": Rule("grade", above=1.0, every=2.0, limit=2),
            "then": Rule(every=2.0, after="first", limit=None),
            "later": Rule(every=2.0, after="first", wait=5.0, limit=None),
        }
    )
    assert log(result, "first") == [6.0, 8.0]
    # Not at the visit itself; from the last firing on it waits again.
    assert log(result, "then") == [8.0, 10.0, 12.0, 14.0, 16.0, 18.0]
    assert log(result, "later") == [14.0, 16.0, 18.0]


def test_a_rule_stays_still_while_what_it_started_runs() -> None:
    for course, days in (
        (Infusion("dose", rate=1.0, duration=4.0), [0.0, 6.0, 12.0, 18.0]),
        (Dose("dose", 1.0, every=1.0, count=4), [0.0, 6.0, 12.0, 18.0]),
        (Infusion("dose", rate=1.0), [0.0]),
        (Dose("dose", 1.0), [3.0 * k for k in range(7)]),
    ):
        rule = Rule(every=3.0, limit=None, unless_running=True, do=course)
        # What ends on day 4 is over on day 6; what ends on a visit ends after it.
        assert log(run({"r": rule}), "r") == days


def test_what_is_discontinued_is_given_no_longer() -> None:
    result = run(
        {
            "daily": Dose("dose", 1.0, at=0.0, every=1.0),
            "infusion": Infusion("given", start=0.0, rate=2.0),
            "end": Rule(
                "grade", above=1.0, every=4.0, do=[Discontinue("daily"), Discontinue("infusion")]
            ),
        }
    )
    assert log(result, "end") == [8.0]
    # The dose of day 8 is scheduled, and comes before what a rule does.
    assert dict(zip(result["item"].values, result["doses_given"].values, strict=True)) == {
        "daily": 9,
        "infusion": 1,
    }
    assert float(result["given"][-1]) == pytest.approx(9.0 + 2.0 * 8.0, rel=1e-9)


def test_a_course_is_stopped_and_started_again() -> None:
    """On while the clock says so: started on days 0 and 12, stopped on day 6."""
    result = run(
        {
            "start": Rule(at=(0.0, 12.0), limit=None, do=Infusion("given", rate=1.0)),
            "stop": Rule(at=(6.0,), do=Discontinue("start")),
        }
    )
    assert float(result["given"][-1]) == pytest.approx(6.0 + 8.0, rel=1e-9)


def test_a_window_is_discontinued() -> None:
    result = run(
        {
            "fast": Window("one", start=2.0, scale=3.0),
            "end": Rule(at=(5.0,), do=Discontinue("fast")),
        },
        stop=10.0,
    )
    assert float(result["clock"][-1]) == pytest.approx(2.0 + 3.0 * 3.0 + 5.0, rel=1e-9)


# do


def test_courses_of_one_rule_add_up() -> None:
    rule = Rule(at=(0.0, 1.0, 2.0), limit=None, do=Infusion("given", rate=0.1, duration=1.5))
    result = run({"r": rule}, stop=5.0, save_at=[1.5, 5.0])
    np.testing.assert_allclose(result["given"].values, [0.1 * (1.5 + 0.5), 0.1 * 4.5], rtol=1e-9)
    # Nothing is left of the rate when the last one has ended.
    longer = run({"r": rule}, stop=50.0, save_at=[3.5, 50.0])
    assert longer["given"].values[0] == longer["given"].values[1]


def test_windows_of_a_rule_begin_at_the_firing() -> None:
    rule = Rule(at=(2.0, 3.0), limit=None, do=Window("one", duration=2.0, scale=2.0))
    result = run({"r": rule}, stop=10.0)
    # A factor is there or not, however many of its windows run: from day 2 to 5.
    assert float(result["clock"][-1]) == pytest.approx(10.0 + 3.0, rel=1e-9)


def test_a_parameter_is_set_for_good_and_windows_act_on_it() -> None:
    result = run(
        {
            "double": Window("one", start=3.0, stop=6.0, scale=2.0),
            "set": Rule(at=(4.0,), do=SetParameter("one", 5.0)),
        },
        stop=10.0,
    )
    assert float(result["clock"][-1]) == pytest.approx(3.0 + 2.0 + 2 * 10.0 + 4 * 5.0, rel=1e-9)


def test_a_reset_empties_and_ends() -> None:
    result = run(
        {
            "infusion": Infusion("dose", start=1.0, rate=1.0),
            "rule": Rule(at=(2.0,), do=Infusion("given", rate=3.0)),
            "reset": Rule(at=(5.0,), do=Reset(states=("drug", "given"))),
        }
    )
    after = result["time"].values > 5.0
    np.testing.assert_array_equal(result["drug"].values[after], 0.0)
    np.testing.assert_array_equal(result["given"].values[after], 0.0)
    np.testing.assert_allclose(
        result["decay"].values, 100.0 * np.exp(-0.1 * result["time"]), rtol=1e-7
    )


# measurement


def test_readings_below_the_limit_are_not_detected() -> None:
    """Above 5 the assay sees 12.2, 9.1, 6.7 on days 21, 24, 27; below 20 it says 0."""
    seen_by: dict[str, Assay | None] = {"exact": None, "blunt": Assay(detection_limit=20.0)}
    therapy = {
        name: Rule("decay", above=5.0, every=3.0, limit=None, assay=assay)
        for name, assay in seen_by.items()
    }
    result = run(therapy, stop=40.0)
    assert log(result, "exact")[-1] == 27.0
    assert log(result, "blunt")[-1] == 15.0
    gone = run(
        {"gone": Rule("decay", below=0.0, every=3.0, assay=Assay(detection_limit=20.0))}, 40.0
    )
    assert log(gone, "gone") == [18.0]
    assert seen(gone, "gone") == [0.0]


def test_measurement_errors_have_the_distribution_that_was_asked_for() -> None:
    """The decay stands still at 100; 400 patients are measured 50 times each."""
    many = Population(400, seed=3)
    options: dict[str, Any] = {"population": many, "parameters": {"k": 0.0}, "save_at": [20.0]}
    rule: dict[str, Any] = {"above": 0.0, "every": 0.4, "limit": None}
    relative = run({"r": Rule("decay", assay=Assay(cv=0.3), **rule)}, **options)
    logs = np.log(np.array(seen(relative, "r")) / 100.0)
    assert len(logs) == 400 * 50
    sd = math.sqrt(math.log(1.09))
    assert abs(logs.mean()) < 4.0 * sd / math.sqrt(len(logs))
    assert logs.std() == pytest.approx(sd, rel=0.02)
    # A tenth of the patients' means is as far out as independence says.
    means = logs.reshape(400, 50).mean(axis=1)
    assert means.std() == pytest.approx(sd / math.sqrt(50), rel=0.15)
    added = run({"r": Rule("decay", assay=Assay(sd=2.0), **rule)}, **options)
    errors = np.array(seen(added, "r")) - 100.0
    assert errors.std() == pytest.approx(2.0, rel=0.02)
    assert abs(np.corrcoef(errors, logs)[0, 1]) < 0.05


def test_measurements_belong_to_the_patient_and_the_seed() -> None:
    rule = {"r": Rule("decay", above=100.0, every=0.4, limit=None, assay=Assay(cv=0.3))}
    options: dict[str, Any] = {"save_at": [20.0], "parameters": {"k": 0.0}}
    whole = run(rule, population=Population(50, seed=1), **options)
    part = run(rule, population=Population(7, seed=1), **options)
    other = run(rule, population=Population(7, seed=2), **options)
    mine = whole["event_patient"].values < 7
    np.testing.assert_array_equal(whole["event_time"].values[mine], part["event_time"].values)
    assert len(other["event_time"]) != len(part["event_time"]) or not np.array_equal(
        other["event_time"].values, part["event_time"].values
    )
    for threads, block in ((1, 3), (2, 50)):
        again = run(
            rule,
            population=Population(50, seed=1),
            **{**options, "solver": Solver(rtol=1e-9, threads=threads, block_size=block)},
        )
        xr.testing.assert_identical(again["event_time"], whole["event_time"])


# limits


def test_two_rules_that_trigger_each_other_end_with_a_status() -> None:
    result = run(
        {
            "up": Rule("drug", below=1.0, do=SetState("drug", 3.0), limit=5000),
            "down": Rule("drug", above=2.0, do=SetState("drug", 0.0), limit=5000),
        }
    )
    assert int(result["status"]) == 4
    assert "trigger each other" in result.attrs["failures"]
    assert np.isnan(result["drug"].values).all()


def test_a_rule_that_fires_ever_faster_reaches_its_limit() -> None:
    """Each dose is doubled at once when half is gone; the log says what it could not hold."""
    rule = Rule("drug", below=1.0, do=Dose("dose", 1.0), limit=200)
    result = run({"first": Dose("dose", 2.0, at=0.0), "again": rule}, stop=2000.0, save_at=[2000.0])
    assert int(result["status"]) == 0
    assert (
        dict(zip(result["item"].values, result["doses_given"].values, strict=True))["again"] == 200
    )
    assert len(log(result, "again")) == 64
    assert result["event_name"].attrs["note"] == "136 further firings did not fit into the log"


def test_what_rules_started_is_bounded() -> None:
    """Every visit starts a course that never ends; no patient has room for so many."""
    rule = Rule(every=0.1, limit=None, do=Dose("dose", 1.0, every=0.5))
    result = run({"r": rule})
    assert int(result["status"]) == 4


def test_a_rule_looks_while_another_runs_or_unless_it_does() -> None:
    """`course` runs from day 4 to 10; visits are on even days."""
    result = run(
        {
            "course": Rule(at=(4.0,), do=Infusion("given", rate=1.0, duration=6.0)),
            "during": Rule(every=2.0, while_running="course", limit=None),
            "apart": Rule(every=2.0, unless="course", limit=None),
        }
    )
    # At the visit of day 4 the course begins, at that of day 10 it ends: both after the looking.
    assert log(result, "during") == [6.0, 8.0, 10.0]
    assert log(result, "apart") == [0.0, 2.0, 12.0, 14.0, 16.0, 18.0]


def test_of_two_rules_that_exclude_each_other_the_first_acts() -> None:
    give = Dose("dose", 1.0, every=1.0, count=3)
    result = run(
        {
            "one": Rule(every=4.0, do=give, unless="two", limit=2),
            "two": Rule(every=4.0, do=give, unless="one", limit=2),
        }
    )
    assert log(result, "one") == [0.0, 4.0]
    assert log(result, "two") == [8.0, 12.0]


# without a limit


def test_a_watched_rule_without_a_limit_fires_as_often_as_its_condition_is_met() -> None:
    """Each dose is doubled again when half is gone: every 2 ln 2 days."""
    rule = Rule("drug", below=1.0, do=Dose("dose", 1.0), limit=None)
    result = run({"first": Dose("dose", 2.0, at=0.0), "again": rule}, stop=400.0, save_at=[400.0])
    assert int(result["status"]) == 0
    given = dict(zip(result["item"].values, result["doses_given"].values, strict=True))
    assert given["again"] == int(400.0 / (2.0 * math.log(2.0)))
    assert np.diff(log(result, "again")) == pytest.approx(2.0 * math.log(2.0), rel=1e-6)


def test_no_limit_is_no_limit() -> None:
    """More visits than may be asked for as a limit; what fires for ever at one instant fails."""
    result = run({"look": Rule(every=0.001, limit=None)}, stop=12.0, save_at=[12.0])
    assert result["event_name"].attrs["note"].startswith("11936 further firings")
    result = run(
        {
            "up": Rule("drug", below=1.0, do=SetState("drug", 3.0), limit=None),
            "down": Rule("drug", above=2.0, do=SetState("drug", 0.0), limit=None),
        }
    )
    assert int(result["status"]) == 4

"""Doses, infusions, windows: what they refuse, and which stops they become."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as with_any
from hypothesis import settings
from hypothesis import strategies as st

from carsim.engine.plan import Action, CourseKind, Stops
from carsim.errors import ScenarioError
from carsim.model import Model
from carsim.registry import load_model
from carsim.therapy import (
    Compiled,
    Covariate,
    Dose,
    Infusion,
    Item,
    People,
    Reset,
    Rule,
    Sources,
    Window,
    check_lengths,
    check_scaled_windows,
    check_therapy,
    compile_therapy,
    most_actions,
)
from carsim.therapy.steady import Period, SteadyStates

MODEL: Model = load_model(str(Path(__file__).with_name("one_compartment.py")))
DEPOT, CENTRAL = MODEL.state_index["depot"], MODEL.state_index["central"]
CL = MODEL.parameter_index["CL"]

Row = tuple[float, Action, int, float]
Edge = tuple[float, float]


def unsteady(period: Period) -> SteadyStates:
    raise AssertionError("no item asks for a steady state")


def compiled(
    therapy: dict[str, Item],
    *,
    start: float = 0.0,
    stop: float | np.ndarray[tuple[int], np.dtype[np.float64]] = 10.0,
    n: int = 1,
    **parameters: float | list[float],
) -> Compiled:
    check_therapy(MODEL, therapy, start, stop)
    check_lengths(therapy, n)
    p = MODEL.parameter_values(parameters, n=n)
    initial, p = MODEL.initial_state(p)
    people, sources = People.alone(p, initial), Sources.of(MODEL, therapy)
    return compile_therapy(MODEL, therapy, people, start, stop, sources, unsteady)


def stops_of(therapy: dict[str, Item], **options: Any) -> Stops:
    return compiled(therapy, **options).stops


def rows(stops: Stops, patient: int = 0) -> list[Row]:
    part = stops.take(patient, patient + 1)
    return [
        (float(t), Action(int(k)), int(i), float(v))
        for t, k, i, v in zip(part.time, part.kind, part.index, part.value, strict=True)
    ]


def given(stops: Stops, patient: int = 0) -> int:
    """Doses and infusions that the rows of a patient stand for."""
    return int(stops.take(patient, patient + 1).counted.sum())


def after_each_edge(
    plan: Compiled, patient: int, kinds: tuple[CourseKind, ...], target: int, own: float
) -> list[Edge]:
    """Times at which what courses make of a state or parameter changes, and to what."""
    courses, runs = plan.courses, np.zeros(len(plan.courses.kind))
    level = courses.level[patient if len(courses.level) > 1 else 0]
    edges: list[Edge] = []
    for time_, kind, index, value in rows(plan.stops, patient):
        if kind != Action.SET_RUNNING:
            continue
        runs[index] = value
        total = own
        for wanted in kinds:
            for course in np.flatnonzero((courses.kind == wanted) & (courses.target == target)):
                if runs[course] == 0.0:
                    continue
                if wanted == CourseKind.INPUT:
                    total += runs[course] * level[course]
                else:
                    total = total * level[course] if wanted == CourseKind.FACTOR else level[course]
        if edges and edges[-1][0] == time_:
            edges.pop()
        edges.append((time_, float(total)))
    before = [own, *(total for _, total in edges)]
    return [edge for edge, last in zip(edges, before, strict=False) if edge[1] != last]


def rates(plan: Compiled, patient: int = 0, into: int = CENTRAL) -> list[Edge]:
    """Times at which the input rate of a state changes, and to what."""
    return after_each_edge(plan, patient, (CourseKind.INPUT,), into, 0.0)


def values(plan: Compiled, patient: int = 0, own: float = 1.1) -> list[Edge]:
    """Times at which the clearance changes, and to what."""
    return after_each_edge(plan, patient, (CourseKind.VALUE, CourseKind.FACTOR), CL, own)


def added(*times: float, amount: float = 1.0, into: int = CENTRAL) -> list[Row]:
    return [(t, Action.ADD_STATE, into, amount) for t in times]


# Doses


def test_dose_goes_through_a_route_with_its_fractions() -> None:
    assert rows(stops_of({"a": Dose("oral", 10.0, at=1.0)})) == added(1.0, amount=8.0, into=DEPOT)
    split = rows(stops_of({"a": Dose("split", 8.0, at=1.0)}))
    assert split == added(1.0, amount=2.0, into=DEPOT) + added(1.0, amount=6.0)


def test_dose_goes_into_a_state_as_it_is() -> None:
    assert rows(stops_of({"a": Dose("central", 3.0, at=1)})) == added(1.0, amount=3.0)


def test_fraction_that_is_a_function_differs_between_patients() -> None:
    stops = stops_of({"a": Dose("oral", 10.0, at=1.0)}, n=2, F=[0.5, 0.25])
    assert [rows(stops, i)[0][3] for i in (0, 1)] == [5.0, 2.5]


def test_list_of_times_is_for_everybody_and_array_is_by_patient() -> None:
    everybody = stops_of({"a": Dose("iv", 1.0, at=[1, 2])}, n=2)
    assert rows(everybody, 0) == rows(everybody, 1) == added(1.0, 2.0)
    own = stops_of({"a": Dose("iv", 1.0, at=np.array([1.0, 2.0]))}, n=2)
    assert [rows(own, i) for i in (0, 1)] == [added(1.0), added(2.0)]
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    both = stops_of({"a": Dose("iv", 1.0, at=table)}, n=2)
    assert rows(both, 1) == added(3.0, 4.0)


def test_list_of_amounts_goes_with_the_times() -> None:
    stops = stops_of({"a": Dose("iv", [1.0, 3.0, 6.0], at=[0, 1, 2])})
    assert [row[3] for row in rows(stops)] == [1.0, 3.0, 6.0]


def test_dose_repeats_until_the_simulation_stops() -> None:
    assert rows(stops_of({"a": Dose("iv", 1.0, at=0, every=3)})) == added(0, 3, 6, 9)


def test_dose_at_the_stop_is_not_given() -> None:
    assert rows(stops_of({"a": Dose("iv", 1.0, at=[9, 10, 11])})) == added(9)
    assert rows(stops_of({"a": Dose("iv", 1.0, at=0, every=5)})) == added(0, 5)


def test_count_and_until_end_the_repeats() -> None:
    assert rows(stops_of({"a": Dose("iv", 1.0, at=1, every=2, count=3)})) == added(1, 3, 5)
    assert rows(stops_of({"a": Dose("iv", 1.0, at=1, every=2, until=5)})) == added(1, 3)


def test_pattern_of_times_repeats_as_a_whole() -> None:
    dose = Dose("iv", 1.0, at=[0, 1], every=4, count=2)
    assert rows(stops_of({"a": dose})) == added(0, 1, 4, 5)


def test_every_count_and_until_may_differ_between_patients() -> None:
    dose = Dose(
        "iv", 1.0, at=np.array([0.0, 1.0]), every=np.array([2.0, 3.0]), count=np.array([2, 3])
    )
    stops = stops_of({"a": dose}, n=2)
    assert [rows(stops, i) for i in (0, 1)] == [added(0, 2), added(1, 4, 7)]
    until = stops_of({"a": Dose("iv", 1.0, at=0, every=2, until=np.array([0.0, 3.0]))}, n=2)
    assert [rows(until, i) for i in (0, 1)] == [[], added(0, 2)]


@pytest.mark.parametrize(
    "item",
    [
        Dose("iv", 0.0, at=1.0),
        Dose("iv", 0.0, at=-100.0),
        Dose("iv", 1.0, at=1.0, every=1.0, count=0),
        Dose("iv", 1.0, at=1.0, until=1.0),
        Dose("iv", 1.0, at=20.0),
        Infusion("iv", 1.0, stop=3.0, rate=0.0),
        Infusion("iv", 1.0, stop=3.0, amount=0.0),
        Infusion("iv", 1.0, stop=1.0, rate=1.0),
        Infusion("iv", 1.0, stop=-7.0, amount=1.0),
        Infusion("iv", -5.0, duration=0.0, rate=1.0),
        Infusion("iv", 1.0, rate=0.0, amount=1.0),
        Infusion("iv", 10.0, stop=11.0, rate=1.0),
        Infusion("iv", 1.0, duration=1.0, rate=1.0, every=2.0, count=0),
        Window("CL", value=2.0, start=5.0, stop=5.0),
        Window("CL", value=2.0, start=5.0, stop=-5.0),
        Window("CL", value=2.0, start=-5.0, stop=0.0),
        Window("CL", value=2.0, start=10.0),
        Window("CL", scale=1.0, start=0.0),
    ],
)
def test_items_that_are_not_given_leave_no_stop(item: Item) -> None:
    assert rows(stops_of({"a": item})) == []


def test_repeats_fall_on_the_decimal_that_was_meant() -> None:
    stops = stops_of({"a": Dose("iv", 1.0, at=0, every=0.1)})
    assert np.array_equal(stops.time, np.array([float(f"{k / 10:.1f}") for k in range(100)]))
    third = 1 / 3
    times = stops_of({"a": Dose("iv", 1.0, at=0, every=third)}).time
    assert np.array_equal(times[:3], [0.0, third, 2 * third])


# Infusions


def test_infusion_is_half_open_and_returns_to_exactly_zero() -> None:
    plan = compiled({"pill": Dose("oral", 0.0, at=0), "a": Infusion("iv", 1.0, stop=3.0, rate=0.7)})
    assert rows(plan.stops) == [
        (1.0, Action.SET_RUNNING, 0, 1.0),
        (3.0, Action.SET_RUNNING, 0, 0.0),
    ]
    courses = plan.courses
    assert (courses.kind.tolist(), courses.target.tolist()) == ([CourseKind.INPUT], [CENTRAL])
    assert (courses.item.tolist(), courses.level.tolist()) == ([1], [[0.7]])
    assert plan.stops.item.tolist() == [1, 1]
    assert plan.stops.counted.tolist() == [1, 0]
    assert rates(plan) == [(1.0, 0.7), (3.0, 0.0)]


@pytest.mark.parametrize(
    "infusion",
    [
        Infusion("iv", 1.0, stop=3.0, amount=4.0),
        Infusion("iv", 1.0, duration=2.0, amount=4.0),
        Infusion("iv", 1.0, duration=2.0, rate=2.0),
        Infusion("iv", 1.0, rate=2.0, amount=4.0),
    ],
)
def test_ways_to_say_the_same_infusion(infusion: Infusion) -> None:
    plan = compiled({"a": infusion})
    assert rates(plan) == [(1.0, 2.0), (3.0, 0.0)]
    assert given(plan.stops) == 1


def test_rate_alone_runs_to_the_end() -> None:
    for infusion in (Infusion("iv", 1.0, rate=2.0), Infusion("iv", 1.0, stop=np.inf, rate=2.0)):
        plan = compiled({"a": infusion})
        assert rows(plan.stops) == [(1.0, Action.SET_RUNNING, 0, 1.0)]
        assert rates(plan) == [(1.0, 2.0)]


def test_infusion_goes_through_fractions() -> None:
    plan = compiled({"a": Infusion("split", 1.0, stop=3.0, rate=4.0)})
    assert rates(plan, into=DEPOT) == [(1.0, 1.0), (3.0, 0.0)]
    assert rates(plan, into=CENTRAL) == [(1.0, 3.0), (3.0, 0.0)]
    assert given(plan.stops) == 1  # one infusion, whatever the number of states


def test_overlapping_infusions_add_without_rounding() -> None:
    therapy: dict[str, Item] = {
        "a": Infusion("iv", 1.0, stop=5.0, rate=0.1),
        "b": Infusion("central", 2.0, stop=4.0, rate=0.2),
    }
    plan = compiled(therapy)
    assert rates(plan) == [(1.0, 0.1), (2.0, 0.1 + 0.2), (4.0, 0.1), (5.0, 0.0)]
    assert plan.stops.item.tolist() == [0, 1, 1, 0]


def test_infusions_back_to_back_are_one_course_and_each_counts() -> None:
    every = Infusion("iv", 0.0, duration=0.1, rate=1.0, every=0.1)
    plan = compiled({"a": every})
    assert rates(plan) == [(0.0, 1.0)]
    assert set(rows(plan.stops)) == {
        (float(f"{k / 10:.1f}"), Action.SET_RUNNING, 0, 1.0) for k in range(100)
    }
    assert plan.stops.counted.tolist() == [1] * 100
    pair: dict[str, Item] = {
        "a": Infusion("iv", 0.0, stop=0.3, rate=1.0),
        "b": Infusion("iv", 0.1 * 3, stop=0.5, rate=1.0),  # one bit later than 0.3
    }
    plan = compiled(pair)
    assert [row[0] for row in rows(plan.stops)] == [0.0, 0.3, 0.3, 0.5]
    assert rates(plan) == [(0.0, 1.0), (0.5, 0.0)]


def test_repeated_infusion_that_overlaps_itself_adds_up() -> None:
    plan = compiled({"a": Infusion("iv", 0.0, duration=3.0, rate=1.0, every=2.0, count=2)})
    assert rates(plan) == [(0.0, 1.0), (2.0, 2.0), (3.0, 1.0), (5.0, 0.0)]
    assert plan.stops.counted.tolist() == [1, 1, 0, 0]


def test_until_keeps_later_infusions_from_beginning() -> None:
    stops = stops_of({"a": Infusion("iv", 0.0, duration=1.0, rate=1.0, every=2.0, until=4.0)})
    assert [t for t, *_ in rows(stops)] == [0.0, 1.0, 2.0, 3.0]


def test_stop_may_differ_between_patients() -> None:
    infusion = Infusion("iv", 0.0, stop=np.array([-7.0, 0.0, 4.0, 40.0]), rate=1.0)
    stops = stops_of({"a": infusion}, n=4)
    assert [[t for t, *_ in rows(stops, i)] for i in range(4)] == [[], [], [0.0, 4.0], [0.0]]


def test_simulation_may_stop_at_each_patients_own_time() -> None:
    stops = stops_of(
        {"a": Dose("iv", 1.0, at=0, every=2), "b": Infusion("iv", 0.0, stop=4.0, rate=1.0)},
        stop=np.array([3.0, 5.0]),
        n=2,
    )
    assert [t for t, *_ in rows(stops, 0)] == [0.0, 0.0, 2.0]
    assert [t for t, *_ in rows(stops, 1)] == [0.0, 0.0, 2.0, 4.0, 4.0]


piece = st.tuples(
    st.integers(0, 12), st.integers(0, 12), st.sampled_from([0.1, 0.2, 0.7]), st.booleans()
)


@settings(max_examples=60, deadline=None)
@with_any(st.lists(piece, min_size=1, max_size=5))
def test_input_rate_is_the_sum_of_what_runs(pieces: list[tuple[int, int, float, bool]]) -> None:
    therapy: dict[str, Item] = {
        f"item{k}": Infusion("iv", float(begin), stop=float(end), rate=rate)
        if single
        else Infusion("iv", float(begin), duration=end / 4, rate=rate, every=2.0)
        for k, (begin, end, rate, single) in enumerate(pieces)
    }
    plan = compiled(therapy)
    edges = rates(plan)
    for moment in np.arange(0.0, 10.0, 0.25):
        expected = 0.0
        for begin, end, rate, single in pieces:
            if single:
                expected += rate * (begin <= moment < end)
            else:
                starts = np.arange(begin, 10.0, 2.0)
                expected += rate * int(((starts <= moment) & (moment < starts + end / 4)).sum())
        actual = ([0.0] + [rate for time_, rate in edges if time_ <= moment])[-1]
        assert actual == pytest.approx(expected, rel=1e-14, abs=0.0)
    times = [row[0] for row in rows(plan.stops)]
    assert times == sorted(times)


# Windows


def test_window_holds_a_value_and_gives_the_own_one_back() -> None:
    plan = compiled({"a": Window("CL", value=3.0, start=2.0, stop=4.0)}, n=2, CL=[1.1, 0.3])
    assert (plan.courses.kind.tolist(), plan.courses.target.tolist()) == ([CourseKind.VALUE], [CL])
    for patient, own in ((0, 1.1), (1, 0.3)):
        assert rows(plan.stops, patient) == [
            (2.0, Action.SET_RUNNING, 0, 1.0),
            (4.0, Action.SET_RUNNING, 0, 0.0),
        ]
        assert values(plan, patient, own) == [(2.0, 3.0), (4.0, own)]
        assert given(plan.stops, patient) == 0


def test_windows_that_scale_multiply() -> None:
    therapy: dict[str, Item] = {
        "a": Window("CL", scale=2.0, start=1.0, stop=5.0),
        "b": Window("CL", scale=3.0, start=3.0, stop=7.0),
        "c": Window("CL", value=10.0, start=4.0, stop=6.0),
    }
    assert values(compiled(therapy)) == [
        (1.0, 2.2),
        (3.0, 1.1 * 2.0 * 3.0),
        (4.0, 60.0),
        (5.0, 30.0),
        (6.0, 1.1 * 3.0),
        (7.0, 1.1),
    ]


def test_window_that_is_open_at_the_start_holds_from_there() -> None:
    plan = compiled({"a": Window("CL", value=3.0, start=-20.0, stop=4.0)}, start=-5.0)
    assert values(plan) == [(-5.0, 3.0), (4.0, 1.1)]
    endless = compiled({"a": Window("CL", value=3.0, start=2.0)})
    assert values(endless) == [(2.0, 3.0)]
    assert len(rows(endless.stops)) == 1


def test_windows_one_after_the_other_do_not_clash() -> None:
    therapy: dict[str, Item] = {
        "a": Window("CL", value=3.0, start=1.0, stop=4.0),
        "b": Window("CL", value=5.0, start=4.0, stop=6.0),
    }
    assert values(compiled(therapy)) == [(1.0, 3.0), (4.0, 5.0), (6.0, 1.1)]


def test_two_values_at_once_name_both_windows_and_the_patient() -> None:
    therapy: dict[str, Item] = {
        "tocilizumab": Window("CL", value=3.0, start=1.0, stop=4.0),
        "fever": Window("CL", value=5.0, start=np.array([5.0, 3.5]), stop=6.0),
    }
    with pytest.raises(ScenarioError, match=r"therapy.tocilizumab and therapy.fever both") as error:
        stops_of(therapy, n=2)
    assert "from 3.5 to 4 (patient 1)" in str(error.value)


def test_windows_that_do_not_exist_cannot_clash() -> None:
    therapy: dict[str, Item] = {
        "a": Window("CL", value=3.0, start=1.0, stop=4.0),
        "b": Window("CL", value=5.0, start=3.0, stop=np.array([3.0, -1.0])),
    }
    assert len(rows(stops_of(therapy, n=2), 1)) == 2


def test_scaled_window_beyond_the_bounds_is_refused() -> None:
    therapy = {"a": Window("CL", scale=50.0, start=1.0)}
    p = MODEL.parameter_values({"CL": [1.0, 3.0]})
    with pytest.raises(ScenarioError, match=r"therapy.a: CL = 150 .* bounds, 0 to 100"):
        check_scaled_windows(MODEL, therapy, p)


# Order


def test_coincident_actions_have_a_fixed_order() -> None:
    therapy: dict[str, Item] = {
        "dose": Dose("iv", 1.0, at=2.0),
        "infusion": Infusion("iv", 2.0, rate=1.0),
        "oral": Dose("oral", 1.0, at=2.0),
        "window": Window("CL", value=2.0, start=2.0),
        "weight": Covariate("V", at=[0.0, 2.0], value=[20.0, 30.0], interpolation="locf"),
        "reset": Reset(at=2.0, states=("clock",)),
    }
    plan = compiled(therapy)
    kinds = [(kind, index) for _, kind, index, _ in rows(plan.stops)]
    infusion, window = 0, 1
    assert plan.courses.kind.tolist() == [CourseKind.INPUT, CourseKind.VALUE]
    assert kinds == [
        (Action.RESET_STATE, MODEL.state_index["clock"]),
        (Action.SET_PARAMETER, MODEL.parameter_index["V"]),
        (Action.SET_RUNNING, window),
        (Action.SET_RUNNING, infusion),
        (Action.ADD_STATE, CENTRAL),
        (Action.ADD_STATE, DEPOT),
    ]


def test_times_that_differ_by_rounding_are_one_instant_in_order() -> None:
    later = np.nextafter(2.0, 3.0)
    therapy: dict[str, Item] = {
        "dose": Dose("iv", 1.0, at=2.0),
        "window": Window("CL", value=2.0, start=later),
        "rate": Infusion("iv", later, rate=1.0),
    }
    plan = compiled(therapy)
    merged = rows(plan.stops)
    assert [row[0] for row in merged] == [2.0, 2.0, 2.0]
    assert [row[1] for row in merged] == [
        Action.SET_RUNNING,
        Action.SET_RUNNING,
        Action.ADD_STATE,
    ]
    kinds = [plan.courses.kind[row[2]] for row in merged[:2]]
    assert kinds == [CourseKind.VALUE, CourseKind.INPUT]


def test_stops_of_a_block_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(1)
    therapy: dict[str, Item] = {
        "a": Dose("oral", rng.uniform(0, 3, 20), at=[0, 1], every=rng.uniform(1, 4, 20)),
        "b": Infusion("iv", rng.uniform(0, 3, 20), stop=rng.uniform(0, 12, 20), rate=1.0),
        "c": Window("CL", scale=0.5, start=1.0, stop=rng.uniform(0, 12, 20)),
    }
    whole = compiled(therapy, n=20)
    part = compiled({name: item.select(slice(7, 12)) for name, item in therapy.items()}, n=5)
    for i in range(5):
        assert rows(part.stops, i) == rows(whole.stops, i + 7)
        assert rates(part, i) == rates(whole, i + 7)
        assert values(part, i) == values(whole, i + 7)


def test_memory_is_planned_for_the_patient_with_most_doses() -> None:
    therapy: dict[str, Item] = {
        "pill": Dose("split", 1.0, at=0.0, every=1.0, until=np.array([-1.0, 100.0])),
        "drip": Infusion("iv", 0.0, duration=0.5, rate=1.0, every=np.array([50.0, 10.0])),
        "window": Window("CL", scale=0.5, start=1.0),
    }
    most = most_actions(MODEL, therapy, 100.0)
    stops = stops_of(therapy, n=2, stop=100.0)
    assert np.diff(stops.offsets).max() <= most <= np.diff(stops.offsets).max() + 10


def test_a_hundred_thousand_patients_compile_in_less_than_a_second() -> None:
    n = 100_000
    rng = np.random.default_rng(0)
    therapy: dict[str, Item] = {
        "cells": Dose("oral", rng.uniform(1, 2, n), at=rng.uniform(0, 5, n)),
        "depletion": Dose("iv", 1.0, at=[1, 2, 3]),
        "drug": Infusion("iv", 0.0, stop=rng.uniform(0, 300, n), rate=0.5),
        "window": Window("CL", scale=0.5, start=3.0, stop=rng.uniform(0, 300, n)),
    }
    begin = time.process_time()
    stops = stops_of(therapy, n=n, stop=365.0)
    assert time.process_time() - begin < 3.0  # 0.3 s on the machine this was written on
    assert len(stops.offsets) == n + 1
    assert (np.diff(stops.offsets) >= 6).all()


# Refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dose("iv", -7e6, at=0), r"Dose into 'iv': amount = -7e\+06 is negative"),
        (lambda: Dose("iv", float("nan"), at=0), r"amount = nan. It must be finite"),
        (lambda: Dose("iv", np.array([1.0, np.nan]), at=0), r"amount = nan \(entry 1\)"),
        (lambda: Dose("iv", 1.0, at=-np.inf), r"at = -inf. It must be finite"),
        (lambda: Dose("iv", 1.0, at=[]), r"at is empty"),
        (lambda: Dose("iv", "1", at=0), r"amount = '1' is not a number"),  # type: ignore[arg-type]
        (lambda: Dose("iv", True, at=0), r"amount = True is not a number"),
        (lambda: Dose("iv", 1.0, at=[[1, 2], [3]]), r"at = .* differ in length"),  # type: ignore[list-item]
        (
            lambda: Dose("iv", [1.0, 2.0], at=[0, 1, 2]),
            r"2 values of amount for 3 of at. Give one amount, or",
        ),
        (lambda: Dose("iv", 1.0, at=0, every=0), r"every = 0. The interval must be above 0"),
        (lambda: Dose("iv", 1.0, at=0, every=-1), r"every = -1"),
        (lambda: Dose("iv", 1.0, at=0, every=[1, 2]), r"2 values of every for 1 of at"),
        (lambda: Dose("iv", 1.0, at=0, every=1, count=2.5), r"count = 2.5 must be a whole number"),
        (lambda: Dose("iv", 1.0, at=0, every=1, count=-2), r"count = -2 is negative"),
        (lambda: Dose("iv", 1.0, at=0, count=3), r"count = 3 needs the interval: give every"),
        (
            lambda: Dose("iv", 1.0, at=0, every=1, count=3, until=9),
            r"count and until contradict each other",
        ),
        (lambda: Dose("", 1.0, at=0), r"into = '' is not a name"),
        (lambda: Dose("iv", np.zeros((2, 2, 2)), at=0), r"amount has shape \(2, 2, 2\)"),
        (lambda: Infusion("iv", 0.0, stop=1.0, duration=1.0, rate=1.0), r"stop and duration contr"),
        (lambda: Infusion("iv", 0.0, stop=1.0, rate=1.0, amount=1.0), r"rate and amount contradic"),
        (lambda: Infusion("iv", 0.0, stop=1.0), r"neither rate nor amount"),
        (lambda: Infusion("iv", 0.0, amount=1.0), r"an amount needs a time"),
        (lambda: Infusion("iv", 0.0, stop=np.inf, amount=1.0), r"endless time. Give the rate"),
        (lambda: Infusion("iv", 0.0, rate=-1.0), r"rate = -1 is negative"),
        (lambda: Infusion("iv", 0.0, duration=-1.0, rate=1.0), r"duration = -1 is negative"),
        (lambda: Infusion("iv", 0.0, rate=1.0, every=7.0), r"how long one infusion lasts"),
        (lambda: Infusion("iv", 0.0, stop=1.0, rate=1.0, every=7.0), r"stop is ambiguous"),
        (lambda: Infusion("iv", 0.0, duration=1e-12, rate=1.0), r"it lasts 1e-12. .* Dose"),
        (lambda: Infusion("iv", np.zeros((2, 2, 2)), rate=1.0), r"start has shape \(2, 2, 2\)"),
        (lambda: Infusion("iv", np.zeros(0), rate=1.0), r"start is empty"),
        (lambda: Window("CL", start=0.0), r"neither value nor scale"),
        (lambda: Window("CL", start=0.0, value=1.0, scale=1.0), r"both value and scale"),
        (lambda: Window("CL", start=0.0, scale=-1.0), r"scale = -1 is negative"),
        (lambda: Window("CL", start=0.0, value=np.inf), r"value = inf. It must be finite"),
        (lambda: Window("", start=0.0, value=1.0), r"parameter = '' is not a name"),
        (lambda: Dose("iv", 1.0, at=0, lag=""), r"lag is empty. Give a number, or a parameter's"),
        (lambda: Dose("iv", 1.0, at=0, lag=-1.0), r"lag = -1 is negative"),
        (lambda: Dose("iv", 1.0, at=0, bioavailability=-0.1), r"bioavailability = -0.1 is neg"),
        (lambda: Dose("iv", 1.0, at=0, adherence=1.2), r"adherence = 1.2 is above 1. Give the"),
        (lambda: Dose("iv", 1.0, at=0, adherence=-0.2), r"adherence = -0.2 is negative"),
        (
            lambda: Dose("iv", 1.0, at=0, every=1, steady_state=3),
            r"steady_state = 3. Give 1 to replace what is there, 2 to add to it, 0",
        ),
        (lambda: Dose("iv", 1.0, at=0, every=1, steady_state=True), r"steady_state = True. Give 1"),
        (lambda: Dose("iv", 1.0, at=0, steady_state=1), r"steady state needs the interval"),
        (
            lambda: Infusion("iv", 0.0, duration=1.0, amount=1.0, steady_state=2),
            r"a steady state needs the interval between doses. Give every",
        ),
        (
            lambda: Dose("iv", 1.0, at=[0, 1], every=2, steady_state=1),
            r"a steady state begins at one time. Give one item for each",
        ),
        (lambda: Infusion("iv", 0.0, duration=[1.0, 2.0], rate=1.0), r"2 values of duration for 1"),
        (lambda: Infusion("iv", [0, 1, 2], stop=[3, 4], rate=1.0), r"2 values of stop for 3 of st"),
        (lambda: Infusion("iv", 0.0, stop=1.0, rate=""), r"rate = '' is not a name"),
        (lambda: Infusion("iv", 0.0, duration="", rate=1.0), r"duration = '' is not a name"),
        (lambda: Infusion("iv", 0.0, stop=1.0, amount="V"), r"amount = 'V' is not a number"),  # type: ignore[arg-type]
        (
            lambda: Infusion("iv", 0.0, stop=1.0, rate=1.0, bioavailability_scales="rates"),
            r"bioavailability_scales = 'rates'. Give 'duration' or 'rate'. Did you mean 'rate'\?",
        ),
        (
            lambda: Infusion("iv", 0.0, rate=1.0, bioavailability=0.5),
            r"endless infusion cannot be shortened by its bioavailability. Give bioav.*= 'rate'",
        ),
        (
            lambda: Window("CL", start=0.0, stop=1.0, duration=1.0, value=1.0),
            r"Window of 'CL': stop and duration contradict each other. Give one",
        ),
        (lambda: Window("CL", start=0.0, duration=-1.0, value=1.0), r"duration = -1 is negative"),
        (
            lambda: Window("CL", start=0.0, every=7.0, value=1.0),
            r"every repeats it, so say how long one window lasts with duration",
        ),
        (lambda: Window("CL", start=0.0, count=2, duration=1.0, value=1.0), r"needs the interval"),
        (lambda: Window("CL", 0.0, duration=[1.0], value=1.0), r"duration = \[1.0\] is a list"),  # type: ignore[arg-type]
        (lambda: Covariate("", at=0, value=1.0), r"parameter = '' is not a name"),
        (lambda: Covariate("V", at=[0, 1], value=1.0), r"Covariate 'V': 1 values for 2 times"),
        (lambda: Covariate("V", at=[0, 2, 1], value=[1, 2, 3]), r"at: 1 follows 2. .* ascend"),
        (lambda: Covariate("V", at=[0, 0], value=[1, 2]), r"at: 0 follows 0. .* each once"),
        (
            lambda: Covariate("V", at=np.array([[0.0, 1.0], [2.0, 1.0]]), value=[1, 2]),
            r"at: 1 follows 2 \(patient 1\)",
        ),
        (
            lambda: Covariate("V", at=np.array([0.0, np.inf]), value=1.0),
            r"at: a patient has no record. Give at least one each",
        ),
        (lambda: Covariate("V", at=-np.inf, value=1.0), r"at = -inf. It must be finite"),
        (lambda: Covariate("V", at=0, value=np.nan), r"value = nan. It must be finite"),
        (
            lambda: Covariate("V", at=0, value=1.0, interpolation="lienar"),
            r"interpolation = 'lienar' is none of nocb, locf, linear. Did you mean 'linear'\?",
        ),
        (lambda: Reset(at=0, states="central"), r"states is the text 'central'; give a list"),
        (lambda: Reset(at=0, states=("",)), r"states = '' is not a name"),
        (lambda: Reset(at=np.nan), r"Reset: at = nan"),
    ],
)
def test_items_refuse_what_makes_no_sense(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ScenarioError, match=message):
        make()


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Dose("orl", 1.0, at=0), r"therapy.drug: into = 'orl': .* Did you mean 'oral'\?"),
        (Infusion("orl", 0.0, rate=1.0), r"therapy.drug: into = 'orl'"),
        (Window("Cl", start=0.0, value=1.0), r"parameter = 'Cl': .* Did you mean 'CL'\?"),
        (Window("k", start=0.0, value=1.0), r"parameter = 'k' is computed by model"),
        (Window("CL", start=0.0, value=-1.0), r"CL = -1 L/day lies outside its bounds"),
        (Dose("iv", 1.0, at=-2.0), r"at = -2 lies before .* set start = -2 or earlier"),
        (Dose("iv", 1.0, at=-2.0, every=1.0), r"at = -2 lies before the simulation"),
        (Infusion("iv", -2.0, rate=1.0), r"start = -2 lies before the simulation"),
        (Dose("iv", 1.0, at=0.0, every=1e-5), r"makes 1e\+06 repeats for one patient"),
        (Dose("iv", 1.0), r"therapy.drug: at is missing. Say when it is given"),
        (Infusion("iv", rate=1.0), r"therapy.drug: start is missing. Say when it is given"),
        (Window("CL", value=1.0), r"therapy.drug: start is missing. Say when the window begins"),
        (Reset(), r"therapy.drug: at is missing. Say when the reset is"),
        (Reset(at=1.0, states=("centrl",)), r"state = 'centrl': .* Did you mean 'central'\?"),
        (Dose("iv", 1.0, at=0, lag="tlag"), r"lag = 'tlag': model .* no parameter 'tlag'"),
        (Dose("iv", 1.0, at=0, bioavailability="f"), r"bioavailability = 'f': .* mean 'F'\?"),
        (Infusion("iv", 0, rate="kaa", stop=1.0), r"rate = 'kaa': .* Did you mean 'ka'\?"),
        (Infusion("iv", 0, rate=1.0, duration="d"), r"duration = 'd': .* no parameter 'd'"),
        (Covariate("Vv", at=0, value=1.0), r"parameter = 'Vv': .* Did you mean 'V'\?"),
        (Covariate("k", at=0, value=1.0), r"parameter = 'k' is computed by model"),
        (Covariate("CL", at=[0, 1], value=[1, 200]), r"CL = 200 L/day lies outside its bounds"),
        (
            Window("CL", start=0.0, value=1.0, duration=1e-6, every=1e-5),
            r"makes 1e\+06 repeats for one patient, more than 100000",
        ),
        ("oral", r"therapy.drug is 'oral'. Give one of Dose, Infusion"),
    ],
)
def test_therapy_is_checked_against_model_and_time(item: Item, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        check_therapy(MODEL, {"drug": item}, 0.0, 10.0)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            Covariate("V", at=1.0, value=3.0),
            r"therapy.weight and therapy.other are both covariates of V. Join their records",
        ),
        (
            Window("V", start=1.0, scale=2.0),
            r"therapy.other sets V, which follows therapy.weight: its next record would undo it",
        ),
        (
            Rule("central", above=1.0, do=Window("V", scale=2.0)),
            r"therapy.other sets V, which follows therapy.weight",
        ),
    ],
)
def test_parameter_that_is_interpolated_has_no_other_master(other: Item, message: str) -> None:
    weight = Covariate("V", at=[0.0, 2.0], value=[20.0, 30.0], interpolation="linear")
    with pytest.raises(ScenarioError, match=message):
        check_therapy(MODEL, {"weight": weight, "other": other}, 0.0, 10.0)
    if isinstance(other, Window):
        steps = dataclasses.replace(weight, interpolation="locf")
        check_therapy(MODEL, {"weight": steps, "other": other}, 0.0, 10.0)


def test_repeated_windows_that_meet_are_refused() -> None:
    therapy: dict[str, Item] = {
        "a": Window("CL", value=3.0, start=0.0, duration=1.0, every=3.0),
        "b": Window("CL", value=5.0, start=1.0, duration=1.0, every=4.0),
    }
    with pytest.raises(ScenarioError, match=r"both give CL a value from 9 to 10. End one before"):
        check_therapy(MODEL, therapy, 0.0, 20.0)
    check_therapy(MODEL, therapy, 0.0, 9.0)


def test_length_that_a_parameter_gives_is_checked_for_every_patient() -> None:
    short = Infusion("iv", 0.0, duration="one", amount=1.0)
    with pytest.raises(ScenarioError, match=r"therapy.a: it lasts 1e-12. Give .* with a Dose"):
        compiled({"a": short}, n=2, one=[1.0, 1e-12])


def test_steady_state_of_infusions_that_pile_up_is_refused() -> None:
    item = Infusion("iv", 0.0, duration=2.0, rate=1.0, every=1e-3, steady_state=1)
    with pytest.raises(ScenarioError, match=r"therapy.a: 2000 infusions would run at a time"):
        compiled({"a": item})


def test_dose_before_the_start_names_the_patient() -> None:
    item = Dose("iv", np.array([1.0, 0.0, 1.0]), at=np.array([0.0, -9.0, -3.0]))
    with pytest.raises(ScenarioError, match=r"at = -3 \(patient 2\) lies before"):
        check_therapy(MODEL, {"drug": item}, 0.0, 10.0)


def test_array_of_another_length_is_refused_with_a_hint() -> None:
    with pytest.raises(ScenarioError, match=r"at is an array of 3, but .* give a list"):
        check_lengths({"drug": Dose("iv", 1.0, at=np.arange(3.0))}, 1)


def test_items_compare_by_value_and_keep_their_own_arrays() -> None:
    times = np.array([1.0, 2.0])
    dose = Dose("iv", 1.0, at=times)
    times[0] = 5.0
    assert isinstance(dose.at, np.ndarray)
    assert dose.at[0] == 1.0
    assert dose == Dose("iv", 1.0, at=np.array([1.0, 2.0]))
    assert dose != Dose("iv", 1.0, at=[1.0, 2.0])
    assert dose != "iv"
    assert hash(dose) == hash(Dose("iv", 2.0, at=0))
    with pytest.raises(ValueError, match="read-only"):
        dose.at[0] = 3.0

"""Events: what they refuse, and the arrays that they become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carsim.engine.plan import Action, Events
from carsim.errors import ScenarioError
from carsim.model import Model
from carsim.registry import load_model
from carsim.therapy import (
    AddTo,
    Event,
    SetParameter,
    SetState,
    TherapyItem,
    Window,
    check_therapy,
    compile_therapy,
)

MODEL: Model = load_model(str(Path(__file__).with_name("one_compartment.py")))


def events_of(therapy: dict[str, TherapyItem], n: int = 1, **parameters: list[float]) -> Events:
    check_therapy(MODEL, therapy, 0.0, 10.0)
    p = MODEL.parameter_values(parameters, n=n)
    return compile_therapy(MODEL, therapy, p, 0.0, 10.0)[1]


def test_events_become_columns_in_the_order_of_the_therapy() -> None:
    therapy: dict[str, TherapyItem] = {
        "high": Event(
            "concentration",
            above=np.array([1.0, 2.0]),
            do=[SetParameter("CL", 5.0), AddTo("split", 4.0), SetState("clock", 0.0)],
            limit=3,
        ),
        "low": Event("central", below=0.5),
    }
    events = events_of(therapy, n=2)
    n_states = len(MODEL.states)
    assert events.source.tolist() == [n_states, MODEL.state_index["central"]]
    assert events.threshold.tolist() == [[1.0, 0.5], [2.0, 0.5]]
    assert events.direction.tolist() == [1, -1]
    assert events.limit.tolist() == [3, 1]
    assert events.action_offsets.tolist() == [0, 4, 4]
    assert events.action_kind.tolist() == [
        Action.SET_PARAMETER,
        Action.ADD_STATE,
        Action.ADD_STATE,
        Action.SET_STATE,
    ]
    assert events.action_index.tolist() == [MODEL.parameter_index["CL"], 0, 1, 2]
    assert events.action_value.tolist() == [5.0, 1.0, 3.0, 0.0]


def test_no_event_makes_empty_arrays() -> None:
    events = events_of({}, n=3)
    assert events.threshold.shape == (3, 0)
    assert events.action_offsets.tolist() == [0]


def test_route_that_is_the_same_for_all_can_be_dosed_by_an_event() -> None:
    therapy: dict[str, TherapyItem] = {"e": Event("central", above=1.0, do=AddTo("oral", 10.0))}
    assert events_of(therapy, n=2, F=[0.5, 0.5]).action_value.tolist() == [5.0]
    with pytest.raises(ScenarioError, match=r"therapy.e: route 'oral' delivers another fraction"):
        events_of(therapy, n=2, F=[0.5, 0.6])


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Event("centrl", above=1.0), r"therapy.e: when = 'centrl': .* Did you mean 'central'\?"),
        (Event("central", above=1.0, do=AddTo("deepot", 1.0)), r"do\[0\]: state = 'deepot'"),
        (Event("central", above=1.0, do=SetState("oral", 1.0)), r"state = 'oral': .* no state"),
        (Event("central", above=1.0, do=[SetParameter("k", 1.0)]), r"parameter = 'k' is computed"),
        (Event("central", above=1.0, do=[SetParameter("F", 2.0)]), r"F = 2 1 lies outside"),
    ],
)
def test_events_are_checked_against_the_model(event: Event, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        events_of({"e": event})


def test_event_and_window_of_one_parameter_are_refused() -> None:
    therapy: dict[str, TherapyItem] = {
        "rescue": Event("central", above=1.0, do=SetParameter("CL", 5.0)),
        "block": Window("CL", scale=0.5, start=1.0, stop=2.0),
    }
    with pytest.raises(ScenarioError, match=r"therapy.rescue sets CL, which therapy.block also"):
        events_of(therapy)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Event("central"), r"Event when 'central': neither above nor below"),
        (lambda: Event("central", above=1.0, below=2.0), r"both above and below"),
        (lambda: Event("central", above=float("nan")), r"above = nan"),
        (lambda: Event("central", below=[1.0]), r"below = \[1.0\] is a list"),  # type: ignore[arg-type]
        (lambda: Event("central", above=1.0, limit=0), r"limit = 0. Give a whole number from 1"),
        (lambda: Event("central", above=1.0, limit=1.5), r"limit = 1.5"),  # type: ignore[arg-type]
        (lambda: Event("central", above=1.0, do=["dose"]), r"do holds 'dose'. Give AddTo"),  # type: ignore[list-item]
        (lambda: Event("", above=1.0), r"when = '' is not a name"),
        (lambda: AddTo("depot", float("nan")), r"AddTo 'depot': amount = nan"),
        (lambda: SetState("depot", np.zeros(2)), r"value is an array"),  # type: ignore[arg-type]
        (lambda: SetParameter("", 1.0), r"parameter = '' is not a name"),
    ],
)
def test_events_refuse_what_makes_no_sense(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ScenarioError, match=message):
        make()


def test_single_action_needs_no_list() -> None:
    action = AddTo("depot", 1.0)
    assert Event("central", above=1.0, do=action) == Event("central", above=1.0, do=[action])

"""A pool starts with nothing or with something; values below zero are refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from carsim import Assumed, Model, Parameters, State, parameter, state
from carsim.errors import ScenarioError
from carsim.population import Normal, Population
from carsim.scenario import Scenario, prepare
from carsim.therapy import Rule, SetState

WHY = Assumed("test")


class Body(State):
    pool: float = state(1.0, "mg", "drug", atol=1e-6)
    level: float = state(0.0, "1", "deviation", signed=True)


class Rates(Parameters):
    start: float = parameter(2.0, "mg", "what is there", WHY, lower=-10.0)


def rhs(t: float, y: Body, p: Rates) -> Body:
    return Body(pool=-0.1 * y.pool, level=0.0 * y.pool)


def initial(p: Rates) -> Body:
    return Body(pool=p.start, level=-p.start)


MODEL = Model("starts", rhs, Body, Rates, initial=initial)


def start(**fields: Any) -> Any:
    return prepare(Scenario(MODEL, stop=1.0, save_at=[1.0], **fields)).y0


def test_an_initial_value_below_zero_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"initial\.pool = -1 \[mg\] is negative.*signed=True"):
        start(initial={"pool": -1.0})
    with pytest.raises(ScenarioError, match=r"initial\.pool = -2 \[mg\]"):
        start(initial={"pool": np.array([1.0, -2.0])})


def test_a_computed_start_below_zero_names_the_patient() -> None:
    with pytest.raises(ScenarioError, match=r"state 'pool' starts at -3 \[mg\].*signed=True"):
        start(parameters={"start": -3.0})
    with pytest.raises(ScenarioError, match=r"patient 2: state 'pool' starts at -3 \[mg\]"):
        start(parameters={"start": np.array([1.0, 0.0, -3.0])})
    with pytest.raises(ScenarioError, match=r"patient \d+: state 'pool' starts at -"):
        start(population=Population(200, parameters={"start": Normal(1.0, 1.0)}))


def test_rounding_below_zero_is_zero() -> None:
    assert start(parameters={"start": np.array([-1e-7, 1.0])})[:, 0].tolist() == [0.0, 1.0]
    assert start(initial={"pool": -1e-7})[0, 0] == 0.0


def test_a_signed_state_may_be_negative() -> None:
    assert start(initial={"level": -5.0})[0, 1] == -5.0


def test_a_rule_cannot_set_a_pool_below_zero() -> None:
    below: Any = {"r": Rule("pool", below=0.5, do=SetState("pool", -1.0))}
    with pytest.raises(ScenarioError, match=r"value = -1 is negative, and the state 'pool'"):
        start(therapy=below)
    start(therapy={"r": Rule("pool", below=0.5, do=SetState("level", -1.0))})

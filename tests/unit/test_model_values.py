"""Values of parameters and initial states for many patients."""

import math
from typing import Any

import numpy as np
import pytest

from carsim.errors import ModelError, ScenarioError
from carsim.model import (
    Assumed,
    Derived,
    Model,
    Parameters,
    State,
    computed,
    parameter,
    state,
    variant,
)

SOURCE = Assumed("test")


class Y(State):
    x: float = state(3.0, "cell", "cells")
    z: float = state(1.0, "cell", "others")


class P(Parameters):
    k: float = parameter(2.0, "1/day", "loss", SOURCE, lower=0.5, upper=10.0)
    x_0: float = parameter(4.0, "cell", "initial cells", SOURCE)
    s: float = computed("cell/day", "production", Derived("keeps x_0 constant"))


class Plain(Parameters):
    k: float = parameter(2.0, "1/day", "loss", SOURCE, lower=0.5, upper=10.0)
    x_0: float = parameter(4.0, "cell", "initial cells", SOURCE)


def rhs(t: float, y: Y, p: P) -> Y:
    return Y(x=p.s - p.k * y.x, z=0.0)


def plain(t: float, y: Y, p: Plain) -> Y:
    return Y(x=-p.k * y.x, z=0.0)


def initialise(p: P) -> tuple[Y, P]:
    return Y(x=p.x_0, z=1.0), p._replace(s=p.k * p.x_0)


VARIANTS = [
    variant("slow", "slow", {"k": (0.5, SOURCE)}, group="speed"),
    variant("fast", "fast", {"k": (9.0, SOURCE), "x_0": (5.0, SOURCE)}, group="speed"),
    variant("many", "many cells", {"x_0": (100.0, SOURCE)}),
]
MODEL = Model("m", rhs, Y, P, initialise=initialise, variants=VARIANTS)


def simple(**arguments: Any) -> Model:
    return Model("m", plain, Y, Plain, **arguments)


def test_defaults_of_one_patient() -> None:
    np.testing.assert_array_equal(MODEL.parameter_values(), [[2.0, 4.0, math.nan]])


def test_scalars_and_arrays_over_patients() -> None:
    table = MODEL.parameter_values({"k": [1.0, 2.0, 3.0], "x_0": 7})
    np.testing.assert_array_equal(table[:, :2], [[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]])
    assert MODEL.parameter_values(n=4).shape == (4, 3)
    assert MODEL.parameter_values({"k": np.array(1.0)}, n=2)[:, 0].tolist() == [1.0, 1.0]
    assert MODEL.parameter_values({"k": np.empty(0)}).shape == (0, 3)


def test_variants_in_order_and_overrides_last() -> None:
    assert MODEL.parameter_values({}, ["fast", "many"])[0, :2].tolist() == [9.0, 100.0]
    assert MODEL.parameter_values({}, ["many", "fast"])[0, :2].tolist() == [9.0, 5.0]
    assert MODEL.parameter_values({"k": 1.0}, ["fast"])[0, :2].tolist() == [1.0, 5.0]


def test_the_callers_values_stay_as_they_are() -> None:
    values = np.array([1.0, 2.0])
    table = MODEL.parameter_values({"k": values})
    table[:] = 0.0
    assert values.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"overrides": {"kk": 1.0}}, r"model 'm' has no parameter 'kk'\. Did you mean 'k'\?"),
        (
            {"overrides": {"s": 1.0}},
            r"'s' is computed by the model \(derived: keeps x_0 constant\)",
        ),
        ({"overrides": {"k": math.nan}}, r"'k' is nan; give a finite number in \[1/day\]"),
        ({"overrides": {"k": [1.0, math.inf]}}, "'k' is inf for patient 1; give a finite"),
        ({"overrides": {"k": 0.1}}, r"'k' is 0\.1 \[1/day\], below the lower bound 0\.5 \[1/day\]"),
        (
            {"overrides": {"k": [1.0, 11.0, 12.0]}},
            r"'k' is 11 for patient 1 \(and 1 more\) \[1/day\], above the upper bound 10",
        ),
        ({"overrides": {"x_0": -1.0}}, r"'x_0' is -1 \[cell\], below the lower bound 0"),
        ({"overrides": {"k": [1.0, 2.0]}, "n": 3}, "'k' has 2 values for 3 patients; give one"),
        ({"overrides": {"k": [1.0, 2.0]}, "n": 1}, "'k' has 2 values for 1 patient;"),
        (
            {"overrides": {"k": [1.0, 2.0], "x_0": [1.0, 2.0, 3.0]}},
            "'x_0' has 3 values for 2 patients",
        ),
        ({"overrides": {"k": [[1.0]]}}, r"'k' has shape \(1, 1\); give a number or one number per"),
        ({"overrides": {"k": "fast"}}, "'k' is 'fast'; give a number or one number per patient"),
        ({"overrides": {"k": None}}, "'k' is nan; give a finite number"),
        ({"overrides": {"k": {}}}, "'k' is {}; give a number"),
        ({"variants": ["slwo"]}, r"has no variant 'slwo'\. Did you mean 'slow'\?"),
        ({"variants": "slow"}, r"variants is the text 'slow'; give a list: \['slow'\]"),
        ({"variants": ["slow", "fast"]}, "'slow' and 'fast' are both of the group 'speed' and exc"),
    ],
)
def test_wrong_values_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        MODEL.parameter_values(**arguments)


def test_initialise_fills_states_and_computed_parameters() -> None:
    table = MODEL.parameter_values({"k": [1.0, 2.0]})
    states, filled = MODEL.initial_state(table)
    np.testing.assert_array_equal(states, [[4.0, 1.0], [4.0, 1.0]])
    np.testing.assert_array_equal(filled, [[1.0, 4.0, 4.0], [2.0, 4.0, 8.0]])
    assert np.isnan(table[:, 2]).all()


def test_initial_values_of_the_declarations() -> None:
    table = simple().parameter_values(n=2)
    states, filled = simple().initial_state(table)
    np.testing.assert_array_equal(states, [[3.0, 1.0], [3.0, 1.0]])
    assert states.dtype == np.float64
    assert filled is not table


def test_initial_values_from_parameters() -> None:
    model = simple(initial=lambda p: Y(x=2.0 * p.x_0, z=0.0))
    states, _ = model.initial_state(model.parameter_values({"x_0": [1.0, 2.0]}))
    np.testing.assert_array_equal(states, [[2.0, 0.0], [4.0, 0.0]])


def test_a_patient_without_an_initial_state_is_left_to_the_solver() -> None:
    model = simple(initial=lambda p: Y(x=1.0 / p.x_0, z=0.0))
    states, _ = model.initial_state(model.parameter_values({"x_0": [1.0, 0.0]}))
    assert states[:, 0].tolist() == [1.0, math.inf]


def test_a_table_of_wrong_shape_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"has shape \(2,\); expected \(n, 3\)"):
        MODEL.initial_state(np.zeros(2))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda p: Y(x=1.0, z=1.0),
            r"initialise returned Y; return the pair Y\(\.\.\.\), P\(\.\.\.",
        ),
        (lambda p: (p, p), "initialise returned P where a Y is needed"),
        (lambda p: (Y(x=1.0, z=1.0), None), "initialise returned NoneType where a P is needed"),
        (lambda p: (Y(x=1.0, z=1.0), p), "'s' starts as nan with the default parameters"),
        (
            lambda p: (Y(x=1.0, z=1.0), p._replace(s=1.0, k=3.0)),
            "initialise changed the parameter 'k', which is not computed",
        ),
        (
            lambda p: (Y(x=np.zeros(7), z=1.0), p._replace(s=1.0)),  # type: ignore[arg-type]
            r"initialise: 'x' has shape \(7,\); expected one value per patient, \(1,\)",
        ),
        (lambda p: (Y(x=p.a, z=1.0), p), r"p\.a: model 'm', initial values: P has no field 'a'"),
    ],
)
def test_a_wrong_initialise_is_refused(function: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Model("m", rhs, Y, P, initialise=function)

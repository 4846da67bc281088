"""The model: what it knows by name, and what it refuses to be built from."""

import copy
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carsim.errors import ModelError
from carsim.math import log, where
from carsim.model import (
    Assumed,
    Model,
    Observable,
    Parameters,
    State,
    computed,
    observable,
    parameter,
    route,
    state,
    variant,
)
from carsim.registry import load_model

SOURCE = Assumed("test")


class Blood(State):
    cells: float = state(100.0, "cell/mL", "cells", atol=1e-3, extinct_below=0.5)
    virus: float = state(10.0, "virion/mL", "free virus")


class Drug(State):
    central: float = state(0.0, "mg/L", "concentration")


class Body(State):
    hbv: Blood
    drug: Drug


class HBVRates(Parameters):
    beta: float = parameter(
        1e-3, "mL/virion/day", "infection", SOURCE, plausible=(1e-4, 1e-2), upper=1.0
    )
    p: float = parameter(2.0, "virion/cell/day", "production", SOURCE)


class DrugRates(Parameters):
    volume: float = parameter(5.0, "L", "volume", SOURCE)
    k: float = parameter(0.5, "1/day", "elimination", SOURCE)


class Rates(Parameters):
    hbv: HBVRates
    drug: DrugRates


def hbv(y: Blood, p: HBVRates) -> Blood:
    return Blood(cells=-p.beta * y.virus * y.cells, virus=p.p * y.cells)


def rhs(t: float, y: Body, p: Rates) -> Body:
    return Body(hbv=hbv(y.hbv, p.hbv), drug=Drug(central=-p.drug.k * y.drug.central))


@observable("virion/mL", "viral load")
def viral_load(t: float, y: Body, p: Rates) -> float:
    return y.hbv.virus


@observable("mg", "amount of drug", name="drug.amount")
def amount(t: float, y: Body, p: Rates) -> float:
    return y.drug.central * p.drug.volume


ORAL = route("oral", "mg", "tablet", {"drug.central": lambda p: 1.0 / p.drug.volume})
FAST = variant("fast", "fast elimination", {"drug.k": (2.0, SOURCE)}, group="elimination")


def build(**changes: Any) -> Model:
    arguments: dict[str, Any] = {
        "observables": [viral_load, amount],
        "routes": [ORAL],
        "variants": [FAST],
        "reference": "nobody",
    }
    return Model("body", rhs, Body, Rates, **(arguments | changes))


MODEL = build()


def test_names_and_indices_are_in_order_of_declaration() -> None:
    assert MODEL.state_names == ("hbv.cells", "hbv.virus", "drug.central")
    assert MODEL.parameter_names == ("hbv.beta", "hbv.p", "drug.volume", "drug.k")
    assert MODEL.observable_names == ("viral_load", "drug.amount")
    assert MODEL.state_index == {"hbv.cells": 0, "hbv.virus": 1, "drug.central": 2}
    assert MODEL.parameter_index["drug.k"] == 3
    assert list(MODEL.routes) == ["oral"]
    assert list(MODEL.variants) == ["fast"]


def test_fields_carry_what_was_declared() -> None:
    cells = MODEL.states[0]
    assert (cells.initial, cells.unit, cells.words) == (100.0, "cell/mL", "cells")
    assert (cells.atol, cells.extinct_below) == (1e-3, 0.5)
    assert (MODEL.states[1].atol, MODEL.states[1].extinct_below) == (1e-6, None)
    beta = MODEL.parameters[0]
    assert (beta.name, beta.value, beta.plausible) == ("hbv.beta", 1e-3, (1e-4, 1e-2))
    assert (beta.lower, beta.upper, beta.computed) == (0.0, 1.0, False)
    assert beta.provenance is SOURCE


def test_what_is_known_about_the_model() -> None:
    assert MODEL.name == "body"
    assert MODEL.time_unit == "day"
    assert MODEL.reference == "nobody"
    assert MODEL.file == __file__
    assert MODEL.doc.startswith("The model: what it knows by name")
    assert repr(MODEL) == "<Model 'body': 3 states, 4 parameters, 2 observables>"


def test_units_and_words_by_name() -> None:
    assert MODEL.unit_of("hbv.virus") == "virion/mL"
    assert MODEL.unit_of("drug.amount") == "mg"
    assert MODEL.unit_of("drug.k") == "1/day"
    assert MODEL.unit_of("oral") == "mg"
    assert MODEL.words_of("drug.volume") == "volume"
    with pytest.raises(
        ModelError, match=r"'body' has no state, observable or parameter 'virus'. Did"
    ):
        MODEL.unit_of("virus")


def test_records_and_flat_values() -> None:
    y = MODEL.state_record([1.0, 2.0, 3.0])
    assert (y.hbv.cells, y.hbv.virus, y.drug.central) == (1.0, 2.0, 3.0)
    assert MODEL.flatten(y) == [1.0, 2.0, 3.0]
    p = MODEL.parameter_record(range(4))
    assert p.drug.k == 3
    assert MODEL.flatten(p) == [0, 1, 2, 3]
    with pytest.raises(ModelError, match="has 3 states; 2 values were given"):
        MODEL.state_record([1.0, 2.0])
    with pytest.raises(ModelError, match="expected a Body or a Rates record, got Blood"):
        MODEL.flatten(y.hbv)


def test_derivatives_and_observables_in_plain_python() -> None:
    assert MODEL.derivatives(0.0, [100.0, 10.0, 4.0], [1e-3, 2.0, 5.0, 0.5]) == [-1.0, 200.0, -2.0]
    assert MODEL.observe(0.0, [100.0, 10.0, 4.0], [1e-3, 2.0, 5.0, 0.5]) == {
        "viral_load": 10.0,
        "drug.amount": 20.0,
    }


def test_derivatives_of_many_patients() -> None:
    y = [np.array([100.0, 200.0]), np.array([10.0, 10.0]), np.zeros(2)]
    result = MODEL.derivatives(0.0, y, [1e-3, 2.0, 5.0, 0.5])
    np.testing.assert_allclose(result[0], [-1.0, -2.0])


def test_an_observable_can_be_called() -> None:
    assert isinstance(viral_load, Observable)
    assert viral_load(0.0, MODEL.state_record([1.0, 2.0, 3.0]), None) == 2.0


def test_a_model_is_copied_as_itself() -> None:
    assert copy.copy(MODEL) is MODEL
    assert copy.deepcopy({"model": MODEL})["model"] is MODEL


def test_a_model_is_pickled_as_the_name_of_its_module() -> None:
    assert pickle.loads(pickle.dumps(MODEL)) is MODEL
    with pytest.raises(
        ModelError, match=r"cannot be sent to another process: .* MODEL in its file"
    ):
        pickle.dumps(build())


def test_declarations_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        MODEL.routes["oral"].fractions["x"] = 1.0  # type: ignore[index]
    with pytest.raises(TypeError):
        MODEL.state_index["x"] = 1  # type: ignore[index]


# --- what a model refuses to be built from ---------------------------------------------------


class One(State):
    x: float = state(1.0, "cell", "cells")
    z: float = state(0.0, "cell", "others")


class K(Parameters):
    k: float = parameter(1.0, "1/day", "rate", SOURCE)


Equations = Callable[[Any, Any, Any], Any]


def one(equations: Equations, **arguments: Any) -> Model:
    return Model("one", equations, One, K, **arguments)


def still(t: Any, y: Any, p: Any) -> Any:
    return One(x=0.0, z=0.0)


def branching(t: Any, y: Any, p: Any) -> Any:
    rate = p.k
    if y.x > 0.5:
        rate = 0.0
    return One(x=-rate * y.x, z=0.0)


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        (lambda t, y, p: One(x=1.0), r"test_model\.py:\d+: One\(x=1\.0\): .* missing 'z'"),  # type: ignore[call-arg]
        (lambda t, y, p: One(x=1.0, z=1.0, a=1.0), "One has no field 'a'"),  # type: ignore[call-arg]
        (lambda t, y, p: One(x=y.xx, z=0.0), r"test_model\.py:\d+: y\.xx: .* no field 'xx'"),
        (lambda t, y, p: One(x=p.kk, z=0.0), r"p\.kk: .* K has no field 'kk'"),
        (lambda t, y, p: None, r"returned None; return One\(\.\.\.\)"),
        (lambda t, y, p: p, "returned a K"),
        (
            lambda t, y, p: One(x=1.0 / (y.x - 1.0), z=0.0),
            "derivative of 'x' is inf at the initial",
        ),
        (lambda t, y, p: One(x=log(y.z), z=0.0), "derivative of 'x' is -inf"),
        (branching, r"test_model\.py:\d+: y\.x > 0\.5: .* decides a Python branch .* where\(cond"),
        (lambda t, y, p: One(x=min(y.x, 0.0), z=0.0), "decides a Python branch"),
        (lambda t, y, p: One(x=y.x and p.k, z=0.0), "decides a Python branch"),
        (lambda t, y, p: One(x=1.0 if t > 3 else 0.0, z=0.0), "t > 3.*the time decides a Python"),
        (lambda t, y, p: One(x=0.0 if p.k == 1 else 1.0, z=0.0), "decides a Python branch"),
        (lambda t, y, p: One(x=math.exp(y.x), z=0.0), r"math\.exp\(y\.x\): .*carsim\.math instead"),
        (lambda t, y, p: One(x=np.exp(y.x), z=0.0), r"np\.exp\(y\.x\): .*carsim\.math instead"),
        (lambda t, y, p: One(x=float(y.x), z=0.0), "is converted to a Python number"),
        (lambda t, y, p: One(x=y.x // 2, z=0.0), r"y\.x // 2: .* '//' and '%' jump"),
        (lambda t, y, p: One(x=y.x[0], z=0.0), r"y\.x\[0\]: .*TypeError: .* not subscriptable"),
    ],
)
def test_wrong_equations_are_refused(equations: Equations, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        one(equations)


def test_equations_may_use_numpy_numbers_and_conditions() -> None:
    two = np.float64(2.0)

    def equations(t: Any, y: Any, p: Any) -> Any:
        low = (y.x < two) & ~(y.z > two) | (two == y.x)
        return One(x=where(low, -two * y.x, abs(y.z)) - y.x**2, z=+y.x)

    assert one(equations).derivatives(0.0, [1.0, 0.0], [1.0]) == [-3.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"time_unit": "mL"}, "time_unit is 'mL', which is not a time"),
        ({"time_unit": "days"}, "time_unit: Unit 'days': unknown unit 'days'. Did you mean 'day'"),
        ({"observables": [still]}, "observables holds .*, which is not one; decorate the"),
        (
            {"observables": [Observable("x", "1", "w", still)]},
            "observable 'x': a state has the same",
        ),
        (
            {"observables": [Observable("k", "1", "w", still)]},
            "observable 'k': a parameter has the",
        ),
        (
            {"observables": [Observable("time", "1", "w", still)]},
            "'time': the result uses this name",
        ),
        ({"observables": [Observable("a b", "1", "w", still)]}, "a name is made of letters"),
        (
            {"observables": [Observable("o", "ml", "w", still)]},
            "observable 'o': Unit 'ml': unknown",
        ),
        (
            {"observables": [Observable("o", "1", "", still)]},
            "observable 'o': the description is ''",
        ),
        (
            {"observables": [Observable("o", "1", "w", still)]},
            "returned the record One, not a numb",
        ),
        (
            {"observables": [Observable("o", "1", "w", lambda t, y, p: y.a)]},
            r"y\.a: model 'one', observable 'o': One has no field 'a'",
        ),
        (
            {"observables": [Observable("o", "1", "w", lambda t, y, p: None)]},
            "observable 'o': returned None, not a number",
        ),
        (
            {"routes": [route("r", "cell", "w", {"y": 1.0})]},
            "route 'r': the model has no state 'y'",
        ),
        ({"routes": [route("r", "cell", "w", {})]}, "route 'r' leads into no state"),
        ({"routes": [route("x", "cell", "w", {"x": 1.0})]}, "route 'x': a state has the same name"),
        ({"routes": [route("r", "cell", "w", {"x": math.nan})]}, "fraction for 'x' is nan"),
        (
            {"routes": [route("r", "cell", "w", {"x": lambda p: p.q})]},
            "route 'r', fraction for 'x': K has no field 'q'",
        ),
        ({"routes": [route("r", "cell", "w", {"x": 1.0})] * 2}, "route 'r' is declared twice"),
        (
            {"variants": [variant("v", "w", {"kk": (1.0, SOURCE)})]},
            "variant 'v': the model has no parameter 'kk'. Did you mean 'k'",
        ),
        (
            {"variants": [variant("v", "w", {"k": 1.0})]},  # type: ignore[dict-item]
            "'k' is 1.0; write .value in .1/day., sour",
        ),
        (
            {"variants": [variant("v", "w", {"k": (1.0, "me")})]},  # type: ignore[dict-item]
            "variant 'v': 'k': the source is 'me'. Write Cited",
        ),
        (
            {"variants": [variant("v", "w", {"k": (-1.0, SOURCE)})]},
            "'k' = -1 is outside of its bounds 0 to inf",
        ),
        ({"initial": lambda p: None}, "returned None; return One"),
        ({"initial": lambda p: One(x=p.a, z=0.0)}, r"p\.a: model 'one', initial: K has no field"),
        (
            {"initial": lambda p: One(x=log(0.0 * p.k), z=0.0)},
            "'x' starts as -inf with the default parameters",
        ),
        ({"initial": still, "initialise": still}, "give initial= or initialise=, not both"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        one(still, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("two words", still, One, K), r"Model\('two words', \.\.\.\): the name must be one word"),
        (("m", "rhs", One, K), r"rhs must be a function rhs\(t, y, p\), got 'rhs'"),
        (("m", still, K, One), "got <class .*K'> where the State class belongs"),
        (("m", still, One, One), "where the Parameters class belongs"),
    ],
)
def test_wrong_kinds_of_arguments_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Model(*arguments)


def _record(kind: Any, **declarations: Any) -> Any:
    """A record class made on the fly."""
    body = {"__annotations__": dict.fromkeys(declarations, float), "__module__": __name__}
    return type(kind)("Wrong", (kind,), body | declarations)


def _parameters(**declaration: Any) -> Any:
    """A record with the parameter `k`, declared as given."""
    arguments: dict[str, Any] = {"value": 1.0, "unit": "1/day", "words": "w", "provenance": SOURCE}
    field = parameter(**(arguments | declaration))
    return _record(Parameters, k=field)


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        (
            {"provenance": None},
            r"parameter 'k' \(.*test_model\.py:\d+\): the source is None. Write C",
        ),
        ({"provenance": "paper"}, "the source is 'paper'"),
        ({"unit": "1/days"}, "Did you mean 'day'"),
        ({"unit": ""}, "'' is not a unit"),
        ({"words": ""}, "the description is ''; say in words"),
        ({"value": math.nan}, "the value is nan; give a finite number"),
        ({"value": "1"}, "the value is '1'; give a finite number"),
        ({"value": True}, "the value is True"),
        ({"value": -1.0}, "the value -1 is outside of its bounds 0 to inf .* unless lower= says"),
        ({"upper": 0.5}, "outside of its bounds 0 to 0.5"),
        ({"plausible": (2.0, 1.0)}, r"plausible is \(2\.0, 1\.0\); give \(low, high\)"),
        ({"plausible": (-1.0, 1.0)}, "both within 0 to inf"),
        ({"plausible": 3.0}, "plausible is 3.0"),
    ],
)
def test_wrong_parameters_are_refused(declaration: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Model("m", still, One, _parameters(**declaration))


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ({"unit": "cells"}, r"state 'x' \(.*\): Unit 'cells': .* Did you mean 'cell'"),
        ({"initial": math.inf}, "the initial value is inf"),
        ({"atol": 0.0}, "atol is 0.0; give a positive number"),
        ({"extinct_below": -1.0}, "extinct_below is -1.0; give a positive number or None"),
        ({"provenance": "x"}, "the source is 'x'"),
        ({"words": None}, "the description is None"),
    ],
)
def test_wrong_states_are_refused(declaration: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"initial": 1.0, "unit": "cell", "words": "w"} | declaration
    record = _record(State, x=state(**arguments))
    with pytest.raises(ModelError, match=message):
        Model("m", still, record, K)


def test_all_wrong_declarations_are_listed_at_once() -> None:
    with pytest.raises(ModelError) as caught:
        Model("m", still, One, _parameters(unit="x", words="", provenance=None))
    assert str(caught.value).count("\n  parameter 'k'") == 3


def test_reserved_names_are_refused() -> None:
    record = _record(State, time=state(1.0, "1", "w"))
    with pytest.raises(ModelError, match="state 'time': the result uses this name itself"):
        Model("m", still, record, K)


def test_a_model_without_states_is_refused() -> None:
    with pytest.raises(ModelError, match="the record Wrong has no states"):
        Model("m", still, _record(State), K)


def test_computed_parameters_need_initialise() -> None:
    record = _record(Parameters, k=computed("1/day", "w", SOURCE))
    with pytest.raises(
        ModelError, match=r"parameters 'k' are computed, but Model\(initialise=\.\.\.\)"
    ):
        Model("m", still, One, record)


# --- the digest of the sources --------------------------------------------------------------

FILE = '''"""A model in a file."""

from carsim import Assumed, Model, Parameters, State, parameter, state


class Y(State):
    x: float = state(1.0, "cell", "cells")


class P(Parameters):
    k: float = parameter(1.0, "1/day", "rate", Assumed("test"))


def rhs(t: float, y: Y, p: P) -> Y:
    return Y(x=-p.k * y.x)


MODEL = Model("file", rhs, Y, P)
'''


def test_the_digest_changes_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    file.write_text(FILE)
    first = load_model(str(file)).hash
    assert len(first) == 64
    assert load_model(str(file)).hash == first
    file.write_text(FILE.replace("-p.k", "-2.0 * p.k"))
    assert load_model(str(file)).hash != first
    assert MODEL.hash != first


def test_the_area_is_a_text() -> None:
    assert build(area="virus").area == "virus"
    with pytest.raises(ModelError, match=r"area is 3; write the section of the catalogue"):
        build(area=3)

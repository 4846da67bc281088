"""Records of states and parameters, their declarations, and where numbers come from."""

import copy
import pickle
from typing import Any

import pytest

from carsim.errors import ModelError
from carsim.model import Assumed, Cited, Derived, Parameters, State, computed, parameter, state
from carsim.model.records import leaves

SOURCE = Assumed("test")


class Blood(State):
    target: float = state(1.0e7, "cell/mL", "uninfected cells")
    virus: float = state(1.0e2, "virion/mL", "free virus", SOURCE, atol=1e-3, extinct_below=0.5)


class Rates(Parameters):
    beta: float = parameter(5e-8, "mL/virion/day", "infection", SOURCE, plausible=(1e-9, 1e-6))
    s: float = computed("1/day", "production", Derived("steady state"))


class Body(State):
    liver: Blood
    blood: Blood
    drug: float = state(0.0, "mg", "drug")


class Extended(Blood):
    effector: float = state(1.0, "cell/mL", "effectors")

    @property
    def both(self) -> float:
        """Sum of two fields."""
        return self.target + self.effector


def test_fields_in_order_of_declaration() -> None:
    assert Blood._fields == ("target", "virus")
    assert Extended._fields == ("target", "virus", "effector")
    assert [name for name, _ in leaves(Body)] == [
        "liver.target",
        "liver.virus",
        "blood.target",
        "blood.virus",
        "drug",
    ]


def test_a_record_behaves_like_a_named_tuple() -> None:
    y = Blood(target=1.0, virus=2.0)
    assert (y.target, y.virus) == (1.0, 2.0)
    assert tuple(y) == (1.0, 2.0)
    assert len(y) == 2
    assert repr(y) == "Blood(target=1.0, virus=2.0)"
    assert y == Blood(virus=2.0, target=1.0)
    assert hash(y) == hash(Blood(target=1.0, virus=2.0))
    assert y != Blood(target=1.0, virus=3.0)
    assert y != (1.0, 2.0)
    assert y._asdict() == {"target": 1.0, "virus": 2.0}
    assert y._replace(virus=5.0) == Blood(target=1.0, virus=5.0)
    assert y.virus == 2.0
    assert Extended(target=1.0, virus=2.0, effector=3.0).both == 4.0


def test_fields_keep_their_order_however_they_are_given() -> None:
    assert tuple(Blood(virus=2.0, target=1.0)) == (1.0, 2.0)


def test_a_record_is_copied_and_pickled() -> None:
    y = Body(liver=Blood(target=1.0, virus=2.0), blood=Blood(target=3.0, virus=4.0), drug=5.0)
    assert pickle.loads(pickle.dumps(y)) == y
    assert copy.deepcopy(y) == y


def test_a_record_is_immutable() -> None:
    y = Blood(target=1.0, virus=2.0)
    with pytest.raises(
        AttributeError, match=r"immutable: build a new one with _replace\(virus=\.\.\.\)"
    ):
        y.virus = 3.0  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        del y.virus


def test_a_misspelt_field_offers_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"Blood has no field 'virous'. Did you mean 'virus'?"):
        Blood(target=1.0, virus=2.0).virous  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(Blood(target=1.0, virus=2.0), "other")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 1.0}, r"Blood\(\.\.\.\) is missing 'virus': every field needs its derivative"),
        ({}, "is missing 'target', 'virus'"),
        ({"target": 1.0, "viruss": 1.0}, "Blood has no field 'viruss'. Did you mean 'virus'?"),
        ({"target": 1.0, "virus": None}, r"virus=\.\.\.\): expected a number, got None\. Does a"),
        ({"target": 1.0, "virus": (1.0,)}, "expected a number, got a tuple"),
        ({"target": 1.0, "virus": "1"}, "expected a number, got a str"),
        ({"target": 1.0, "virus": True}, "expected a number, got a bool"),
    ],
)
def test_wrong_fields_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Blood(**arguments)


def test_positions_are_refused() -> None:
    with pytest.raises(
        ModelError, match=r"write every field with its name, Blood\(target=\.\.\., v"
    ):
        Blood(1.0, 2.0)  # type: ignore[call-arg]


def test_missing_parameter() -> None:
    with pytest.raises(
        ModelError, match=r"Rates\(\.\.\.\) is missing 's': every field needs its va"
    ):
        Rates(beta=1.0)  # type: ignore[call-arg]


def test_nested_records_are_checked() -> None:
    blood = Blood(target=1.0, virus=2.0)
    with pytest.raises(
        ModelError, match=r"Body\(blood=\.\.\.\): expected a Blood record, got a flo"
    ):
        Body(liver=blood, blood=1.0, drug=0.0)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"Body\(drug=\.\.\.\): expected a number, got a Blood"):
        Body(liver=blood, blood=blood, drug=blood)  # type: ignore[arg-type]


def _declare(kind: type, annotations: dict[str, Any], **declarations: Any) -> None:
    body = {"__annotations__": annotations, "__module__": __name__, **declarations}
    type(kind)("Wrong", (kind,), body)


@pytest.mark.parametrize(
    ("kind", "annotations", "declarations", "message"),
    [
        (State, {"a": float}, {}, "'a' has no declaration. Write 'a: float = state"),
        (Parameters, {"a": float}, {}, "'a' has no declaration. Write 'a: float = parameter"),
        (State, {"a": int}, {"a": state(1.0, "1", "x")}, "annotate 'a' with float"),
        (State, {}, {"a": state(1.0, "1", "x")}, r"write 'a: float = \.\.\.', with the annotation"),
        (State, {"_a": float}, {"_a": state(1.0, "1", "x")}, "cannot start with an underscore"),
        (State, {"a": Rates}, {}, "'a' is a Rates; a State record nests State records only"),
        (
            State,
            {"a": Blood},
            {"a": state(1.0, "1", "x")},
            "'a' is a nested record and takes no de",
        ),
        (State, {"a": "Later"}, {}, "define nested records before they are used"),
        (
            State,
            {"a": float},
            {"a": parameter(1.0, "1", "x", SOURCE)},
            "'a' is declared with the wrong function",
        ),
        (
            Parameters,
            {"a": float},
            {"a": state(1.0, "1", "x")},
            "'a' is declared with the wrong function. Write 'a: float = parameter",
        ),
    ],
)
def test_wrong_declarations_are_refused(
    kind: type, annotations: dict[str, Any], declarations: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        _declare(kind, annotations, **declarations)


def test_annotations_may_be_text() -> None:
    _declare(State, {"a": "float", "b": "Blood"}, a=state(1.0, "1", "x"))


def test_a_parameter_without_a_source_says_what_to_write() -> None:
    with pytest.raises(ModelError) as caught:
        parameter(1.0, "1/day", "words")  # type: ignore[call-arg]
    text = str(caught.value)
    assert "missing 1 required positional argument: 'provenance'" in text
    assert 'Cited("10.1234/doi").at("Table 2")' in text
    assert "test_model_records.py:" in text


def test_a_state_without_a_unit_says_what_to_write() -> None:
    with pytest.raises(
        ModelError, match=r"state\(\.\.\.\): missing 2 required .* Write virus: float"
    ):
        state(1.0)  # type: ignore[call-arg]


def test_a_computed_parameter_without_a_source_says_what_to_write() -> None:
    with pytest.raises(
        ModelError, match=r"computed\(\.\.\.\): missing 1 .* Write s_E: float = comp"
    ):
        computed("1/day", "words")  # type: ignore[call-arg]


def test_texts_of_sources() -> None:
    paper = Cited("10.1002/psp4.12388")
    assert paper.text == "doi:10.1002/psp4.12388"
    assert paper.at("Table 1").text == "doi:10.1002/psp4.12388, Table 1"
    assert paper.where == ""
    assert Derived("half of it").text == "derived: half of it"
    assert Assumed("no data").text == "assumed: no data"
    assert paper.at("Table 1") == Cited("10.1002/psp4.12388", "Table 1")


@pytest.mark.parametrize(
    "doi", ["https://doi.org/10.1002/psp4.12388", "doi:10.1/x", "10.1002", "PMID 123", "", None]
)
def test_what_is_no_doi_is_refused(doi: Any) -> None:
    with pytest.raises(ModelError, match=r"not a DOI. Write the part from '10\.' on"):
        Cited(doi)


@pytest.mark.parametrize("words", ["", "  ", None])
def test_sources_need_words(words: Any) -> None:
    with pytest.raises(ModelError, match="say in words how the number was derived"):
        Derived(words)
    with pytest.raises(ModelError, match="say in words why the number was chosen"):
        Assumed(words)

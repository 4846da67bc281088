"""What every model of the library must pass."""

from __future__ import annotations

import pytest

from carsim.model import Assumed, Cited, Derived
from carsim.registry import list_models, load_model
from carsim.testing import check_model

NAMES = list_models()


@pytest.mark.parametrize("name", NAMES)
def test_kernels_units_and_a_default_run(name: str) -> None:
    check_model(load_model(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_module_name_is_the_model_name(name: str) -> None:
    assert load_model(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_says_where_it_comes_from(name: str) -> None:
    for parameter in load_model(name).parameters:
        assert isinstance(parameter.provenance, Assumed | Cited | Derived)
        if isinstance(parameter.provenance, Cited):
            assert parameter.provenance.where, f"{parameter.name}: say which table or figure"

"""What every model of the library must pass."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import carsim_models
from carsim.model import Assumed, Cited, Derived, Model
from carsim.testing import check_model

NAMES = [module.name for module in pkgutil.iter_modules(carsim_models.__path__)]


def load(name: str) -> Model:
    model = importlib.import_module(f"carsim_models.{name}").MODEL
    assert isinstance(model, Model)
    return model


@pytest.mark.parametrize("name", NAMES)
def test_kernels_units_and_a_default_run(name: str) -> None:
    check_model(load(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_module_name_is_the_model_name(name: str) -> None:
    assert load(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_says_where_it_comes_from(name: str) -> None:
    for parameter in load(name).parameters:
        assert isinstance(parameter.provenance, Assumed | Cited | Derived)
        if isinstance(parameter.provenance, Cited):
            assert parameter.provenance.where, f"{parameter.name}: say which table or figure"

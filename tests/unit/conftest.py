"""Compiled toy models, each once for all tests of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from carsim.engine.program import Program
from carsim.kernels import compile_model
from carsim.model import Model
from carsim.registry import load_model

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def one_compartment() -> Model:
    """States depot, central, clock; parameters ka, CL, V, F, one, k; observable concentration."""
    return load_model(str(HERE / "one_compartment.py"))


@pytest.fixture(scope="session")
def body(one_compartment: Model) -> Program:
    return compile_model(one_compartment)

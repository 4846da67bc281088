"""Problems with known solutions, and single steps of the compiled engine."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from carsim.engine.program import Program
from carsim.kernels import compile_model
from carsim.model import Model
from carsim.registry import load_model

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def reference_stepper() -> ModuleType:
    """The twin in NumPy; loaded by path, so that the tests need not be a package."""
    path = HERE / "reference_stepper.py"
    specification = importlib.util.spec_from_file_location("reference_stepper", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def kaps() -> Model:
    return load_model(str(HERE / "problems" / "kaps.py"))


@pytest.fixture(scope="session")
def forced() -> Model:
    return load_model(str(HERE / "problems" / "forced.py"))


@pytest.fixture(scope="session")
def kaps_program(kaps: Model) -> Program:
    return compile_model(kaps)


@pytest.fixture(scope="session")
def forced_program(forced: Model) -> Program:
    return compile_model(forced)

"""The public names of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import carsim


def test_every_public_name_exists() -> None:
    for name in carsim.__all__:
        assert getattr(carsim, name).__name__ == name


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(carsim.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: statement.module
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert seen == carsim._PUBLIC


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'carsim' has no attribute 'nothing'"):
        carsim.nothing  # noqa: B018


def test_names_are_listed() -> None:
    assert {"Model", "load_model", "__version__"} <= set(dir(carsim))


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, carsim; print([m for m in ('numpy', 'numba', 'xarray') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"

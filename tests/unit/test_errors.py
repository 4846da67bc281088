"""The tree of errors and the words they share."""

from __future__ import annotations

import pytest

from carsim.errors import (
    CarsimError,
    ConfigError,
    ModelError,
    ScenarioError,
    SolverError,
    did_you_mean,
    unknown,
)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [(ScenarioError, ValueError), (ConfigError, ValueError), (SolverError, RuntimeError)],
)
def test_errors_are_also_the_builtin_that_fits(
    error: type[CarsimError], builtin: type[Exception]
) -> None:
    assert issubclass(error, CarsimError)
    assert issubclass(error, builtin)


def test_model_error_is_no_value_error() -> None:
    assert issubclass(ModelError, CarsimError)
    assert not issubclass(ModelError, ValueError)


@pytest.mark.parametrize(
    ("given", "known", "expected"),
    [
        ("bata", ["alpha", "beta"], " Did you mean 'beta'?"),
        ("Beta", ["alpha", "beta"], " Did you mean 'beta'?"),
        ("beta", ["hbv.beta", "hbv.delta"], " Did you mean 'hbv.beta'?"),
        ("hbv.bta", ["hbv.beta", "hbv.delta"], " Did you mean 'hbv.beta'?"),
        ("k", ["cart.k", "hbv.k"], " Did you mean 'cart.k' or 'hbv.k'?"),
        ("xyz", ["a", "b"], " Known: a, b."),
        ("xyz", [], ""),
    ],
)
def test_nearest_name(given: str, known: list[str], expected: str) -> None:
    assert did_you_mean(given, known) == expected


def test_a_long_list_is_cut() -> None:
    text = did_you_mean("xyz", [f"name_{i}" for i in range(40)])
    assert text.endswith("name_7, ... (40 in all).")


def test_unknown_names_read_as_one_sentence() -> None:
    assert unknown("parameter", "bata", ["beta"], "model 'm'") == (
        "model 'm' has no parameter 'bata'. Did you mean 'beta'?"
    )

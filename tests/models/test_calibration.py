"""The calibration: its numbers are the model's, its steps can be run again, its tools work."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from carsim_models.cart_hbv import MODEL
from carsim_models.cart_hbv.populations import spread

FOLDER = Path(__file__).parents[2] / "models" / "calibration"

if not FOLDER.is_dir():
    pytest.skip("models/calibration is part of the source tree only", allow_module_level=True)

emulator = importlib.import_module("calibration.emulator")

# The model holds two or three digits of what a script found.
ROUNDED = 0.03


def fitted(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())["fitted"]
    return found


def value_of(name: str, product: str) -> float:
    overridden = MODEL.variants[product].values
    if name in overridden:
        return float(overridden[name][0])
    return float(MODEL.parameters[MODEL.parameter_index[name]].value)


@pytest.mark.parametrize("product", ["19-BBz", "19-28z"])
def test_typical_courses_are_in_the_model(product: str) -> None:
    found = fitted("typical_courses")
    for name, entry in {**found["both"], **found[product]}.items():
        assert value_of(name, product) == pytest.approx(entry["value"], rel=ROUNDED), name


def test_typical_courses_can_be_fitted_again() -> None:
    module = importlib.import_module("calibration.typical_courses")
    again = module.fit()
    found = fitted("typical_courses")
    for (whose, knob), line in zip(module.names(), again.x, strict=True):
        value = float(module.from_line(knob, line))
        assert value == pytest.approx(found[whose][knob.name]["value"], rel=0.01), knob.name


def test_grades_are_in_the_model() -> None:
    for name, value in fitted("grades").items():
        assert value_of(name, "19-BBz") == pytest.approx(value, abs=2e-3)


@pytest.mark.parametrize("script", ["response", "reactivation"])
def test_the_best_point_is_in_the_population(script: str) -> None:
    here = spread()
    for name, entry in fitted(script).items():
        assert getattr(here, name) == pytest.approx(entry["value"], rel=ROUNDED), name
        assert entry["low"] < entry["median"] < entry["high"]


def test_a_quadratic_is_emulated_exactly() -> None:
    rng = np.random.default_rng(1)
    u = rng.random((64, 3))
    x = 2.0 * u - 1.0
    truth = 0.3 + x @ [1.0, -2.0, 0.5] + 0.7 * x[:, 0] * x[:, 1] - 0.4 * x[:, 2] ** 2
    statistic = emulator.Value("made up", 0.0, 1.0, "none")
    made = emulator.fit(statistic, u, truth)
    np.testing.assert_allclose(made.line(u), truth, atol=5e-3)
    assert made.error < 5e-3


def test_the_sampler_finds_a_posterior_known_in_closed_form() -> None:
    """A rate with a uniform prior after 3 of 12: beta(4, 10)."""
    statistic = emulator.Count("made up", 3, 12, "none")

    class Identity:
        """Emulator of a rate that is its own knob, without error."""

        def __init__(self) -> None:
            self.statistic = statistic
            self.error = 0.0

        def line(self, u: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            rate = np.clip(u[:, 0], 1e-12, 1.0 - 1e-12)
            return np.asarray(np.log(rate / (1.0 - rate)))

    posterior = emulator.sample([Identity()], np.array([[0.0, 1.0]]), 5, walkers=100, steps=1000)
    expected = beta(4, 10)
    for level in (0.1, 0.5, 0.9):
        assert np.quantile(posterior, level) == pytest.approx(expected.ppf(level), abs=0.02)


def test_errors_of_the_emulator_widen_the_likelihood() -> None:
    statistic = emulator.Count("made up", 0, 20, "none")
    line = np.array([np.log(0.3 / 0.7)])
    exact, vague = (statistic.log_likelihood(line, error)[0] for error in (0.0, 1.0))
    assert exact == pytest.approx(20 * np.log(0.7), rel=1e-9)
    assert vague > exact

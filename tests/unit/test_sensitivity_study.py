"""Sensitivity studies of models against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from carsim.design import Axis
from carsim.errors import CarsimError, ScenarioError
from carsim.metrics import Last
from carsim.population import LogNormal, Population
from carsim.scenario import Scenario
from carsim.sensitivity import LocalStudy, Moment, Output, Study, prcc, rebuild_study
from carsim.therapy import Dose
from tests.unit.one_compartment import MODEL

TIME = 2.0


def scenario(patients: int = 5, **changes: Any) -> Scenario:
    """A tablet: amount * F * exp(-ka * t) is left in the gut."""
    population = Population(patients, seed=3, parameters={"F": LogNormal(sigma=0.1, upper=1.0)})
    given: dict[str, Any] = {
        "therapy": {"tablet": Dose("oral", 10.0, at=0.0)},
        "population": population,
        "stop": TIME,
        "metrics": {"left": Last("depot"), "ticks": Last("clock")},
    }
    return Scenario(MODEL, **(given | changes))


AMOUNT = Axis("therapy.tablet.amount", low=5.0, high=15.0, name="amount")
KA = Axis("parameters.ka", low=0.5, high=2.0, name="ka")


def product_indices() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Of the product of a uniform amount and exp(-ka t) with uniform ka."""
    mean = np.array([10.0, (np.exp(-0.5 * TIME) - np.exp(-2.0 * TIME)) / (1.5 * TIME)])
    square = (np.exp(-TIME) - np.exp(-4.0 * TIME)) / (3.0 * TIME)
    spread = np.array([100.0 / 12.0, square - mean[1] ** 2])
    both = np.prod(mean**2 + spread) - np.prod(mean**2)
    others = mean[::-1] ** 2
    return spread * others / both, spread * (others + spread[::-1]) / both


def left_alone(found: xr.Dataset) -> np.ndarray[Any, Any]:
    """What is left with full bioavailability at each point of a study."""
    amount, ka = (found.factor_value.sel(factor=name).values for name in ("amount", "ka"))
    left: np.ndarray[Any, Any] = amount * np.exp(-ka * TIME)
    return left


def test_sobol_indices_of_a_simulated_product() -> None:
    study = Study(scenario(), "sobol", [Output("left")], [AMOUNT, KA], samples=2**10, seed=2)
    found = study.run()
    first, total = product_indices()
    np.testing.assert_allclose(found.first_order.sel(output="left"), first, atol=0.01)
    np.testing.assert_allclose(found.total_order.sel(output="left"), total, atol=0.01)
    assert found.attrs["simulations"] == 2**10 * 4 * 5
    assert found.factor_unit.values.tolist() == ["mg", "1/day"]
    assert str(found.output_unit.values[0]) == "mg"


def test_the_same_patients_are_at_all_points() -> None:
    """Mean over patients: amount * exp(-ka t) times the mean F of the cohort, at every point."""
    found = Study(scenario(), "morris", [Output("left")], [AMOUNT, KA], samples=4).run()
    ratio = found.value.sel(output="left") / left_alone(found)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    assert found.n_patients.values.tolist() == [[5]] * 12
    assert found.failed.values.tolist() == [0] * 12


def test_morris_effect_of_a_linear_factor_is_its_range() -> None:
    one = Axis("parameters.one", low=1.0, high=5.0, name="pace")
    found = Study(scenario(), "morris", [Output("ticks")], [one, KA], samples=3).run()
    np.testing.assert_allclose(found.mu.sel(output="ticks"), [4.0 * TIME, 0.0], atol=1e-9)


def test_statistics_over_patients() -> None:
    outputs = [
        Output("left"),
        Output("left", "median"),
        Output("left", "percentile", 90.0),
        Output("left", scale="log", name="decades"),
    ]
    study = Study(scenario(40), "prcc", outputs, [AMOUNT, KA], samples=8, seed=1)
    found = study.run()
    shape = left_alone(found)
    assert study.scenario.population is not None
    share = study.scenario.population.sample(MODEL).parameters["F"]
    expected = {
        "left": shape * share.mean(),
        "left_median": shape * np.median(share),
        "left_p90": shape * np.percentile(share, 90.0),
        "decades": np.log10(shape * share.mean()),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found.value.sel(output=name), values, rtol=2e-4, atol=1e-4)
    assert str(found.output_words.sel(output="left_p90").values).startswith("90th percentile of")
    # Ranks know no scale.
    assert found.prcc.sel(output="left").values.tolist() == pytest.approx(
        found.prcc.sel(output="decades").values.tolist()
    )


def test_prcc_over_patients_needs_no_factors() -> None:
    population = Population(
        60, seed=1, parameters={name: LogNormal(sigma=0.2) for name in ("ka", "V", "CL")}
    )
    study = Study(scenario(population=population), "prcc", [Output("left")])
    found = study.run()
    assert found.factor.values.tolist() == ["ka", "V", "CL"]
    assert float(found.prcc.sel(factor="ka", output="left")) == pytest.approx(-1.0, abs=1e-9)
    sampled = population.sample(MODEL).parameters
    rest = {name: sampled[name] for name in found.factor.values}
    np.testing.assert_allclose(found.prcc, prcc(rest, -sampled["ka"]).prcc, atol=1e-9)
    assert found.attrs["samples"] == 60


def test_failed_patients_are_left_out_and_counted() -> None:
    """Too few steps for some patients only: those whose absorption is fast."""
    spread = Population(30, seed=2, parameters={"ka": LogNormal(sigma=2.0)})
    base = scenario(population=spread)
    whole = Study(base, "morris", [Output("left")], [AMOUNT, axis_of("CL")], samples=2).run()
    steps = _steps(base)
    limited = base.replace("solver.max_steps", int(np.median(steps)))
    found = Study(limited, "morris", [Output("left")], [AMOUNT, axis_of("CL")], samples=2).run()
    assert np.all(whole.failed.values == 0)
    assert np.all((found.failed.values > 0) & (found.failed.values < 30))
    np.testing.assert_array_equal(found.n_patients[:, 0], 30 - found.failed)
    assert "trajectories failed" in found.attrs["failures"]


def _steps(base: Scenario) -> np.ndarray[Any, Any]:
    from carsim.design import Single
    from carsim.sweep import Sweep, run

    return np.asarray(run(Sweep(base, Single())).n_steps.values)


def axis_of(name: str) -> Axis:
    return Axis(f"parameters.{name}", low=1.0, high=2.0)


def test_a_point_without_patients_is_named() -> None:
    limited = scenario().replace("solver.max_steps", 2)
    with pytest.raises(
        ScenarioError,
        match=r"point 0 \(amount = [\d.]+, ka = [\d.]+\) \(and at 11 more\) no .*: 5 of 5 failed",
    ):
        Study(limited, "morris", [Output("left")], [AMOUNT, KA], samples=4).run()
    below = Axis("parameters.one", low=0.0, high=1.0, name="pace")
    with pytest.raises(ScenarioError, match=r"pace = 0, .*'ticks' is 0 and has no logarithm"):
        Study(scenario(), "morris", [Output("ticks", scale="log")], [below, KA], samples=2).run()


def test_numbers_depend_on_the_seed_and_not_on_threads() -> None:
    def study(seed: int, threads: int) -> Study:
        base = scenario(12).replace("solver.threads", threads)
        return Study(base, "sobol", [Output("left")], [AMOUNT, KA], samples=8, seed=seed)

    first, again, other = study(0, 1).run(), study(0, 2).run(), study(1, 1).run()
    xr.testing.assert_equal(first, again)
    assert first.attrs["design_hash"] == again.attrs["design_hash"]
    assert first.attrs["design_hash"] != other.attrs["design_hash"]
    assert np.all(first.total_order.values != other.total_order.values)


def test_factors_may_be_labels_and_may_be_called_like_an_index() -> None:
    """Of two absorptions and the amount: exp(-0.2 t) and exp(-5 t), each with probability 1/2."""
    absorption = Axis("variants.absorption", values=["slow", "fast"], name="mu")
    base = scenario(population=None)
    found = Study(base, "sobol", [Output("left")], [AMOUNT, absorption], samples=512).run()
    slow, fast = np.exp(-0.2 * TIME), np.exp(-5.0 * TIME)
    mean, spread = np.array([10.0, (slow + fast) / 2]), np.array([25 / 3, (slow - fast) ** 2 / 4])
    both = np.prod(mean**2 + spread) - np.prod(mean**2)
    np.testing.assert_allclose(found.first_order[:, 0], spread * mean[::-1] ** 2 / both, atol=0.02)
    assert set(found.factor_value.sel(factor="mu").values) == {"slow", "fast"}
    for method in ("morris", "prcc"):
        with pytest.raises(ScenarioError, match=r"labels"):
            Study(base, method, [Output("left")], [AMOUNT, absorption], samples=8)


@pytest.mark.parametrize("method", ["sobol", "morris", "prcc"])
def test_attributes_rebuild_the_study(method: str) -> None:
    outputs = [Output("left", "percentile", 75.0)]
    study = Study(scenario(), method, outputs, [AMOUNT, KA], samples=8, seed=5, title="T")
    found = study.run()
    again = rebuild_study(found.attrs, MODEL)
    assert again.method == method
    xr.testing.assert_equal(found, again.run())


def test_attributes_that_are_none_are_refused() -> None:
    with pytest.raises(CarsimError, match=r"there is no attribute 'sensitivity'"):
        rebuild_study({})


def test_local_study_in_closed_form() -> None:
    """d log(left) / d log(ka) is -ka t, and of the amount's bioavailability it is 1."""
    study = LocalStudy(scenario(), [Moment("depot"), Moment("depot", 1.0)], ["ka", "F", "V"])
    found = study.run()
    np.testing.assert_allclose(
        found.elasticity, [[-1.5 * TIME, -1.5], [1.0, 1.0], [0.0, 0.0]], atol=1e-6
    )
    left = 8.0 * np.exp(-1.5 * TIME)
    assert float(found.value.sel(output="depot")) == pytest.approx(left, rel=1e-6)
    assert float(found.sensitivity[0, 0]) == pytest.approx(-TIME * left, rel=1e-5)
    xr.testing.assert_equal(found, rebuild_study(found.attrs, MODEL).run())

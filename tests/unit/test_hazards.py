"""Events by chance: their times against the distributions that the hazards stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from carsim import (
    Discontinue,
    Dose,
    Hazard,
    Population,
    ScenarioError,
    SetParameter,
    Solver,
    load_model,
    simulate,
)
from carsim.model import Model

MODEL: Model = load_model(str(Path(__file__).with_name("clock.py")))
N = 2000


def run(therapy: dict[str, Any], stop: float = 30.0, **options: Any) -> xr.Dataset:
    options = {
        "population": Population(N, seed=11),
        "save_at": [stop],
        "outputs": ("drug", "given", "clock"),
        **options,
    }
    return simulate(MODEL, therapy=therapy, stop=stop, **options)


def times(result: xr.Dataset, name: str, n: int = N) -> NDArray[np.float64]:
    """Time of each patient's event, infinite without one."""
    found = np.full(n, np.inf)
    mine = result["event_name"].values == name
    found[result["event_patient"].values[mine]] = result["event_time"].values[mine]
    return found


def same_distribution(found: NDArray[np.float64], cdf: Any, stop: float) -> None:
    """A Kolmogorov-Smirnov test of the events, and a binomial one of how many there are."""
    happened = found[np.isfinite(found)]
    p = float(cdf(stop))
    assert stats.binomtest(len(happened), len(found), p).pvalue > 1e-3
    assert stats.kstest(happened, lambda t: cdf(t) / p).pvalue > 1e-3


def test_a_constant_hazard_is_exponential() -> None:
    result = run({"event": Hazard(0.08)})
    same_distribution(times(result, "event"), lambda t: -np.expm1(-0.08 * t), 30.0)


def test_a_hazard_of_the_model_follows_its_course() -> None:
    """The hazard rises: 0.2 + 0.05 t per day."""
    result = run({"event": Hazard("rising_hazard", scale=0.5)}, solver=Solver(rtol=1e-7))
    same_distribution(
        times(result, "event"), lambda t: -np.expm1(-0.5 * (0.2 * t + 0.025 * t**2)), 30.0
    )


def test_the_event_is_where_the_integral_meets_the_draw() -> None:
    """To 1e-6 days: the same draw under two hazards gives two times that are known."""
    options = {"solver": Solver(rtol=1e-9)}
    constant = times(run({"event": Hazard(1.0)}, 400.0, **options), "event")
    rising = times(run({"event": Hazard("rising_hazard")}, 400.0, **options), "event")
    # 0.2 t + 0.025 t^2 = draw
    expected = (-0.2 + np.sqrt(0.04 + 0.1 * constant)) / 0.05
    np.testing.assert_allclose(rising, expected, rtol=1e-6)


def test_hazards_compete_and_each_has_draws_of_its_own() -> None:
    result = run({"one": Hazard(0.05), "two": Hazard(0.1)})
    one, two = times(result, "one"), times(result, "two")
    first = np.minimum(one, two)
    same_distribution(first, lambda t: -np.expm1(-0.15 * t), 30.0)
    both = np.isfinite(one) & np.isfinite(two)
    assert abs(stats.spearmanr(one[both], two[both])[0]) < 0.08


def test_what_it_does_and_to_whom() -> None:
    """Patients lose patience: whoever stops has taken as many tablets as days have begun."""
    result = run(
        {
            "tablet": Dose("dose", 1.0, at=0.0, every=1.0),
            "impatience": Hazard(0.1, do=Discontinue("tablet")),
        }
    )
    stopped = times(result, "impatience")
    taken = result["doses_given"].sel(item="tablet").values
    np.testing.assert_array_equal(taken, np.minimum(np.ceil(stopped), 30.0))


def test_a_hazard_by_patient_and_none_at_all() -> None:
    rates = np.repeat([0.0, 0.02, 0.2], 500)
    result = run(
        {"event": Hazard(rates, do=SetParameter("one", 0.0))},
        population=Population(1500, seed=2),
    )
    found = times(result, "event", 1500).reshape(3, 500)
    assert np.isinf(found[0]).all()
    for row, rate in ((1, 0.02), (2, 0.2)):
        same_distribution(found[row], lambda t, rate=rate: -np.expm1(-rate * t), 30.0)
    clock = result["clock"].values[:, 0]
    np.testing.assert_allclose(clock, np.minimum(found.ravel(), 30.0), rtol=1e-5)


def test_draws_do_not_depend_on_how_the_run_is_cut() -> None:
    therapy = {"event": Hazard("rising_hazard", do=Dose("dose", 1.0))}
    whole = run(therapy)
    for solver in (Solver(threads=1, block_size=7), Solver(threads=2, block_size=N)):
        again = run(therapy, solver=solver)
        xr.testing.assert_identical(again["event_time"], whole["event_time"])
    fewer = run(therapy, population=Population(100, seed=11))
    np.testing.assert_array_equal(times(fewer, "event", 100), times(whole, "event")[:100])


def test_a_hazard_must_be_per_time() -> None:
    with pytest.raises(ScenarioError, match=r"rate = 'grade' is in \[1\]. A hazard is per time"):
        run({"event": Hazard("grade")})
    with pytest.raises(ScenarioError, match=r"rate = 'risinghazard': .* Did you mean"):
        run({"event": Hazard("risinghazard")})


# Adherence


def test_doses_are_missed_as_often_as_was_said() -> None:
    shares = np.repeat([0.3, 0.9, 1.0], 500)
    result = run(
        {"tablet": Dose("dose", 1.0, at=0.0, every=1.0, adherence=shares)},
        population=Population(1500, seed=5),
    )
    taken = result["doses_given"].sel(item="tablet").values.reshape(3, 500)
    np.testing.assert_array_equal(taken[2], 30)
    for row, share in ((0, 0.3), (1, 0.9)):
        expected = stats.binom(30, share)
        assert taken[row].mean() == pytest.approx(
            expected.mean(), abs=4.0 * expected.std() / np.sqrt(500)
        )
        # Days are independent: the spread is the binomial one.
        assert taken[row].std() == pytest.approx(expected.std(), rel=0.15)
    np.testing.assert_allclose(result["given"].values[:, 0], taken.ravel(), rtol=1e-12)


def test_a_more_faithful_patient_misses_no_dose_that_a_less_faithful_one_takes() -> None:
    """Common random numbers: arms that differ in adherence only differ by its effect."""
    several = [
        run({"tablet": Dose("dose", 1.0, at=0.0, every=1.0, adherence=share)})["doses_given"]
        for share in (0.5, 0.8)
    ]
    assert (several[0] <= several[1]).all()

"""How errors fall with patients: closed forms, and runs that are repeated."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from carsim.endpoints import convergence, risk, wilson_interval
from carsim.errors import ScenarioError


def events(n: int = 2000, share: float = 0.2, seed: int = 1) -> xr.DataArray:
    drawn = (np.random.default_rng(seed).random(n) < share) * 1.0
    return xr.DataArray(drawn, dims="patient", attrs={"long_name": "HBV reactivation"})


def test_prefixes_are_runs_of_fewer_patients() -> None:
    values = events()
    values[5] = np.nan
    found = convergence(values, sizes=[5, 100, 2000])
    for size in (5, 100, 2000):
        own = risk(values.isel(patient=slice(size)))
        here = found.sel(size=size)
        for mine, other in (
            ("estimate", "risk"),
            ("lower", "lower"),
            ("upper", "upper"),
            ("n", "n"),
        ):
            assert float(here[mine]) == pytest.approx(float(own[other]))
    assert float(found["n"].sel(size=100)) == 99


def test_standard_error_is_that_of_repeated_runs() -> None:
    """The spread of 2,000 runs of 400 patients, within 4 of its own standard errors."""
    runs = (np.random.default_rng(3).random((2000, 400)) < 0.15) * 1.0
    spread = runs.mean(axis=1).std(ddof=1)
    found = convergence(xr.DataArray(runs, dims=("run", "patient")), sizes=[400])
    mean_variance = float((found["standard_error"] ** 2).mean())
    assert abs(spread / np.sqrt(mean_variance) - 1.0) < 4.0 / np.sqrt(2 * 2000)


def test_four_times_the_patients_halve_the_error() -> None:
    values = xr.concat([events(500)] * 4, "patient")  # the same estimate at 500 and at 2,000
    found = convergence(values, sizes=[500, 2000])
    first, second = found["standard_error"].values
    assert second == pytest.approx(first / 2)
    assert float(convergence(values, sizes=[500])["patients_to_halve"]) == 2000


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("half_width", [0.005, 0.02, 0.1])
def test_patients_for_a_half_width_of_a_risk(share: float, half_width: float) -> None:
    n = 1000
    values = xr.DataArray(
        np.repeat([1.0, 0.0], [int(share * n), n - int(share * n)]), dims="patient"
    )
    needed = int(convergence(values, half_width=half_width)["patients_for_half_width"])

    def half(size: float) -> float:
        lower, upper = wilson_interval(share * size, size)
        return float(upper - lower) / 2

    assert half(needed) <= half_width + 1e-12
    assert needed == 1 or half(needed - 1) > half_width


def test_failed_patients_are_counted_into_the_patients_needed() -> None:
    whole = events(1000)
    half = xr.concat([whole, whole * np.nan], "patient")
    plain = float(convergence(whole, half_width=0.01)["patients_for_half_width"])
    assert float(convergence(half, half_width=0.01)["patients_for_half_width"]) == pytest.approx(
        2 * plain, abs=2
    )


def test_a_mean_has_students_interval_in_its_unit() -> None:
    peak = np.random.default_rng(5).lognormal(3.0, 1.0, 300)
    values = xr.DataArray(
        peak, dims="patient", attrs={"units": "U L-1", "carsim_units": "U/L", "long_name": "ALT"}
    )
    found = convergence(values, sizes=[50, 300], half_width=1.0)
    low, high = stats.t.interval(0.95, 49, loc=peak[:50].mean(), scale=stats.sem(peak[:50]))
    assert float(found["lower"][0]) == pytest.approx(low)
    assert float(found["upper"][0]) == pytest.approx(high)
    assert found["estimate"].attrs["carsim_units"] == "U/L"
    expected = (stats.norm.ppf(0.975) * peak.std(ddof=1)) ** 2
    assert float(found["patients_for_half_width"]) == np.ceil(expected)


def test_other_dimensions_stay() -> None:
    values = xr.concat([events(50), events(50, 0.5)], "strategy").assign_coords(strategy=["a", "b"])
    found = convergence(values)
    assert found["estimate"].dims == ("strategy", "size")
    assert found["size"].values[-1] == 50
    assert found["patients_to_halve"].dims == ("strategy",)


def test_messages() -> None:
    with pytest.raises(ScenarioError, match="Did you mean 'patient'"):
        convergence(events(), dim="patients")
    with pytest.raises(ScenarioError, match="from 1 to 2000"):
        convergence(events(), sizes=[0, 10])
    with pytest.raises(ScenarioError, match="half_width = 0"):
        convergence(events(), half_width=0)

"""Intervals and incidence against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, norm

from carsim.endpoints import cumulative_incidence, jeffreys_interval, risk, wilson_interval
from carsim.errors import ScenarioError


def wilson_by_its_quadratic(k: float, n: float, level: float) -> tuple[float, float]:
    """Roots of (p - k/n)^2 = z^2 p (1 - p) / n, the definition of the score interval."""
    z2 = float(norm.ppf(0.5 + level / 2)) ** 2
    share = k / n
    low, high = sorted(np.roots([1 + z2 / n, -(2 * share + z2 / n), share**2]).real)
    return float(low), float(high)


@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from([0.5, 0.8, 0.95, 0.99]))
def test_wilson_solves_the_score_equation(n: int, share: float, level: float) -> None:
    k = round(share * n)
    lower, upper = wilson_interval(k, n, level)
    expected = wilson_by_its_quadratic(k, n, level)
    # the roots of the quadratic lose digits near 0 and 1
    assert [float(lower), float(upper)] == pytest.approx(expected, abs=1e-7)
    assert 0.0 <= lower <= k / n <= upper <= 1.0


def test_wilson_is_exact_at_the_ends() -> None:
    lower, upper = wilson_interval([0, 10], [10, 10])
    z2 = float(norm.ppf(0.975)) ** 2
    assert lower[0] == 0.0
    assert upper[1] == 1.0
    assert upper[0] == pytest.approx(z2 / (10 + z2))
    assert lower[1] == pytest.approx(10 / (10 + z2))


def test_jeffreys_is_the_beta_quantile() -> None:
    lower, upper = jeffreys_interval([3, 0, 20], 20, level=0.9)
    assert lower[0] == pytest.approx(beta.ppf(0.05, 3.5, 17.5))
    assert upper[0] == pytest.approx(beta.ppf(0.95, 3.5, 17.5))
    assert lower[1] == 0.0
    assert upper[2] == 1.0
    assert upper[1] == pytest.approx(beta.ppf(0.95, 0.5, 20.5))


def test_intervals_without_patients_are_unknown() -> None:
    for interval in (wilson_interval, jeffreys_interval):
        assert np.isnan(interval(0, 0)).all()


def test_intervals_refuse_more_events_than_patients() -> None:
    with pytest.raises(ScenarioError, match="no more events than patients"):
        wilson_interval(3, 2)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_level_must_be_a_share(level: float) -> None:
    with pytest.raises(ScenarioError, match=r"Give 0\.95 for 95 %"):
        wilson_interval(1, 2, level)


def events() -> xr.DataArray:
    values = np.array([[1, 0, 1, np.nan, 0, 0], [0, 0, 0, np.nan, np.nan, 1]])
    return xr.DataArray(
        values,
        dims=("depth", "patient"),
        coords={
            "depth": [0.5, 1.0],
            "patient": np.arange(6),
            "serostatus": ("patient", ["a", "a", "b", "b", "a", "b"]),
        },
        name="hbv_reactivation",
        attrs={"long_name": "HBV reactivation"},
    )


def test_risk_counts_patients_and_leaves_out_the_failed() -> None:
    result = risk(events())
    assert result["events"].values.tolist() == [2, 1]
    assert result["n"].values.tolist() == [5, 4]
    assert result["excluded"].values.tolist() == [1, 2]
    assert result["risk"].values == pytest.approx([0.4, 0.25])
    lower, upper = wilson_interval([2, 1], [5, 4])
    assert result["lower"].values == pytest.approx(lower)
    assert result["upper"].values == pytest.approx(upper)
    assert result["depth"].values.tolist() == [0.5, 1.0]
    assert result["risk"].attrs["long_name"] == "risk of HBV reactivation"


def test_risk_by_label() -> None:
    result = risk(events(), by="serostatus", method="jeffreys")
    assert result["serostatus"].values.tolist() == ["a", "b"]
    assert result["n"].sel(serostatus="a").values.tolist() == [3, 2]
    assert result["events"].sel(serostatus="b").values.tolist() == [1, 1]


def test_risk_of_failed_patients_only_is_unknown() -> None:
    result = risk(xr.DataArray([np.nan, np.nan], dims="patient"))
    assert np.isnan(result["risk"])
    assert int(result["excluded"]) == 2


def test_risk_refuses_what_is_not_an_event() -> None:
    with pytest.raises(ScenarioError, match="Compare it with a threshold first"):
        risk(xr.DataArray([0.0, 37.5], dims="patient", name="alt_peak"))


def test_risk_names_the_nearest_dimension_label_and_method() -> None:
    with pytest.raises(ScenarioError, match="Did you mean 'patient'"):
        risk(events(), dim="patients")
    with pytest.raises(ScenarioError, match="Did you mean 'serostatus'"):
        risk(events(), by="serostatu")
    with pytest.raises(ScenarioError, match="Did you mean 'wilson'"):
        risk(events(), method="wilsen")  # type: ignore[arg-type]


def test_incidence_without_censoring_is_the_share_with_wilson_band() -> None:
    rng = np.random.default_rng(1)
    time = np.floor(rng.uniform(0, 500, 200))
    event = (rng.random(200) < 0.3) * 1.0
    curve = cumulative_incidence(event, time, 500.0)
    for day in (-0.0, 37.0, 100.0, 250.0, 499.0, 500.0):
        k = int(np.sum((event == 1) & (time <= day)))
        where = np.searchsorted(curve.time, day, side="right") - 1
        lower, upper = wilson_interval(k, 200)
        assert curve.incidence[where] == pytest.approx(k / 200)
        assert curve.lower[where] == pytest.approx(lower, abs=1e-12)
        assert curve.upper[where] == pytest.approx(upper, abs=1e-12)
    assert curve.at([-1.0, 500.0])[1] == pytest.approx(event.mean())
    assert np.isnan(curve.at(-1.0))


def test_greenwood_without_censoring_is_binomial() -> None:
    curve = cumulative_incidence([1, 1, 0, 0, 0], [3.0, 5.0, 0, 0, 0], 9.0, band="greenwood")
    survival, n = 0.6, 5
    variance = survival * (1 - survival) / n  # what Greenwood reduces to
    z = float(norm.ppf(0.975))
    spread = np.exp(z * np.sqrt(variance) / (survival * abs(np.log(survival))))
    assert curve.incidence[-1] == pytest.approx(0.4)
    assert curve.upper[-1] == pytest.approx(1 - survival**spread)
    assert curve.lower[-1] == pytest.approx(1 - survival ** (1 / spread))


def test_kaplan_meier_textbook_example() -> None:
    # Events at 6, 6, 6, 7, 10, 13, 16, 22, 23; censored 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34,
    # 35: the 6-MP arm of Freireich et al. 1963 (21 children with leukemia).
    event_days = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    event = [1.0] * len(event_days) + [0.0] * len(censored)
    time = np.array(event_days + censored, dtype=float)
    curve = cumulative_incidence(event, time, time)
    survival = 1 - curve.at([6, 7, 10, 13, 16, 22, 23])
    expected = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert survival == pytest.approx(expected, abs=5e-4)
    assert curve.number_at_risk([0, 6, 7, 10, 23]).tolist() == [21, 21, 17, 15, 6]


def test_band_before_the_first_event_has_a_width() -> None:
    curve = cumulative_incidence([0, 0, 1], [np.nan, np.nan, 50.0], 100.0)
    assert curve.incidence[0] == 0.0
    assert curve.upper[0] == pytest.approx(float(wilson_interval(0, 3)[1]))


def test_everybody_has_the_event() -> None:
    for band in ("wilson", "greenwood"):
        curve = cumulative_incidence([1, 1], [3.0, 4.0], 10.0, band=band)
        assert curve.incidence.tolist() == [0.0, 0.5, 1.0, 1.0]
        assert np.isfinite([curve.lower, curve.upper]).all()


def test_failed_patients_are_left_out_of_incidence() -> None:
    curve = cumulative_incidence([1, np.nan, 0], [5.0, np.nan, np.nan], 10.0)
    assert (curve.n, curve.excluded) == (2, 1)
    assert curve.incidence[-1] == 0.5


def test_event_without_time_is_refused() -> None:
    with pytest.raises(ScenarioError, match="has no time"):
        cumulative_incidence([1.0], [np.nan], 10.0)


def test_event_after_follow_up_is_refused() -> None:
    with pytest.raises(ScenarioError, match="event on day 12 is after the end of follow-up"):
        cumulative_incidence([1.0, 0.0], [12.0, np.nan], 10.0)


def test_unknown_band_is_refused() -> None:
    with pytest.raises(ScenarioError, match="Did you mean 'greenwood'"):
        cumulative_incidence([1.0], [1.0], 10.0, band="greenwod")  # type: ignore[arg-type]

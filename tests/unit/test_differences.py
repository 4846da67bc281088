"""Paired differences of risks against the constrained likelihood, enumeration and simulation."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

from carsim.endpoints import (
    number_needed_to_treat,
    risk,
    risk_difference,
    risk_differences,
    tango_interval,
)
from carsim.errors import ScenarioError


def score_from_the_likelihood(difference: float, b: int, c: int, n: int) -> float:
    """Score statistic with the nuisance share found by maximizing the likelihood numerically."""
    low, high = max(0.0, -difference), (1.0 - difference) / 2.0

    def minus_log_likelihood(share: float) -> float:
        cells = ((b, share + difference), (c, share), (n - b - c, 1 - 2 * share - difference))
        return -float(sum(k * np.log(max(p, 1e-300)) for k, p in cells if k))

    share = minimize_scalar(
        minus_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-13}
    ).x
    # variance of the difference of shares, at the restricted maximum
    variance = (2 * share + difference - difference**2) / n
    return float(((b - c) / n - difference) / np.sqrt(variance))


@pytest.mark.parametrize(
    ("b", "c", "n"), [(1, 7, 21), (6, 16, 161), (40, 20, 160), (3, 1, 400), (12, 2, 30), (5, 5, 11)]
)
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_tango_inverts_the_score_test(b: int, c: int, n: int, level: float) -> None:
    z = float(norm.ppf(0.5 + level / 2))
    estimate = (b - c) / n
    lower = brentq(lambda d: score_from_the_likelihood(d, b, c, n) - z, -0.999, estimate)
    upper = brentq(lambda d: score_from_the_likelihood(d, b, c, n) + z, estimate, 0.999)
    found = tango_interval(b, c, n, level)
    assert [float(x) for x in found] == pytest.approx([lower, upper], abs=1e-6)


def test_tango_when_no_patient_differs_is_as_wide_as_wilson_of_none() -> None:
    z2 = float(norm.ppf(0.975)) ** 2
    lower, upper = tango_interval(0, 0, 50)
    assert float(upper) == pytest.approx(z2 / (50 + z2))
    assert float(lower) == pytest.approx(-z2 / (50 + z2))


def test_tango_at_the_ends_and_without_patients() -> None:
    lower, upper = tango_interval([10, 0, 0], [0, 10, 0], [10, 10, 0])
    assert upper[0] == 1.0
    assert lower[1] == -1.0
    assert lower[0] == pytest.approx(-upper[1])
    assert np.isnan([lower[2], upper[2]]).all()
    with pytest.raises(ScenarioError, match="no more patients differ"):
        tango_interval(3, 3, 5)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 200))
def test_tango_holds_the_estimate_and_turns_with_the_arms(b: int, c: int, same: int) -> None:
    n = b + c + same
    lower, upper = tango_interval(b, c, n)
    assert -1.0 <= lower <= (b - c) / n <= upper <= 1.0
    turned = tango_interval(c, b, n)
    assert float(turned[0]) == pytest.approx(-float(upper), abs=1e-12)
    assert float(turned[1]) == pytest.approx(-float(lower), abs=1e-12)


@pytest.mark.parametrize(
    ("p10", "p01", "n"), [(0.1, 0.02, 100), (0.02, 0.02, 200), (0.3, 0.1, 50), (0.01, 0.0, 400)]
)
def test_tango_covers_at_its_level(p10: float, p01: float, n: int) -> None:
    """Exact coverage by enumeration: between 93 and 98.5 %; the shares are rare in two of them."""
    from scipy.stats import multinomial

    b, c = (g.ravel() for g in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    inside = b + c <= n
    b, c = b[inside], c[inside]
    weight = multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, [p10, p01, 1 - p10 - p01])
    likely = weight > 1e-12
    lower, upper = tango_interval(b[likely], c[likely], n)
    truth = p10 - p01
    coverage = weight[likely][(lower <= truth) & (truth <= upper)].sum()
    assert 0.93 < coverage < 0.985


def arms() -> xr.DataArray:
    nan = np.nan
    values = np.array(
        [
            [[1, 1, 1, 0, 0, 0, nan, 1], [1, 0, 0, 0, 1, 0, 1, nan]],
            [[0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]],
        ]
    )
    return xr.DataArray(
        values,
        dims=("serostatus", "strategy", "patient"),
        coords={
            "serostatus": ["positive", "negative"],
            "strategy": ["none", "prophylaxis"],
            "patient": np.arange(8),
            "dose": ("patient", np.arange(8.0)),
        },
        name="hbv_reactivation",
    )


def test_counts_and_difference_by_hand() -> None:
    found = risk_differences(arms(), "strategy", "none").sel(strategy="prophylaxis")
    here = found.sel(serostatus="positive")
    assert (int(here["n"]), int(here["excluded"])) == (6, 2)
    assert (int(here["events_only_here"]), int(here["events_only_reference"])) == (1, 2)
    assert float(here["risk"]) == pytest.approx(2 / 6)
    assert float(here["reference_risk"]) == pytest.approx(3 / 6)
    assert float(here["difference"]) == pytest.approx(-1 / 6)
    assert float(here["lower"]) == pytest.approx(float(tango_interval(1, 2, 6)[0]))
    # Variance of the mean of the differences 0, -1, -1, 0, 1, 0.
    assert float(here["standard_error"]) == pytest.approx(np.std([0, -1, -1, 0, 1, 0]) / np.sqrt(6))
    independent = (2 / 6 * 4 / 6 + 0.25) / 6
    assert float(here["variance_ratio"]) == pytest.approx(
        independent / float(here["standard_error"]) ** 2
    )
    nobody = found.sel(serostatus="negative")
    assert float(nobody["difference"]) == 0.0
    assert float(nobody["upper"]) > 0.0
    assert np.isnan(nobody["variance_ratio"])
    assert found.attrs["reference"] == "none"


def test_two_arrays_give_what_an_axis_gives() -> None:
    values = arms()
    direct = risk_difference(values.sel(strategy="prophylaxis"), values.sel(strategy="none"))
    over = risk_differences(values, "strategy", "none").isel(strategy=0, drop=True)
    xr.testing.assert_allclose(direct, over)


def test_common_random_numbers_save_patients() -> None:
    """Two thresholds on one uniform: the variance ratio has a closed form."""
    u = np.random.default_rng(2).random(200_000)
    a, b = (xr.DataArray((u < p) * 1.0, dims="patient") for p in (0.3, 0.25))
    found = risk_difference(a, b)
    expected = (0.3 * 0.7 + 0.25 * 0.75) / (0.05 * 0.95)
    assert float(found["variance_ratio"]) == pytest.approx(expected, rel=0.03)
    assert float(found["lower"]) < 0.05 < float(found["upper"])
    assert float(found["risk"]) == float(risk(a)["risk"])


def test_other_patients_cannot_be_paired() -> None:
    a = xr.DataArray([1.0, 0.0], dims="patient", coords={"patient": [0, 1]})
    with pytest.raises(ScenarioError, match="cannot be paired"):
        risk_difference(a, a.assign_coords(patient=[1, 2]))
    with pytest.raises(ScenarioError, match="cannot be paired"):
        risk_difference(a, a.isel(patient=[0]))


def test_names_are_suggested() -> None:
    with pytest.raises(ScenarioError, match="Did you mean 'strategy'"):
        risk_differences(arms(), "strategi", "none")
    with pytest.raises(ScenarioError, match="Did you mean 'none'"):
        risk_differences(arms(), "strategy", "non")
    with pytest.raises(ScenarioError, match="not an event"):
        risk_difference(arms() * 2, arms())


# Number needed to treat


def difference_of(b: int, c: int, n: int) -> xr.Dataset:
    a = xr.DataArray(np.repeat([1.0, 0.0, 0.0], [b, c, n - b - c]), dims="patient")
    r = xr.DataArray(np.repeat([0.0, 1.0, 0.0], [b, c, n - b - c]), dims="patient")
    return risk_difference(a, r)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 300))
def test_number_needed_is_one_over_the_difference(b: int, c: int, same: int) -> None:
    found = difference_of(b, c, b + c + same)
    nnt = number_needed_to_treat(found)
    for name, end in (("nnt", "difference"), ("best", "lower"), ("worst", "upper")):
        value = float(found[end])
        if value == 0.0:
            assert np.isinf(nnt[name])
        else:
            assert float(nnt[name]) == pytest.approx(-1.0 / value)
    outside = float(found["lower"]) < 0.0 < float(found["upper"])
    assert bool(nnt["through_infinity"]) == outside


def test_a_clear_benefit() -> None:
    nnt = number_needed_to_treat(difference_of(0, 40, 200))
    assert float(nnt["nnt"]) == pytest.approx(5.0)
    assert 0.0 < float(nnt["best"]) < 5.0 < float(nnt["worst"])
    assert not bool(nnt["through_infinity"])
    assert str(nnt["words"].values).startswith("NNTB 5 (3")


def test_an_interval_through_infinity_is_said_in_altmans_words() -> None:
    """A difference of -2 % that may be +1 %: NNTB 50, from NNTB .. over infinity to NNTH .."""
    nnt = number_needed_to_treat(difference_of(4, 8, 200))
    assert float(nnt["nnt"]) == pytest.approx(50.0)
    assert float(nnt["best"]) > 0.0 > float(nnt["worst"])
    assert bool(nnt["through_infinity"])
    words = str(nnt["words"].values)
    assert words.startswith("NNTB 50 (NNTB ")
    assert " to ∞ to NNTH " in words


def test_harm_and_no_difference() -> None:
    harm = number_needed_to_treat(difference_of(40, 0, 200))
    assert float(harm["nnt"]) == pytest.approx(-5.0)
    assert str(harm["words"].values).startswith("NNTH 5 (")
    none = number_needed_to_treat(difference_of(3, 3, 100))
    assert np.isinf(none["nnt"])
    assert str(none["words"].values).startswith("NNT ∞ (NNTB ")


@pytest.mark.parametrize(
    ("difference", "lower", "upper", "words"),
    [
        (-0.125, -0.2, -0.05, "NNTB 8 (5 to 20)"),
        (0.125, 0.05, 0.2, "NNTH 8 (5 to 20)"),
        (-0.02, -0.05, 0.01, "NNTB 50 (NNTB 20 to ∞ to NNTH 100)"),
        (0.02, -0.01, 0.05, "NNTH 50 (NNTH 20 to ∞ to NNTB 100)"),
        (-0.1, -0.2, 0.0, "NNTB 10 (NNTB 5 to ∞)"),
        (0.0, -0.1, 0.1, "NNT ∞ (NNTB 10 to ∞ to NNTH 10)"),
        (-0.6, -0.75, -0.5, "NNTB 1.7 (1.3 to 2)"),
        (np.nan, np.nan, np.nan, "unknown"),
    ],
)
def test_numbers_needed_are_inverses_in_altmans_form(
    difference: float, lower: float, upper: float, words: str
) -> None:
    table = xr.Dataset(
        {"difference": difference, "lower": lower, "upper": upper}, attrs={"level": 0.95}
    )
    assert str(number_needed_to_treat(table)["words"].values) == words

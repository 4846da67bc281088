"""Competing events against closed forms, hand-made tables, binomial variances and lifelines."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from carsim.endpoints import (
    FirstEvent,
    competing_incidence,
    cumulative_incidence,
    first_event,
    wilson_interval,
)
from carsim.errors import ScenarioError

Array = NDArray[np.float64]


def first(which: list[float] | Array, time: list[float] | Array, k: int = 2) -> FirstEvent:
    names = tuple("abcdef"[:k])
    return FirstEvent(names, np.asarray(which, dtype=float), np.asarray(time, dtype=float), 0)


def exponential(
    rng: np.random.Generator, n: int, rates: list[float], censoring: float, stop: float
) -> tuple[FirstEvent, Array]:
    """Constant cause-specific hazards, and random loss to follow-up before the stop."""
    times = np.array([rng.exponential(1.0 / rate, n) for rate in rates])
    ends = np.minimum(rng.exponential(1.0 / censoring, n) if censoring else np.inf, stop)
    earliest = times.min(axis=0)
    seen = earliest <= ends
    which = np.where(seen, times.argmin(axis=0) + 1.0, 0.0)
    return first(which, np.where(seen, earliest, np.nan), len(rates)), np.broadcast_to(ends, n)


@st.composite
def courses(draw: st.DrawFn) -> tuple[FirstEvent, Array]:
    """Small cohorts with many ties, three events, and losses."""
    n = draw(st.integers(1, 25))
    ends = np.array(draw(st.lists(st.integers(1, 8), min_size=n, max_size=n)), dtype=float)
    which = np.array(draw(st.lists(st.sampled_from([0, 1, 2, 3]), min_size=n, max_size=n)))
    share = np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)), dtype=float)
    time = np.where(which > 0, np.minimum(share, ends), np.nan)
    return first(which * 1.0, time, 3), ends


def test_constant_hazards_follow_the_closed_form() -> None:
    """CIF_k(t) = l_k / l (1 - exp(-l t)), within five standard errors of 40,000 patients."""
    rates = [0.002, 0.001, 0.0005]
    found, ends = exponential(np.random.default_rng(1), 40_000, rates, 0.001, 730.0)
    curves = competing_incidence(found, ends)
    total = sum(rates)
    for name, rate in zip("abc", rates, strict=True):
        for day in (30.0, 180.0, 365.0, 700.0):
            expected = rate / total * -np.expm1(-total * day)
            where = np.searchsorted(curves.time, day, side="right") - 1
            sd = np.sqrt(curves.variance["abc".index(name), where])
            assert abs(curves.at(day, name) - expected) < 5 * sd
            assert sd < 0.004


def test_table_by_hand_with_ties_and_losses() -> None:
    """Eight patients: day 1: a, b; day 2: a, lost; day 3: b, b; day 4: lost, lost."""
    found = first([1, 2, 1, 0, 2, 2, 0, 0], [1, 1, 2, np.nan, 3, 3, np.nan, np.nan])
    curves = competing_incidence(found, [4.0, 4, 4, 2, 4, 4, 4, 4])
    assert curves.time.tolist() == [0, 1, 2, 3, 4]
    assert curves.at_risk.tolist() == [8, 8, 6, 4, 2]
    assert curves.counts.tolist() == [[0, 1, 1, 0, 0], [0, 1, 0, 2, 0]]
    # Free of events: 6/8, then 5/6 of it, then 2/4 of that.
    free = [1, 3 / 4, 5 / 8, 5 / 16, 5 / 16]
    a = [0, 1 / 8, 1 / 8 + 3 / 4 / 6, 1 / 4, 1 / 4]
    b = [0, 1 / 8, 1 / 8, 1 / 8 + 5 / 8 * 2 / 4, 7 / 16]
    assert curves.event_free == pytest.approx(free)
    assert curves.incidence[0] == pytest.approx(a)
    assert curves.incidence[1] == pytest.approx(b)
    assert curves.number_at_risk([0.5, 2.0, 3.5]).tolist() == [8, 6, 2]
    assert curves.at([-1.0, 2.5], "a").tolist() == pytest.approx([np.nan, 0.25], nan_ok=True)


def delta_method(curves_counts: Array, at_risk: Array, k: int, last: int) -> float:
    """Variance by numerical differentiation with the multinomial covariance of each time."""
    shares = curves_counts[:, : last + 1] / at_risk[: last + 1]

    def estimate(q: Array) -> float:
        free, total = 1.0, 0.0
        for column in q.T:
            total += free * column[k]
            free *= 1.0 - column.sum()
        return total

    variance = 0.0
    for step in range(last + 1):
        q = shares[:, step]
        covariance = (np.diag(q) - np.outer(q, q)) / at_risk[step]
        gradient = np.zeros(len(q))
        for cause in range(len(q)):
            up, down = shares.copy(), shares.copy()
            up[cause, step] += 1e-5
            down[cause, step] -= 1e-5
            # the estimate is linear in each share, so the central difference is exact
            gradient[cause] = (estimate(up) - estimate(down)) / 2e-5
        variance += gradient @ covariance @ gradient
    return float(variance)


@given(courses())
def test_variance_is_the_delta_method(course: tuple[FirstEvent, Array]) -> None:
    found, ends = course
    curves = competing_incidence(found, ends)
    for k, last in itertools.product(range(3), range(curves.time.size)):
        if curves.at_risk[last] == 0:
            continue
        expected = delta_method(curves.counts, curves.at_risk, k, last)
        assert curves.variance[k, last] == pytest.approx(expected, abs=1e-10)


@given(courses())
def test_shares_sum_to_one_and_never_fall(course: tuple[FirstEvent, Array]) -> None:
    curves = competing_incidence(*course)
    assert curves.incidence.sum(axis=0) + curves.event_free == pytest.approx(1.0)
    assert (np.diff(curves.incidence, axis=1) >= 0).all()
    assert (curves.lower <= curves.incidence + 1e-12).all()
    assert (curves.upper >= curves.incidence - 1e-12).all()
    assert (np.diff(curves.at_risk) <= 0).all()


@given(courses(), st.randoms(use_true_random=False))
def test_order_of_patients_and_events_does_not_matter(
    course: tuple[FirstEvent, Array], random: object
) -> None:
    found, ends = course
    order = np.arange(ends.size)
    random.shuffle(order)  # type: ignore[attr-defined]
    curves = competing_incidence(found, ends)
    shuffled = competing_incidence(first(found.which[order], found.time[order], 3), ends[order])
    np.testing.assert_array_equal(shuffled.incidence, curves.incidence)
    np.testing.assert_array_equal(shuffled.variance, curves.variance)
    swapped = np.where(found.which > 0, 4.0 - found.which, 0.0)
    renamed = competing_incidence(first(swapped, found.time, 3), ends)
    np.testing.assert_allclose(renamed.incidence[::-1], curves.incidence, rtol=0, atol=1e-15)


@pytest.mark.parametrize("band", ["wilson", "greenwood"])
@given(course=courses())
def test_one_event_is_kaplan_meier(band: str, course: tuple[FirstEvent, Array]) -> None:
    found, ends = course
    had = (found.which > 0) * 1.0
    one = competing_incidence(first(had, found.time, 1), ends, band=band)  # type: ignore[arg-type]
    km = cumulative_incidence(had, found.time, ends, band=band)  # type: ignore[arg-type]
    mine = one.of("a")
    for field in ("time", "incidence", "at_risk", "events", "lower", "upper"):
        np.testing.assert_allclose(getattr(mine, field), getattr(km, field), rtol=0, atol=1e-9)
    assert (mine.n, mine.excluded) == (km.n, km.excluded)


def test_without_losses_variance_is_binomial_and_band_is_wilson() -> None:
    rng = np.random.default_rng(3)
    which = rng.choice([0.0, 1.0, 2.0, 3.0], 300, p=[0.4, 0.3, 0.2, 0.1])
    time = np.where(which > 0, np.floor(rng.uniform(1, 100, 300)), np.nan)
    curves = competing_incidence(first(which, time, 3), 100.0)
    for k in range(3):
        share = curves.incidence[k]
        assert curves.variance[k] == pytest.approx(share * (1 - share) / 300, rel=1e-9, abs=1e-15)
        events = np.cumsum(curves.counts[k])
        lower, upper = wilson_interval(events, 300)
        assert curves.lower[k] == pytest.approx(lower, abs=1e-12)
        assert curves.upper[k] == pytest.approx(upper, abs=1e-12)


def test_band_before_the_first_event_has_a_width() -> None:
    """Also after others had the competing event; and it narrows for nobody who was lost."""
    found = first([2, 0, 0, 1], [1, np.nan, np.nan, 9])
    curves = competing_incidence(found, [10.0, 5.0, 10.0, 10.0])
    assert curves.incidence[0, 1] == 0.0
    assert curves.upper[0, 0] == pytest.approx(float(wilson_interval(0, 4)[1]))
    assert curves.upper[0, 1] == pytest.approx(float(wilson_interval(0, 4)[1]))


def test_bands_cover_at_their_level() -> None:
    """95 % bands of two events under random loss: within 4 binomial deviations of 95 %."""
    rng = np.random.default_rng(8)
    rates, runs, n, day = [0.003, 0.002], 1500, 120, 250.0
    truth = [rate / 0.005 * -np.expm1(-0.005 * day) for rate in rates]
    hits = np.zeros((2, 2))
    for _ in range(runs):
        found, ends = exponential(rng, n, rates, 0.002, 400.0)
        for row, band in enumerate(("wilson", "greenwood")):
            curves = competing_incidence(found, ends, band=band)  # type: ignore[arg-type]
            where = np.searchsorted(curves.time, day, side="right") - 1
            for k in range(2):
                hits[row, k] += curves.lower[k, where] <= truth[k] <= curves.upper[k, where]
    deviation = np.sqrt(0.95 * 0.05 / runs)
    assert np.abs(hits / runs - 0.95).max() < 4 * deviation
    assert binom.sf(hits.min() - 1, runs, 0.95) > 1e-5


def test_without_patients_nothing_is_known() -> None:
    curves = competing_incidence(first([np.nan, np.nan], [np.nan, np.nan]), 10.0)
    assert (curves.n, curves.excluded) == (0, 2)
    assert np.isnan([curves.incidence, curves.lower, curves.upper, curves.variance]).all()
    km = cumulative_incidence([np.nan], [np.nan], 10.0)
    assert np.isnan([km.incidence, km.lower, km.upper]).all()


def test_against_lifelines_kaplan_meier() -> None:
    """lifelines is imported here, not above: it takes seconds."""
    rng = np.random.default_rng(4)
    found, ends = exponential(rng, 400, [0.004], 0.002, 300.0)
    leaves = np.where(found.which > 0, found.time, ends)
    from lifelines import KaplanMeierFitter

    fitter = KaplanMeierFitter().fit(leaves, found.which)
    days = np.array([10.0, 50.0, 111.0, 200.0, 299.0])
    expected = 1.0 - fitter.predict(days).values
    mine = competing_incidence(found, ends).at(days, "a")
    np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-12)


def test_against_lifelines_aalen_johansen() -> None:
    """Without ties, which lifelines would break at random."""
    rng = np.random.default_rng(5)
    found, ends = exponential(rng, 400, [0.004, 0.002, 0.001], 0.002, 300.0)
    leaves = np.where(found.which > 0, found.time, ends)
    lost = leaves[(found.which == 0) & (leaves < 300.0)]
    assert np.unique(np.concatenate([leaves[found.which > 0], lost])).size == (leaves < 300).sum()
    curves = competing_incidence(found, ends)
    days = np.array([10.0, 50.0, 111.0, 200.0, 299.0])
    inside = leaves < 300.0  # those lost at the very end are ties, but change nothing before
    ends_apart = np.where(inside, leaves, 300.0 + np.arange(leaves.size))
    from lifelines import AalenJohansenFitter

    for k, name in enumerate("abc"):
        fitter = AalenJohansenFitter(calculate_variance=True)
        fitter.fit(ends_apart, found.which.astype(int), event_of_interest=k + 1)
        table = fitter.cumulative_density_
        where = np.searchsorted(table.index.values, days, side="right") - 1
        expected = table.values[where, 0]
        np.testing.assert_allclose(curves.at(days, name), expected, rtol=0, atol=1e-12)
        mine = curves.variance[k, np.searchsorted(curves.time, days, side="right") - 1]
        np.testing.assert_allclose(mine, fitter.variance_.values[where], rtol=1e-9)


# First event of each patient of a result


def result() -> xr.Dataset:
    nan = np.nan
    columns = {
        "hbv_reactivation": [1, 1, 0, 0, nan, 1, 0],
        "hbv_reactivation_time": [50, 90, nan, nan, nan, 60, nan],
        "relapse": [1, 1, nan, 1, nan, 0, nan],
        "relapse_time": [40, 90, nan, 70, nan, nan, nan],
        "death": [1, 0, 1, 1, nan, 0, nan],
        "death_time": [45, nan, 300, 71, nan, nan, nan],
    }
    clock = {"clock": "simulation"}
    return xr.Dataset(
        {
            name: ("patient", np.array(v, float), clock if name.endswith("_time") else {})
            for name, v in columns.items()
        }
    )


def test_first_event_wins_and_ties_go_to_the_event_listed_first() -> None:
    names = ["hbv_reactivation", "relapse", "death"]
    found = first_event(result(), names, conditional=["relapse"])
    # Patient 6 has no status for death, which everybody can have: left out.
    assert found.which.tolist() == pytest.approx([2, 1, 3, 2, np.nan, 1, np.nan], nan_ok=True)
    expected = [40, 90, 300, 70, np.nan, 60, np.nan]
    assert found.time.tolist() == pytest.approx(expected, nan_ok=True)
    assert found.ties == 1
    other = first_event(result(), names[1:] + names[:1], conditional=["relapse"])
    assert other.events[int(other.which[1]) - 1] == "relapse"


def test_nan_leaves_a_patient_out_unless_the_event_is_conditional() -> None:
    strict = first_event(result(), ["hbv_reactivation", "relapse"])
    assert np.isnan(strict.which).tolist() == [False, False, True, False, True, False, True]
    loose = first_event(result(), ["hbv_reactivation", "relapse"], conditional=["relapse"])
    assert np.isnan(loose.which).tolist() == [False, False, False, False, True, False, False]
    curves = competing_incidence(loose, 730.0)
    assert (curves.n, curves.excluded, curves.ties) == (6, 1, 1)


def test_all_events_conditional_still_leaves_out_the_failed() -> None:
    names = ["relapse", "death"]
    found = first_event(result(), names, conditional=names)
    assert np.isnan(found.which).tolist() == [False, False, False, False, True, False, True]


def test_messages() -> None:
    data = result()
    with pytest.raises(ScenarioError, match="Did you mean 'relapse'"):
        first_event(data, ["relaps"])
    with pytest.raises(ScenarioError, match="each of them once"):
        first_event(data, ["relapse", "relapse"])
    with pytest.raises(ScenarioError, match="must vary along 'patient' only"):
        first_event(data.expand_dims(depth=2), ["relapse"])
    with pytest.raises(ScenarioError, match="before the origin, day 100"):
        first_event(data, ["hbv_reactivation"], origin=100.0)
    with pytest.raises(ScenarioError, match="has no time"):
        first_event(
            data.assign(death_time=data["death_time"].copy(data=np.full(7, np.nan))), ["death"]
        )
    with pytest.raises(ScenarioError, match="not an event"):
        first_event(data.assign(death=data["death"] * 2), ["death"])
    with pytest.raises(ScenarioError, match="conditional"):
        first_event(data, ["death"], conditional=["relapse"])
    found = first_event(data, ["death"])
    with pytest.raises(ScenarioError, match="after the end of follow-up"):
        competing_incidence(found, 200.0)
    with pytest.raises(ScenarioError, match="Did you mean 'wilson'"):
        competing_incidence(found, 730.0, band="wilsen")  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match="Did you mean 'death'"):
        competing_incidence(found, 730.0).at(1.0, "deaths")

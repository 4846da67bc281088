"""Deaths that are drawn after a run, against the survival that their hazards stand for."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from carsim.endpoints import (
    MORTALITY,
    Mortality,
    competing_incidence,
    draw_deaths,
    first_event,
)
from carsim.errors import ScenarioError

MONTH = 365.25 / 12
FLAT = Mortality(0.001, 0.01, "test")


def course(remission: list[float], relapse: list[float], day: list[float]) -> xr.Dataset:
    columns = {"remission": remission, "relapse": relapse, "relapse_time": day}
    clock = {"clock": "simulation"}
    return xr.Dataset(
        {name: ("patient", np.array(values, float), clock) for name, values in columns.items()},
        coords={"patient": np.arange(len(remission))},
        attrs={"seed": "7"},
    )


def everyone(n: int, remission: float, relapse_day: float | None) -> xr.Dataset:
    nan = float("nan")
    relapsed = nan if not remission else float(relapse_day is not None)
    return course(
        [remission] * n, [relapsed] * n, [nan if relapse_day is None else relapse_day] * n
    )


def test_death_in_a_lasting_remission_is_exponential() -> None:
    found = draw_deaths(everyone(4000, 1.0, None), FLAT, follow_up=1e9)
    assert stats.kstest(found["death_time"].values, stats.expon(scale=1000).cdf).pvalue > 1e-3


def test_death_without_remission_has_the_hazard_after_failure_from_infusion_on() -> None:
    found = draw_deaths(everyone(4000, 0.0, None), FLAT, follow_up=1e9, origin=5.0)
    law = stats.expon(loc=5.0, scale=100)
    assert stats.kstest(found["death_time"].values, law.cdf).pvalue > 1e-3


def test_the_hazard_changes_at_relapse() -> None:
    found = draw_deaths(everyone(4000, 1.0, 200.0), FLAT, follow_up=1e9)

    def cdf(t: NDArray[np.float64]) -> NDArray[np.float64]:
        integral = 0.001 * np.minimum(t, 200.0) + 0.01 * np.maximum(t - 200.0, 0.0)
        return np.asarray(-np.expm1(-integral))

    assert stats.kstest(found["death_time"].values, cdf).pvalue > 1e-3


def test_the_same_patient_has_the_same_draw_in_every_cell() -> None:
    early, late = everyone(50, 1.0, 100.0), everyone(50, 1.0, 300.0)
    both = xr.concat([early, late], "strategy").assign_attrs(seed="7")
    found = draw_deaths(both, FLAT, follow_up=1e9)
    assert found["death_time"].dims == ("strategy", "patient")
    for number, alone in enumerate((early, late)):
        own = draw_deaths(alone, FLAT, follow_up=1e9)["death_time"].values
        np.testing.assert_array_equal(found["death_time"].values[number], own)
    # A later relapse never brings an earlier death.
    assert (found["death_time"][1] >= found["death_time"][0]).all()
    some = draw_deaths(early.isel(patient=[3, 40]), FLAT, follow_up=1e9)["death_time"].values
    np.testing.assert_array_equal(some, found["death_time"].values[0, [3, 40]])


def test_seed_is_that_of_the_result_unless_given() -> None:
    data = everyone(20, 1.0, None)
    default = draw_deaths(data, FLAT, follow_up=1e9)
    xr.testing.assert_identical(default, draw_deaths(data, FLAT, follow_up=1e9, seed=7))
    assert not default.equals(draw_deaths(data, FLAT, follow_up=1e9, seed=8))
    with pytest.raises(ScenarioError, match="has no seed"):
        draw_deaths(data.drop_attrs(deep=False), FLAT, follow_up=1e9)


def test_failed_patients_are_unknown_and_the_end_of_follow_up_censors() -> None:
    nan = np.nan
    found = draw_deaths(course([nan, 1.0, 0.0], [nan, 0.0, nan], [nan] * 3), FLAT, follow_up=1e-6)
    assert found["death"].values.tolist() == pytest.approx([nan, 0.0, 0.0], nan_ok=True)
    assert np.isnan(found["death_time"].values).all()


def test_no_hazard_is_no_death() -> None:
    none = Mortality(0.0, 0.0, "test")
    found = draw_deaths(
        course([1.0, 1.0, 0.0], [0.0, 1.0, np.nan], [np.nan, 9.0, np.nan]), none, follow_up=1e9
    )
    assert found["death"].values.tolist() == [0.0, 0.0, 0.0]


@given(
    st.floats(0.5, 1.0),
    st.floats(0.1, 0.9),
    st.floats(0.05, 0.95),
    st.floats(1.0, 60.0),
    st.floats(0.0, 0.5),
)
def test_hazards_from_survival_give_it_back(
    remission: float, kept: float, late: float, months: float, deaths: float
) -> None:
    """By integrating the three states numerically, not by the closed form."""
    event_free = remission * kept
    time = months * MONTH
    lost = np.log(1.0 / kept) / time
    most = event_free + (1 - remission) + remission * (1 - deaths) * (1 - kept)
    overall = event_free + late * (most - event_free)
    found = Mortality.from_survival(
        remission=remission,
        event_free=event_free,
        overall=overall,
        months=months,
        source="test",
        deaths=deaths,
    )
    rates = np.array([[-lost, 0.0], [(1 - deaths) * lost, -found.after_failure]])
    from scipy.linalg import expm

    states = expm(rates * time) @ [remission, 1 - remission]
    assert states[0] == pytest.approx(event_free)
    assert states.sum() == pytest.approx(overall, rel=1e-6)
    assert found.in_remission == pytest.approx(deaths * lost)


@pytest.mark.parametrize(
    ("name", "remission", "event_free", "overall", "months"),
    [
        ("Dourthe 2021", 0.96, 0.44, 0.74, 18),
        ("CIBMTR", 0.855, 0.524, 0.772, 12),
        ("Laetsch 2022", 0.82, 0.44, 0.63, 36),
    ],
)
def test_a_cohort_with_the_relapses_of_a_study_survives_as_in_it(
    name: str, remission: float, event_free: float, overall: float, months: float
) -> None:
    """20,000 patients with exponential relapse; overall survival within four deviations."""
    n, end, rng = 20_000, months * MONTH, np.random.default_rng(9)
    mortality = MORTALITY[name]
    lost = np.log(remission / event_free) / end
    relapse_day = rng.exponential(1.0 / (lost - mortality.in_remission), n)
    responds = rng.random(n) < remission
    relapsed = np.where(responds, (relapse_day <= end) * 1.0, np.nan)
    data = course(
        list(responds * 1.0), list(relapsed), list(np.where(relapsed == 1, relapse_day, np.nan))
    )
    found = draw_deaths(data, name, follow_up=end)
    alive = 1.0 - float(found["death"].mean())
    assert abs(alive - overall) < 4 * np.sqrt(overall * (1 - overall) / n)
    free = responds & ~(relapsed == 1.0) & (found["death"].values == 0.0)
    assert abs(free.mean() - event_free) < 4 * np.sqrt(event_free * (1 - event_free) / n)


def test_death_competes() -> None:
    data = everyone(3000, 1.0, None)
    data = data.assign(draw_deaths(data, FLAT, follow_up=730.0))
    data["flare"] = ("patient", np.ones(3000))
    data["flare_time"] = ("patient", np.full(3000, 400.0), {"clock": "simulation"})
    first = first_event(data, ["flare", "relapse", "death"], conditional=["relapse"])
    curves = competing_incidence(first, 730.0)
    share = np.exp(-0.4)
    sd = np.sqrt(share * (1 - share) / 3000)
    assert abs(float(curves.at(730.0, "flare")) - share) < 4 * sd
    assert float(curves.at(730.0, "flare") + curves.at(730.0, "death")) == pytest.approx(1.0)


def test_messages() -> None:
    data = everyone(3, 1.0, None)
    with pytest.raises(ScenarioError, match="Did you mean 'Dourthe 2021'"):
        draw_deaths(data, "Dourthe 2020", follow_up=1.0)
    with pytest.raises(ScenarioError, match="needs the endpoint 'remission'"):
        draw_deaths(data.drop_vars("relapse"), FLAT, follow_up=1.0)
    with pytest.raises(ScenarioError, match="hazard per day"):
        Mortality(-0.1, 0.0, "test")
    with pytest.raises(ScenarioError, match="event-free survival the smallest"):
        Mortality.from_survival(
            remission=0.9, event_free=0.8, overall=0.7, months=12.0, source="test"
        )
    with pytest.raises(ScenarioError, match="at most"):
        Mortality.from_survival(
            remission=0.9, event_free=0.5, overall=0.9, months=12.0, source="test", deaths=0.9
        )
    names = data.assign_coords(patient=["a", "b", "c"])
    with pytest.raises(ScenarioError, match="whole numbers"):
        draw_deaths(names, FLAT, follow_up=1.0)

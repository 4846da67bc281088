"""The statistics of the report: what the page says is what the estimators, or a count, give."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

from carsim.design import Axis, Grid, Sobol
from carsim.endpoints import tango_interval, wilson_interval
from carsim.hypertext import value
from carsim.model import Model
from carsim.population import LogNormal, Population
from carsim.registry import load_model
from carsim.report import report_page
from carsim.sweep import run
from carsim.therapy import Window
from tests.pages import Page
from tests.reports import KIND, STOP, STRATEGY, TOY, checked, sweep_of

PATIENTS = 60
DAYS = np.array([0.0, 20.0, 80.0, 170.0, 250.0])


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(TOY)


@pytest.fixture(scope="module")
def result(model: Model) -> xr.Dataset:
    return run(sweep_of(model, Grid([KIND, STRATEGY])))


@pytest.fixture(scope="module")
def relapsing(result: xr.Dataset) -> xr.Dataset:
    """The same with relapses: of a third of the patients, early, late, or at a visit with both."""
    event, when = result["hbv_reactivation"], result["hbv_reactivation_time"]
    patient = np.arange(PATIENTS)
    relapsed = np.broadcast_to(np.where(patient % 3 == 0, 1.0, 0.0), event.shape).copy()
    relapsed[..., patient % 10 == 1] = np.nan  # never in remission
    day = np.where(patient % 2 == 0, 84.0, 252.0)
    times = np.where(relapsed == 1.0, day, np.nan)
    tied = (patient % 9 == 0) & (event.values == 1.0)
    times = np.where(tied & (relapsed == 1.0), when.values, times)
    return result.assign(
        relapse=event.copy(data=relapsed).assign_attrs(long_name="Relapse after remission"),
        relapse_time=when.copy(data=times).assign_attrs(long_name="Day of relapse"),
    )


@pytest.fixture(scope="module")
def page(relapsing: xr.Dataset) -> Page:
    return checked(report_page(relapsing, patients=PATIENTS))


def cells_of(page: Page, heading: str) -> str:
    """Text from a heading on, without spaces, to be searched for rows of tables."""
    return page.words[page.words.index(heading) :].replace(" ", "").replace("days", "day")


def row(*cells: str) -> str:
    return "".join(cells).replace(" ", "")


# Risks


def test_patients_for_a_wanted_error_give_it(page: Page, result: xr.Dataset) -> None:
    found = re.search(r"([\d,]+) give ± 1 percentage point", page.section(3))
    assert found
    n = int(found[1].replace(",", ""))
    events = result["hbv_reactivation"].sum("patient").values.ravel()
    widths = np.diff(wilson_interval(events, PATIENTS, 0.95), axis=0)[0]
    share = events[int(np.argmax(widths))] / PATIENTS
    for count, enough in ((n, True), (n - 2, False)):
        lower, upper = wilson_interval(share * count, count, 0.95)
        assert (0.5 * float(upper - lower) <= 0.01) == enough
    assert f"{4 * PATIENTS} in place of {PATIENTS} would halve it" in page.section(3)
    alts = [picture["alt"] for picture in page.images]
    assert any(alt.endswith("over the number of patients, with interval.") for alt in alts)


# What comes first


def test_competing_events_are_counted_as_they_come(page: Page, relapsing: xr.Dataset) -> None:
    data = relapsing.isel(kind=1, strategy=0)
    event, when = (data[name].values for name in ("hbv_reactivation", "hbv_reactivation_time"))
    relapsed, back = data["relapse"].values == 1.0, data["relapse_time"].values
    reactivated = event == 1.0
    ends = np.where(relapsed, back, STOP)
    first = reactivated & (when <= ends)
    before = relapsed & ~first
    # One minus Kaplan-Meier, followed until the relapse: the product over the days of an event.
    left = np.where(first, when, ends)
    survival = 1.0
    for day in np.unique(when[first]):
        survival *= 1.0 - np.sum(first & (when == day)) / np.sum(left >= day)
    low, high = (100 * float(end) for end in wilson_interval(first.sum(), PATIENTS, 0.95))
    assert 0 < first.sum() < reactivated.sum()
    assert survival < 1.0 - first.mean()
    expected = row(
        "0 1/day",
        "fast",
        f"{100 * event.mean():.1f} %",
        f"{100 * first.mean():.1f} %{low:.1f} to {high:.1f} %",
        f"{100 * (1.0 - survival):.1f} %",
        f"{100 * before.mean():.1f} %",
    )
    assert expected in cells_of(page, "counted in three ways")


def test_the_largest_gap_is_said(page: Page, relapsing: xr.Dataset) -> None:
    event, when = relapsing["hbv_reactivation"], relapsing["hbv_reactivation_time"]
    late = (when > relapsing["relapse_time"]).sum("patient")
    assert int((late == late.max()).sum()) == 1
    (cell,) = np.argwhere((late == late.max()).values)
    ever = event.values[tuple(cell)].mean()
    first = ever - float(late.max()) / PATIENTS
    said = f"{100 * ever:.1f} % have the event at any time, but only {100 * first:.1f} % before"
    assert said in page.section(4)


def test_ties_are_counted(page: Page, relapsing: xr.Dataset) -> None:
    tied = relapsing["relapse_time"] == relapsing["hbv_reactivation_time"]
    assert f"In {int(tied.sum())} courses both are found at the same visit" in page.section(4)


def test_competing_events_are_drawn_for_each_kind(page: Page, result: xr.Dataset) -> None:
    alts = [picture["alt"] for picture in page.images]
    assert any(alt.startswith("Shares of patients by what came first") for alt in alts)
    without = checked(report_page(result, patients=0))
    assert "What comes first" not in without.words


def test_death_competes_too(relapsing: xr.Dataset) -> None:
    event, when = relapsing["hbv_reactivation"], relapsing["hbv_reactivation_time"]
    died = np.broadcast_to(np.where(np.arange(PATIENTS) % 4 == 3, 1.0, 0.0), event.shape)
    with_death = relapsing.assign(
        death=event.copy(data=died).assign_attrs(long_name="Death"),
        death_time=when.copy(data=np.where(died == 1.0, 56.0, np.nan)),
    )
    page = checked(report_page(with_death, patients=0))
    assert "HBV reactivation (AASLD 2018), relapse or death" in page.words
    data = with_death.isel(kind=0, strategy=0)
    early = (data["hbv_reactivation_time"] <= 56.0) | (data["relapse_time"] <= 56.0)
    share = float(((data["death"] == 1.0) & ~early).mean())
    assert f"{100 * share:.1f}%" in cells_of(page, "counted in three ways")


# Differences


def test_differences_are_those_of_tango(page: Page, result: xr.Dataset) -> None:
    values = result["hbv_reactivation"].values
    only = int(np.sum((values[1, 2] == 1) & (values[1, 0] == 0)))
    reference = int(np.sum((values[1, 2] == 0) & (values[1, 0] == 1)))
    low, high = (100 * float(end) for end in tango_interval(only, reference, PATIENTS))
    middle = 100 * (only - reference) / PATIENTS
    start = row("0.008 1/day", "fast", f"{middle:+.1f}", f"{low:+.1f} to {high:+.1f}", "NNTB")
    found = cells_of(page, "Table of the differences")
    assert start.replace("-", "−") in found
    nnt = PATIENTS / (reference - only)
    assert f"NNTB {nnt:.2g} (" in page.section(4)
    assert f"{only}{reference}{PATIENTS}" in found


def test_common_random_numbers_are_said_to_save_patients(page: Page, result: xr.Dataset) -> None:
    values = result["hbv_reactivation"].values
    ratios = []
    for kind in values:
        for strategy in kind[1:]:
            pairs = strategy - kind[0]
            apart = strategy.var() + kind[0].var()
            if pairs.var() > 0:
                ratios.append(apart / pairs.var())
    assert f"(median {np.median(ratios):.3g}) as many patients" in page.section(4)


# Decisions


def test_the_best_duration_is_that_of_the_least_loss(model: Model) -> None:
    axis = Axis("therapy.drug.duration", DAYS.tolist(), name="duration", label="duration")
    sweep = sweep_of(
        model,
        Grid([axis]),
        therapy={"drug": Window("kill", start=0.0, duration=28.0, value=0.02)},
        population=Population(300, seed=5, parameters={"growth": LogNormal(cv=0.5)}),
        parameters={"growth": 0.02},
    )
    result = run(sweep)
    page = checked(report_page(result, patients=0))
    risks = result["hbv_reactivation"].mean("patient").values
    best = [int(np.argmin(loss * risks + DAYS)) for loss in np.geomspace(1.0, 1e5, 4000)]
    steps = list(dict.fromkeys(best))
    assert len(steps) >= 3
    borders = [
        value((DAYS[b] - DAYS[a]) / (risks[a] - risks[b]), "", 3)
        for a, b in itertools.pairwise(steps)
    ]
    ranges = [f"below {borders[0]}"]
    ranges += [f"{a} to {b}" for a, b in itertools.pairwise(borders)]
    ranges.append(f"{borders[-1]} or more")
    found = cells_of(page, "How often best")
    for where, step in zip(ranges, steps, strict=True):
        assert row("all", where, f"{DAYS[step]:g} day", f"{100 * risks[step]:.1f} %") in found
    assert "Follow-up ends at 280 days" in page.section(4)


def test_strategies_without_costs_have_no_best(model: Model) -> None:
    page = checked(report_page(run(sweep_of(model, Grid([KIND, STRATEGY]))), patients=0))
    assert "is best?" not in page.words


# Sensitivity


def test_with_one_parameter_the_correlation_is_spearmans(page: Page, result: xr.Dataset) -> None:
    # Fast growth, not killed: the cell with the highest risk.
    data = result.isel(kind=1, strategy=0)
    growth, event = data["growth"].values, data["hbv_reactivation"].values
    assert 0.0 < event.mean() < 1.0
    expected = float(spearmanr(growth, event).statistic)
    half = 1.959964 / math.sqrt(PATIENTS - 3)
    low, high = (math.tanh(math.atanh(expected) + sign * half) for sign in (-1, 1))
    said = f"growth of the virus {expected:.2f} ({low:.2f} to {high:.2f})"
    assert said in page.section(6)
    assert f"{PATIENTS} patients count, of whom {int(event.sum())} have the event" in page.section(
        6
    )


def test_few_events_are_said(model: Model) -> None:
    page = checked(report_page(run(sweep_of(model, Grid([KIND]))), patients=0))
    assert "Too few to say much" in page.section(6)


def test_the_influence_of_an_axis_is_that_of_its_means(page: Page, result: xr.Dataset) -> None:
    means = 100 * result["hbv_reactivation"].mean(("patient", "kind")).values
    assert (
        f"kill rate: from {means.min():.1f} % (0.008 1/day) to {means.max():.1f} % (0 1/day), "
        f"{means.max() - means.min():.1f} percentage points" in page.section(6)
    )


def test_axes_of_points_are_correlated(model: Model) -> None:
    axes = [
        Axis("parameters.kill", low=0.0, high=0.02, label="kill rate"),
        Axis("parameters.surface", low=0.001, high=0.02, label="antigen"),
    ]
    result = run(sweep_of(model, Sobol(axes, points=16, seed=1)))
    words = checked(report_page(result, patients=0)).section(6)
    found = re.search(r"kill rate: (−[\d.]+) \(", words)
    assert found
    assert float(found[1].replace("−", "-")) < -0.8  # what is killed faster reactivates less


def test_patients_that_differ_in_nothing(model: Model) -> None:
    sweep = sweep_of(model, Grid([STRATEGY]), population=Population(20))
    words = checked(report_page(run(sweep), patients=0)).section(6)
    assert "nothing tells them apart" in words


# Courses


@pytest.mark.parametrize("lasting", [True, False])
def test_lanes_show_what_was_given(model: Model, lasting: bool) -> None:
    changes: dict[str, Any] = {}
    if lasting:
        changes["therapy"] = {"drug": Window("kill", start=0.0, duration=84.0, value=0.02)}
    page = checked(report_page(run(sweep_of(model, Grid([KIND]), **changes)), patients=12))
    assert any(alt["alt"].startswith("Swimmer plot of 12 virtual") for alt in page.images)
    assert ("colors are what was given" in page.section(7)) == lasting
    assert "in the order of HBV reactivation" in page.section(7)

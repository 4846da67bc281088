"""`carsim report`: the numbers of the page, its HTML, and what it does without this or that."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from carsim.dataset.words import words_of_actions
from carsim.design import Axis, Grid, Single, Sobol
from carsim.endpoints import Endpoint, PeakHBVDNA, slabs, wilson_interval
from carsim.errors import CarsimError
from carsim.metrics import Maximum
from carsim.model import Model
from carsim.population import Component, LogNormal, Mixture, Population
from carsim.registry import load_model
from carsim.report import report_page, view, write_report
from carsim.report.view import _slices
from carsim.sweep import run
from carsim.therapy import Dose, Rule
from tests.pages import Page
from tests.reports import KIND, STOP, STRATEGY, TOY, checked, sweep_of


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(TOY)


@pytest.fixture(scope="module")
def result(model: Model) -> xr.Dataset:
    return run(sweep_of(model, Grid([KIND, STRATEGY])))


@pytest.fixture(scope="module")
def page(result: xr.Dataset) -> Page:
    return checked(report_page(result, patients=60))


# The numbers


def test_risks_are_those_of_the_closed_form(page: Page, result: xr.Dataset) -> None:
    growth = result["growth"].values  # kind, patient
    last_visit = 28.0 * math.floor(STOP / 28.0)
    for k, kind in enumerate(("slow", "fast")):
        for s, kill in enumerate((0.0, 0.003, 0.008)):
            # Detectable from 10 IU/mL on, from 1 IU/mL at the start.
            count = int(np.sum((growth[k] - kill) * last_visit >= math.log(10.0)))
            low, high = (100 * float(end) for end in wilson_interval(count, 60, 0.95))
            row = f"{kind}{kill:g} 1/day"
            assert int(result["hbv_reactivation"].values[k, s].sum()) == count
            said = f"{100 * count / 60:.1f} %{low:.1f} to {high:.1f} %{count}600"
            squeezed = page.section(3).replace("days", "day").replace(" ", "")
            assert (row + said).replace(" ", "") in squeezed


def test_the_answer_names_the_lowest_and_the_highest_risk(page: Page, result: xr.Dataset) -> None:
    shares = result["hbv_reactivation"].mean("patient").values
    assert f"lowest, {100 * shares.min():.1f} %" in page.section(1)
    assert f"highest, {100 * shares.max():.1f} %" in page.section(1)
    assert "for: fast; kill rate 0" in page.section(1)
    assert "AASLD 2018" in page.section(1)
    assert "every 28 days" in page.section(1)
    assert "from 10 IU/mL" in page.section(1)


def test_half_the_error_needs_four_times_the_patients(page: Page) -> None:
    assert "240 in place of 60 would halve it" in page.section(3)


def test_differences_in_the_page_are_paired(page: Page, result: xr.Dataset) -> None:
    values = result["hbv_reactivation"].values
    best = (values[1, 2] - values[1, 0]).mean()
    only = int(np.sum((values[1, 2] == 0) & (values[1, 0] == 1)))
    assert f"−{-100 * best:.1f} percentage points" in page.section(4)
    assert f"{only} of 60 patients have the event only under the reference" in page.section(4)


def test_half_of_the_events_are_found_by_a_visit(page: Page, result: xr.Dataset) -> None:
    times = np.sort(result["hbv_reactivation_time"].values.ravel())
    times = times[np.isfinite(times)]
    half, most = (times[math.ceil(share * times.size) - 1] for share in (0.5, 0.9))
    assert half % 28.0 == 0.0
    assert f"found by day {half:g} and nine in ten by day {most:g}" in page.section(4)


def test_a_page_counts_from_the_infusion(model: Model) -> None:
    result = run(sweep_of(model, Grid([KIND]), infusion=28.0))
    times = np.sort(result["hbv_reactivation_time"].values.ravel())
    times = times[np.isfinite(times)]
    half, most = (times[math.ceil(share * times.size) - 1] for share in (0.5, 0.9))
    words = checked(report_page(result, patients=4)).words
    found = f"found by day {half - 28:g} and nine in ten by day {most - 28:g} since the infusion"
    assert found in words
    assert "from day 28 (the infusion) on" in words


def test_the_event_log_counts_patients(page: Page, result: xr.Dataset) -> None:
    # 50 IU/mL at a visit before the end; the rule looks from day 0 to day 252.
    growth = result["growth"].values[1]
    fired = growth * 252.0 >= math.log(50.0)
    first = 28.0 * np.ceil(math.log(50.0) / growth[fired] / 28.0)
    assert f"{fired.sum()} of 60 ({100 * fired.mean():.1f} %)" in page.section(7)
    assert f"first on day {np.median(first):.3g}" in page.section(7)
    assert "set kill to 1" in page.section(7)


def test_steps_are_those_of_all_courses(page: Page, result: xr.Dataset) -> None:
    words = page.section(8)
    assert "All 360 courses reached the end." in words
    steps = np.sort(result["n_steps"].values.ravel())
    assert f"at most {steps[-1]}" in words
    assert f"median of {steps[(steps.size + 1) // 2 - 1]} steps" in words


def test_the_population_is_described(page: Page, result: xr.Dataset) -> None:
    words = page.section(2)
    assert "60 virtual patients in each cell, drawn with seed 3" in words
    assert "lognormal around the model's value (cv 0.5)" in words
    middle = np.quantile(result["growth"].values[0], 0.5)
    assert f"{middle:.3g}" in words


# Safety


def test_what_the_config_says_is_escaped(model: Model) -> None:
    evil = "<script>alert(1)</script>\"'&"
    kinds = Mixture("kind", [Component(evil, 1.0, ["slow"]), Component("b", 1.0, ["fast"])])
    axes = [
        Axis("population.kind", [evil, "b"], name="kind", label=evil),
        Axis("parameters.kill", [0.0, 0.01], name="kill", label=evil),
    ]
    sweep = sweep_of(
        model,
        Grid(axes),
        title=evil,
        config=f"# {evil}\ntitle = '{evil}'\n",
        population=Population(20, parameters={"growth": LogNormal(cv=0.5)}, mixture=kinds),
    )
    html = report_page(run(sweep), patients=3)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    page = checked(html)
    assert page.words.count(evil) > 5


def test_the_file_is_whole_or_not_there(
    result: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.html"
    target.write_text("older")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fails)
        with pytest.raises(CarsimError, match="cannot be written"):
            write_report(result, target, patients=0)
    assert target.read_text() == "older"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    write_report(result, target, patients=0)
    assert target.read_text().startswith("<!DOCTYPE html>")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_the_page_does_not_depend_on_how_much_is_loaded_at_a_time(
    result: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = report_page(result, patients=3)
    file = tmp_path / "result.nc"
    result.to_netcdf(file, engine="h5netcdf")
    loaded: list[int] = []
    monkeypatch.setattr(view, "AT_A_TIME", 60)
    monkeypatch.setattr(slabs, "AT_A_TIME", 60)
    original = slabs.slabs

    def watched(values: xr.DataArray, dim: str) -> Iterator[tuple[slice, Any]]:
        for part, numbers in original(values, dim):
            loaded.append(numbers.size)
            yield part, numbers

    monkeypatch.setattr(view, "slabs", watched)
    with xr.open_dataset(file, engine="h5netcdf") as lazy:
        assert report_page(lazy, patients=3) == expected
    assert max(loaded) == 60


@given(st.lists(st.integers(1, 7), max_size=3), st.integers(1, 50), st.integers(1, 400))
def test_pieces_hold_each_cell_once(shape: list[int], patients: int, limit: int) -> None:
    seen = np.zeros(shape, dtype=int)
    before = view.AT_A_TIME
    view.AT_A_TIME = limit
    try:
        for piece in _slices(tuple(shape), math.prod(shape) * patients):
            seen[piece] += 1
            assert seen[piece].size * patients <= max(limit, patients)
    finally:
        view.AT_A_TIME = before
    assert (seen == 1).all()


def test_more_patients_than_are_looked_at_are_said(
    result: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "MOST_PATIENTS", 40)
    monkeypatch.setattr("carsim.report.question.MOST_PATIENTS", 40)
    page = checked(report_page(result, patients=0))
    assert "looks at the first 40 of each" in page.section(1)
    count = int(result["hbv_reactivation"].values[1, 0, :40].sum())
    assert f"{count} of 40 patients" in page.section(1)
    assert "All 360 courses reached the end." in page.section(8)


# Missing pieces


def test_without_a_population(model: Model) -> None:
    page = checked(report_page(run(sweep_of(model, Grid([STRATEGY]), population=None))))
    assert "There is no population" in page.section(2)
    assert "One patient a cell has no risk" in page.section(3)
    assert "HBV reactivation" in page.section(3)


def test_patients_given_as_arrays(model: Model) -> None:
    growth = np.linspace(0.0, 0.02, 21)
    sweep = sweep_of(model, Grid([STRATEGY]), population=None, parameters={"growth": growth})
    page = checked(report_page(run(sweep), patients=21))
    assert "21 patients with values of their own" in page.section(2)
    # 1 IU/mL becomes 10 by day 280 if it grows by 0.00822 a day or more.
    assert "57.1 % (95 % interval 36.5 to 75.5 %; 12 of 21 patients)" in page.section(1)
    assert "Of these 21 patients 12 (57.1 %)" in page.section(5)


def test_a_single_cell(model: Model) -> None:
    page = checked(report_page(run(sweep_of(model, Single()))))
    assert "Nothing was varied" in page.section(1)
    assert "of 60 patients" in page.section(1)
    assert "slow: " in page.section(3)  # kinds are labels on the patients
    assert "(the only cell)" in page.section(5)


def test_kinds_as_labels_on_the_patients(model: Model) -> None:
    result = run(sweep_of(model, Grid([STRATEGY])))
    page = checked(report_page(result, patients=5))
    labels = result["kind"].values
    counts = [int(np.sum(labels == name)) for name in ("slow", "fast")]
    assert f"slow50.0 %{counts[0]}slow" in page.section(2)
    values = result["hbv_reactivation"].values[0][labels == "fast"]
    assert f"{int(values.sum())} of {counts[1]} patients" in page.section(3)
    assert "fast: the largest decrease" in page.section(4)


def test_two_axes_make_maps_with_contours(model: Model) -> None:
    other = Axis("parameters.growth", [0.02, 0.005, 0.01], name="growth_rate", label="growth")
    patients = Population(50, parameters={"growth": LogNormal(cv=0.5)})
    sweep = sweep_of(model, Grid([STRATEGY, other]), population=patients, therapy={})
    page = checked(report_page(run(sweep), patients=5))
    alts = [picture["alt"] for picture in page.images]
    assert any(alt.startswith("Maps of the risk") for alt in alts)
    assert any(alt.startswith("Lines of equal risk") for alt in alts)


def test_all_failed(model: Model) -> None:
    page = checked(report_page(run(sweep_of(model, Grid([KIND]), parameters={"runaway": 1.0}))))
    assert "There is no answer" in page.section(1)
    assert "120 of 120 courses failed (100 %)" in page.section(8)
    assert "The first: toy_hbv: patient 0 stopped at" in page.section(8)
    assert "60 patients of 60 failed" in page.section(5)


def test_some_failed_are_counted_and_left_out(model: Model) -> None:
    axis = Axis("parameters.runaway", [0.0, 0.002], name="runaway")
    result = run(sweep_of(model, Grid([axis]), therapy={}))
    failed = int(np.sum(result["status"].values != 0))
    assert 0 < failed < 60
    page = checked(report_page(result))
    assert f"{failed} of 120 courses failed" in page.section(8)
    assert "Some courses failed and count nowhere" in page.section(1)
    assert f"{failed} courses in 1 cell do not count" in page.section(3)


def test_nobody_has_the_event(model: Model) -> None:
    page = checked(report_page(run(sweep_of(model, Grid([KIND]), parameters={"kill": 1.0}))))
    assert "the same in all cells: 0.0 % (95 % interval 0.0 to 6.0 %" in page.section(1)
    assert "all curves stay at zero" in page.section(4)


def test_no_event_at_all(model: Model) -> None:
    endpoints: dict[str, Endpoint] = {"peak": PeakHBVDNA()}
    page = checked(report_page(run(sweep_of(model, Grid([KIND]), endpoints=endpoints))))
    assert "No yes-or-no endpoint was kept" in page.section(1)
    assert "Peak HBV DNA" in page.section(3)


def test_metrics_alone(model: Model) -> None:
    sweep = sweep_of(model, Grid([KIND]), endpoints={}, metrics={"top": Maximum("hbv_dna")})
    assert "maximum" in checked(report_page(run(sweep))).section(3).lower()


def test_no_outputs(model: Model) -> None:
    page = checked(report_page(run(sweep_of(model, Grid([KIND]), outputs=[]))))
    assert "the config names no outputs" in page.section(5)
    assert "rescue" in page.section(7)


def test_no_rules(model: Model) -> None:
    page = checked(report_page(run(sweep_of(model, Grid([KIND]), therapy={}))))
    assert "no rule and no hazard" in page.section(7)


def test_points_of_a_design(model: Model) -> None:
    axes = [
        Axis("parameters.kill", low=0.0, high=0.01, label="kill rate"),
        Axis("population.kind", ["slow", "fast"], name="kinds"),
    ]
    page = checked(report_page(run(sweep_of(model, Sobol(axes, points=8, seed=1))), patients=4))
    assert "Sobol sequence" in page.section(1)
    assert any("over each of the axes" in picture["alt"] for picture in page.images)
    assert "Curves are drawn for grids only" in page.section(4)


def test_a_model_that_has_changed_is_said_and_not_simulated(result: xr.Dataset) -> None:
    scenario = json.loads(result.attrs["scenario"])
    scenario["model"]["hash"] = "0" * 64
    old = result.assign_attrs(scenario=json.dumps(scenario), model=TOY)
    page = checked(report_page(old))
    assert "has changed since" in page.section(5)
    assert "has changed since" in page.section(9)


def test_no_courses(result: xr.Dataset) -> None:
    assert "No patient was simulated again" in checked(report_page(result, patients=0)).section(5)


def test_what_a_rule_gives_has_a_unit_only_if_there_is_one() -> None:
    model = load_model("cart_hbv")
    given = {
        "give 2 lymphodepletion every 28 days": Dose("lymphodepletion", 2.0, every=28.0),
        "give 8 mg tocilizumab every 1 day": Dose("tocilizumab", 8.0, every=1.0),
    }
    for words, dose in given.items():
        assert words_of_actions(Rule("b_cells", below=1.0, every=7.0, do=dose), model) == words

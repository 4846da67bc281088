"""Figures of hand-made results: what is drawn, and that nothing is hidden."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carsim import plots
from carsim.endpoints import wilson_interval
from carsim.errors import ScenarioError
from carsim.plots.risk_maps import ceiling
from carsim.plots.theme import axis_values, groups_of, percent, tick_labels, unit_text

MONTH = 365.25 / 12
SEROSTATUS = ["HBsAg-positive carrier", "resolved"]


def make_sweep(n: int = 40) -> xr.Dataset:
    rng = np.random.default_rng(3)
    durations = np.round(np.array([0, 3, 12]) * MONTH)
    depths = np.array([0.5, 1.0])
    event = (rng.random((3, 2, n)) < 0.3) * 1.0
    event[0, 0, 0] = np.nan
    time = np.where(event == 1, 28.0 * rng.integers(1, 19, event.shape), np.nan)
    dims = ("prophylaxis", "depth", "patient")
    return xr.Dataset(
        {
            "hbv_reactivation": (dims, event, {"units": "1", "long_name": "HBV reactivation"}),
            "hbv_reactivation_time": (dims, time, {"units": "day", "long_name": "Day"}),
        },
        coords={
            "prophylaxis": (
                "prophylaxis",
                durations,
                {"units": "day", "long_name": "duration of entecavir"},
            ),
            "depth": ("depth", depths, {"units": "1", "long_name": "depth of lymphodepletion"}),
            "serostatus": ("patient", np.repeat(SEROSTATUS, n // 2)),
        },
        attrs={"scenario": '{"stop": 548.0}'},
    )


def make_run(n: int = 8) -> xr.Dataset:
    rng = np.random.default_rng(4)
    time = np.arange(-14.0, 100.0, 2.0)
    scale = np.exp(rng.normal(size=(n, 1)))
    given = ((time >= -7) & (time < 30)) * 1.0

    def variable(
        values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], unit: str, words: str
    ) -> xr.Variable:
        return xr.Variable(("patient", "time"), values, {"units": unit, "long_name": words})

    return xr.Dataset(
        {
            "car_t": variable(scale * np.exp(-0.1 * np.abs(time - 10)), "cell/uL", "CAR-T cells"),
            "hbv_dna": variable(scale * np.maximum(1e4 - 100 * time, 0.0), "IU/mL", "HBV DNA"),
            "leukemia_cd19_positive": variable(scale * 1e10 + 0 * time, "cell", "CD19+"),
            "leukemia_cd19_negative": variable(scale * 1e3 + 0 * time, "cell", "CD19-"),
            "entecavir": variable(scale * given, "ng/mL", "entecavir"),
            "tocilizumab": variable(0 * scale * given, "ug/mL", "tocilizumab"),
        },
        coords={
            "time": ("time", time, {"units": "day"}),
            "serostatus": ("patient", np.repeat(SEROSTATUS, n // 2)),
            "strategy": ("patient", np.tile(["none", "12 months"], n // 2)),
        },
    )


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_risk_map_writes_percent_and_interval_in_each_cell(ax: Axes) -> None:
    sweep = make_sweep()
    assert plots.risk_map(sweep, "prophylaxis", "depth", ax=ax) is ax
    values = sweep["hbv_reactivation"].values[2, 1]
    lower, upper = wilson_interval(values.sum(), values.size)
    assert len(ax.texts) == 2 * 6
    assert f"{100 * values.mean():.0f} %" in texts(ax)
    assert f"({100 * lower:.0f}–{100 * upper:.0f})" in texts(ax)
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn[1, 2] == pytest.approx(100 * values.mean())
    assert ax.images[0].get_clim()[0] == 0.0


def test_risk_map_labels_days_as_months(ax: Axes) -> None:
    plots.risk_map(make_sweep(), "prophylaxis", "depth", ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "3", "12"]
    assert ax.get_xlabel() == "Duration of entecavir (months)"
    assert ax.get_ylabel() == "Depth of lymphodepletion"


def test_risk_map_says_where_there_is_no_data(ax: Axes) -> None:
    sweep = make_sweep()
    sweep["hbv_reactivation"][0, 0] = np.nan
    plots.risk_map(sweep, "prophylaxis", "depth", ax=ax)
    assert texts(ax).count("no data") == 1


def test_risk_map_refuses_axes_it_cannot_show(ax: Axes) -> None:
    sweep = make_sweep()
    with pytest.raises(ScenarioError, match="Did you mean 'depth'"):
        plots.risk_map(sweep, "prophylaxis", "dept", ax=ax)
    with pytest.raises(ScenarioError, match="Did you mean 'hbv_reactivation'"):
        plots.risk_map(sweep, "prophylaxis", "depth", event="hbv_reactivaton", ax=ax)
    third = sweep.expand_dims(dose=[1.0, 2.0])
    with pytest.raises(ScenarioError, match=r"dataset\.isel\(dose=0\)"):
        plots.risk_map(third, "prophylaxis", "depth", ax=ax)


def test_risk_curves_are_drawn_to_scale(ax: Axes) -> None:
    plots.risk_curves(make_sweep(), "prophylaxis", "depth", ax=ax)
    assert len(ax.lines) == 2
    assert np.asarray(ax.lines[0].get_xdata()) == pytest.approx([0.0, 3.0, 12.0], abs=0.05)
    assert len(ax.collections) == 2
    assert ax.get_ylabel() == "Risk of HBV reactivation (%)"


def test_risk_map_figure_has_a_column_for_each_group_and_one_scale() -> None:
    figure = plots.risk_map_figure(make_sweep(), "prophylaxis", "depth")
    maps = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title(loc="left") for ax in maps] == [
        f"{name} (n = 20 per cell)" for name in SEROSTATUS
    ]
    assert len({ax.images[0].get_clim() for ax in maps}) == 1
    curves = [ax for ax in figure.axes if ax.lines]
    assert len({ax.get_ylim() for ax in curves}) == 1
    assert "At most 1 patients a cell were left out" in figure.get_suptitle()


def test_incidence_ends_at_the_risk(ax: Axes) -> None:
    one = make_sweep().isel(prophylaxis=1, depth=0)
    plots.incidence(one, ax=ax)
    for line, label in zip(ax.lines, SEROSTATUS, strict=True):
        part = one["hbv_reactivation"].values[one["serostatus"].values == label]
        assert np.asarray(line.get_ydata())[-1] == pytest.approx(100 * np.nanmean(part))
        assert line.get_label() == label
    assert ax.get_xlabel() == "Time since infusion (months)"
    assert "20" in texts(ax)  # numbers at risk


def test_incidence_by_a_dimension(ax: Axes) -> None:
    part = make_sweep().isel(depth=0)
    plots.incidence(part, by="prophylaxis", ax=ax)
    assert [line.get_label() for line in ax.lines] == ["0", "3", "12"]


def test_incidence_needs_one_choice_of_the_other_dimensions(ax: Axes) -> None:
    with pytest.raises(ScenarioError, match="also varies along prophylaxis, depth"):
        plots.incidence(make_sweep(), ax=ax)
    with pytest.raises(ScenarioError, match="no variable 'flare'"):
        plots.incidence(make_sweep(), event="flare", ax=ax)


def test_incidence_without_events_or_end_asks_for_follow_up(ax: Axes) -> None:
    one = make_sweep().isel(prophylaxis=0, depth=0)
    one.attrs.clear()
    one["hbv_reactivation"][:] = 0.0
    one["hbv_reactivation_time"][:] = np.nan
    with pytest.raises(ScenarioError, match="Give follow_up"):
        plots.incidence(one, ax=ax)
    plots.incidence(one, follow_up=60.0, ax=ax)
    assert ax.get_xlabel() == "Time since infusion (days)"


def test_trajectories_draw_band_median_and_single_patients(ax: Axes) -> None:
    run = make_run()
    plots.trajectories(run, "hbv_dna", log=True, limit=10.0, patients=2, ax=ax)
    (limit,) = [line for line in ax.lines if line.get_gid() == "limit"]
    median = np.asarray(ax.lines[-1].get_ydata())
    assert median == pytest.approx(np.median(run["hbv_dna"].values, axis=0))
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "HBV DNA (IU/mL)"
    assert ax.get_xlabel() == "Time (days)"
    assert np.asarray(limit.get_ydata()).tolist() == [10.0, 10.0]
    assert "limit of detection 10 IU/mL" in texts(ax)
    assert len(ax.collections) == 1


def test_trajectories_of_one_patient_are_a_line(ax: Axes) -> None:
    plots.trajectories(make_run().isel(patient=0), "car_t", ax=ax)
    assert len(ax.lines) == 1
    assert len(ax.collections) == 0


def test_zero_leaves_a_log_panel_at_the_bottom(ax: Axes) -> None:
    run = make_run().isel(patient=[0])
    run["hbv_dna"][:, 20:] = 0.0
    plots.trajectories(run, "hbv_dna", log=True, bottom=1.0, ax=ax)
    drawn = np.asarray(ax.lines[0].get_ydata())
    assert np.isfinite(drawn).all()
    assert (drawn[20:] < ax.get_ylim()[0]).all()


def test_trajectories_refuse_unknown_variables_and_dimensions(ax: Axes) -> None:
    with pytest.raises(ScenarioError, match="Did you mean 'hbv_dna'"):
        plots.trajectories(make_run(), "hbv_dan", ax=ax)
    with pytest.raises(ScenarioError, match="a time course needs time"):
        plots.trajectories(make_run().expand_dims(dose=[1.0]), "hbv_dna", ax=ax)


def test_periods_of_therapy_are_read_off_the_drugs() -> None:
    periods = plots.therapy_periods(make_run())
    assert list(periods) == ["Entecavir"]
    assert periods["Entecavir"] == [(-6.0, 30.0)]


def test_page_shows_what_was_saved_and_given() -> None:
    figure = plots.trajectory_figure(make_run(), by="serostatus")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["CAR-T cells in blood", "Leukemia", "HBV DNA", "Entecavir in plasma"]


def test_page_of_nothing_is_refused() -> None:
    with pytest.raises(ScenarioError, match="Save some of them: car_t"):
        plots.trajectory_figure(make_run()[["tocilizumab"]])


def test_examples_have_a_column_for_each_strategy() -> None:
    figure = plots.example_figure(make_run())
    assert len(figure.axes) == 4 * 2
    assert figure.axes[0].get_title(loc="left").startswith("None\n")
    assert len(figure.axes[0].lines) == 2 * 4 / 2
    one_column = plots.example_figure(make_run().drop_vars("strategy"))
    assert len(one_column.axes) == 4


def test_standard_sets_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "figures"
    written = plots.write_sweep_figures(make_sweep(), folder, make_run())
    assert [path.name for path in written] == [
        "risk_map.png",
        "cumulative_incidence.png",
        "example_trajectories.png",
    ]
    written += plots.write_run_figures(make_run(), folder)
    assert all(path.stat().st_size > 10_000 for path in written)


def test_groups_may_be_a_dimension_of_the_sweep(tmp_path: Path) -> None:
    parts = [make_sweep().drop_vars("serostatus")] * 2
    sweep = xr.concat(parts, dim=xr.Variable("serostatus", SEROSTATUS))
    written = plots.write_sweep_figures(sweep, tmp_path)
    assert [path.name for path in written] == ["risk_map.png", "cumulative_incidence.png"]


def test_standard_sets_leave_out_what_does_not_apply(tmp_path: Path) -> None:
    assert plots.write_run_figures(make_run()[["tocilizumab"]], tmp_path) == []
    one_axis = make_sweep().isel(depth=0)
    written = plots.write_sweep_figures(one_axis, tmp_path)
    assert [path.name for path in written] == ["cumulative_incidence.png"]
    assert plots.write_sweep_figures(make_sweep()[[]], tmp_path) == []


def test_groups_by_dimension_label_or_all() -> None:
    sweep = make_sweep()
    assert [name for name, _ in groups_of(sweep, None)] == [""]
    assert [name for name, _ in groups_of(sweep, "depth")] == ["0.5", "1"]
    assert [name for name, _ in groups_of(sweep, "serostatus")] == SEROSTATUS
    with pytest.raises(KeyError, match="no dimension or patient label 'serotype'"):
        groups_of(sweep, "serotype")


def test_days_stay_days_unless_all_are_whole_months() -> None:
    days = xr.DataArray([0.0, 45.0, 200.0], dims="x", name="x", attrs={"units": "day"})
    assert axis_values(days)[1] == "X (days)"
    assert tick_labels(days)[0] == ["0", "45", "200"]
    months = xr.DataArray([0.0, 182.6], dims="x", name="x", attrs={"carsim_units": "day"})
    assert tick_labels(months) == (["0", "6"], "X (months)")
    words = xr.DataArray(["a", "b"], dims="x", name="arm")
    assert tick_labels(words) == (["a", "b"], "Arm")


def test_units_and_percentages_as_printed() -> None:
    assert unit_text("cell/uL") == "cells/µL"
    assert unit_text("day*cell/uL") == "days·cells/µL"
    assert unit_text("1") == ""
    assert [percent(p) for p in (0.0, 4e-4, 0.004, 0.0094, 0.01)] == ["0", "0", "0.4", "0.9", "1"]
    assert [ceiling(np.array([p])) for p in (0.0, 0.05, 0.051, 0.83, np.nan)] == [
        0.01, 0.05, 0.1, 0.9, 1.0,
    ]  # fmt: skip


def test_carsim_does_not_import_matplotlib() -> None:
    code = "import sys, carsim, carsim.endpoints; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fresh_axes_when_none_are_given() -> None:
    import matplotlib.pyplot as plt

    ax = plots.trajectories(make_run(), "car_t")
    plt.close(ax.figure)  # type: ignore[arg-type]
    assert ax.lines

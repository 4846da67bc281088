"""Figures of the report: what is drawn is where the numbers say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from carsim.endpoints import risk
from carsim.plots.contours import _interpolated, lines_of, risk_contours, sure_level
from carsim.plots.histograms import Histogram, histogram_figure
from carsim.plots.intervals import interval_points_figure, interval_rows
from carsim.plots.pages import trajectory_figure
from carsim.plots.panels import panels_figure
from carsim.plots.risk_maps import risk_map_figure
from carsim.plots.theme import unit_text


def grid() -> xr.Dataset:
    """Events over two axes: 1000 patients, risks 1 % to 12 % as products of 1, 2, 3 and 1, 2, 4."""
    shares = np.outer([1, 2, 4], [1, 2, 3]) / 100.0
    events = (np.arange(1000) < 1000 * shares[..., None]).astype(float)
    return xr.Dataset(
        {"event": (("b", "a", "patient"), events, {"long_name": "event", "carsim_units": "1"})},
        {
            "a": ("a", [1.0, 2.0, 3.0], {"long_name": "axis a", "carsim_units": "mg"}),
            "b": ("b", [1.0, 2.0, 4.0], {"long_name": "axis b", "carsim_units": "day"}),
        },
    )


def lines_in(ax: Axes) -> list[LineCollection]:
    return [each for each in ax.collections if isinstance(each, LineCollection)]


def test_interpolation_is_exact_for_products_of_lines() -> None:
    across, up = np.array([0.0, 1.0, 5.0]), np.array([-1.0, 3.0])
    values = np.outer(2.0 * up + 1.0, 3.0 - across)
    fine = np.linspace(0.0, 5.0, 21), np.linspace(-1.0, 3.0, 17)
    found = _interpolated(values, (across, up), fine)
    assert found == pytest.approx(np.outer(2.0 * fine[1] + 1.0, 3.0 - fine[0]))


def test_lines_run_where_the_risk_is_round() -> None:
    table = risk(grid()["event"])
    ax = Figure().subplots()
    risk_contours(table, "a", "b", level=5.0, ax=ax)
    # The risk is a * b percent on the whole map, so the line of 5 % is b = 5 / a.
    drawn = [each for each in ax.collections if isinstance(each, ContourSet)]
    lines = next(each for each in drawn if list(each.levels) == [2.0, 5.0, 10.0])
    path = np.asarray(lines.get_paths()[1].vertices)
    assert len(path) > 10
    assert path[:, 0] * path[:, 1] == pytest.approx(5.0, rel=2e-3)


def test_the_order_of_the_cells_does_not_matter() -> None:
    table = risk(grid()["event"])
    turned = table.isel(a=[2, 0, 1], b=[1, 2, 0])
    limits = []
    for each in (table, turned):
        ax = Figure().subplots()
        risk_contours(each, "a", "b", ax=ax)
        limits.append((ax.get_xlim(), ax.get_ylim(), len(ax.collections)))
    assert limits[0] == limits[1]


def test_round_risks_are_inside_and_not_too_many() -> None:
    assert lines_of(np.array([0.0, 4.0])) == [0.5, 1.0, 2.0]
    assert lines_of(np.array([3.0, 3.0])) == []
    assert lines_of(np.array([np.nan])) == []
    assert len(lines_of(np.array([0.0, 99.0]))) <= 6
    assert sure_level(risk(grid()["event"])) == 5.0


def test_a_counted_table_is_drawn_as_its_patients_are() -> None:
    data = grid()
    texts = []
    for each, event in ((data, "event"), (risk(data["event"]), "risk")):
        figure = risk_map_figure(each, "a", "b", by=None, event=event)
        texts.append([t.get_text() for t in figure.axes[0].texts])
    assert texts[0] == texts[1]
    assert "12 %" in texts[0]


def test_rows_show_points_and_intervals() -> None:
    ax = Figure().subplots()
    series = {
        "x": ([1.0, 2.0], [0.5, 1.0], [2.0, 4.0]),
        "y": ([3.0, np.nan], [2.0, 2.0], [4.0, 4.0]),
    }
    interval_rows(["first", "second"], series, x_label="Risk (%)", ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row on top
    assert ax.get_xlim()[0] == 0.0
    segments = lines_in(ax)[0].get_segments()
    assert [segment[:, 0].tolist() for segment in segments] == [[0.5, 2.0], [1.0, 4.0]]


def test_points_share_the_ordinate() -> None:
    panels = {f"axis {k} (mg)": np.arange(5.0) * k for k in range(1, 5)}
    figure = interval_points_figure(
        panels, np.arange(5.0), np.zeros(5), np.full(5, 6.0), y_label="y"
    )
    assert len(figure.axes) == 4
    assert {ax.get_ylim() for ax in figure.axes} == {figure.axes[0].get_ylim()}


def test_histograms_keep_the_colors_of_their_groups() -> None:
    edges, shares = np.arange(4.0), np.array([0.2, 0.5, 0.3])
    panels = [
        Histogram("p", "p (mg)", edges, {"second": shares}),
        Histogram("q", "q (mg)", edges, {"first": shares, "second": shares}),
        Histogram("r", "r (mg)", np.geomspace(1.0, 8.0, 4), {"": shares}, log=True),
    ]
    figure = histogram_figure(panels, "Share (%)", groups=["first", "second"])
    one, both, whole = figure.axes
    assert one.patches[-1].get_edgecolor() == both.patches[1].get_edgecolor()
    assert both.patches[0].get_edgecolor() != both.patches[1].get_edgecolor()
    assert whole.get_xscale() == "log"
    steps = both.patches[0]
    assert isinstance(steps, StepPatch)
    heights = steps.get_data()[0]
    assert heights == pytest.approx([20.0, 50.0, 30.0])


def test_panels_share_one_legend_below() -> None:
    def draw(ax: Axes) -> None:
        ax.plot([0.0, 1.0], [0.0, 1.0], label="a strategy")
        ax.plot([0.0, 1.0], [1.0, 0.0], label="another")
        ax.set_ylabel("Risk (%)")
        ax.legend(title="Strategy")

    figure = panels_figure([draw, draw, draw], columns=2, size=(3.0, 2.0), share_y=True)
    assert tuple(figure.get_size_inches()) == (6.0, 4.0)
    assert len(figure.axes) == 3
    assert [ax.get_legend() for ax in figure.axes] == [None] * 3
    assert [ax.get_ylabel() for ax in figure.axes] == ["Risk (%)", "", "Risk (%)"]
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "Strategy"
    assert [text.get_text() for text in legend.get_texts()] == ["a strategy", "another"]
    alone = panels_figure([draw], legend=False)
    assert alone.legends == []
    assert alone.axes[0].get_legend() is not None


def width_of_legend(figure: Figure) -> float:
    """Share of the width of the page."""
    figure.draw_without_rendering()
    (legend,) = figure.legends
    return float(legend.get_window_extent().width / figure.bbox.width)


@pytest.mark.parametrize("width", [4.0, 5.0, 8.0, 14.0])
def test_a_legend_below_is_never_cut_off(width: float) -> None:
    names = [f"prophylaxis until the B cells are back, {n} months" for n in range(4)]

    def draw(ax: Axes) -> None:
        for name in names:
            ax.plot([0.0, 1.0], [0.0, 1.0], label=name)

    figure = panels_figure([draw], size=(width, 3.0))
    assert width_of_legend(figure) <= 1.0
    assert (figure.legends[0]._ncols > 1) == (width > 7.0)  # type: ignore[attr-defined]


def test_courses_of_one_panel_have_their_whole_legend() -> None:
    course = np.linspace(1.0, 100.0, 11) * np.ones((4, 1))
    data = xr.Dataset(
        {"hbv_dna": (("patient", "time"), course, {"carsim_units": "IU/mL"})},
        {"time": ("time", np.arange(11.0), {"carsim_units": "day"})},
    )
    figure = trajectory_figure(data)
    assert len(figure.axes) == 1
    assert width_of_legend(figure) <= 1.0


def test_small_numbers_have_their_power_of_ten_at_the_tick() -> None:
    edges = np.linspace(1e-9, 2e-8, 6)
    panel = Histogram("k", "a rate", edges, {"": np.full(5, 0.2)})
    figure = histogram_figure([panel], "Share (%)")
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert ax.xaxis.get_offset_text().get_text() == ""
    assert "1e-08" in [tick.get_text() for tick in ax.get_xticklabels()]


@pytest.mark.parametrize(
    ("unit", "printed"),
    [
        ("cell/uL", "cells/µL"),
        ("1/day", "1/day"),
        ("pg/mL/day", "pg/mL/day"),
        ("cell*day/uL", "cells·days/µL"),
        ("day*cell/uL", "days·cells/µL"),
        ("mL/cell/day", "mL/cell/day"),
        ("mL/cell/day^2", "mL/cell/day²"),
        ("day", "days"),
        ("month", "months"),
        ("1", ""),
        ("", ""),
    ],
)
def test_units_are_singular_behind_a_stroke(unit: str, printed: str) -> None:
    assert unit_text(unit) == printed

"""Figures of evidence: every number is drawn where it belongs, and a miss is seen without color."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from carsim.plots import (
    ForestRow,
    as_png,
    evidence_curves,
    evidence_curves_figure,
    forest,
    forest_figure,
)
from carsim.plots.theme import COLORS

Array = NDArray[np.float64]

GROUPS = {
    "Used in the calibration": [
        ForestRow("Seto 2014\nwithin 24 months", 41.5, 46.2, (29.5, 53.5), True, (28, 56), (44, 48))
    ],
    "Predicted": [
        ForestRow("Li 2021\nanti-HBs-negative", 22.2, 3.0, (5.0, 45.0), False, (2.8, 60.0), (2, 4)),
        ForestRow("Li 2021\nanti-HBs-positive", 0.0, 0.1, (0.0, math.inf), True),
        ForestRow("Pooled", 3.7, math.nan, (1.0, 9.3), False, basis="computed"),
    ],
}


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def marks(ax: Axes, marker: str) -> list[float]:
    return [
        float(np.asarray(line.get_xdata())[0]) for line in ax.lines if line.get_marker() == marker
    ]


def whiskers(ax: Axes) -> list[tuple[float, float]]:
    lines = [line for line in ax.lines if line.get_marker() == "None"]
    ends = [np.asarray(line.get_xdata()).tolist() for line in lines]
    return [(low, high) for low, high in ends]


def bands(ax: Axes) -> list[tuple[float, float]]:
    found = []
    for band in ax.collections:
        assert isinstance(band, PolyCollection)
        x = np.asarray(band.get_paths()[0].vertices)[:, 0]
        found.append((float(x.min()), float(x.max())))
    return found


def test_forest_draws_each_number_and_interval(ax: Axes) -> None:
    assert forest(GROUPS, ax=ax) is ax
    assert marks(ax, "s") == [41.5, 22.2, 0.0, 3.7]
    assert marks(ax, "o") == [46.2, 0.1]
    assert marks(ax, "X") == pytest.approx([3.0, math.nan], nan_ok=True)
    assert whiskers(ax) == [(28, 56), (44, 48), (2.8, 60.0), (2, 4)]
    assert bands(ax) == [(29.5, 53.5), (5.0, 45.0), (0.0, 100.0), (1.0, 9.3)]
    assert ax.get_xlim() == (0.0, 63.0)


def test_forest_says_in_words_what_is_outside(ax: Axes) -> None:
    forest(GROUPS, ax=ax)
    assert [text.get_text() for text in ax.texts] == [
        "Used in the calibration",
        "✓ inside: 46.2 %, published 41.5 %",
        "Predicted",
        "✗ outside: 3.0 %, published 22.2 %",
        "✓ inside: 0.1 %, published 0.0 %",
        "✗ outside: no number, computed 3.7 %",
    ]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == [row.label for rows in GROUPS.values() for row in rows]


def test_forest_rows_do_not_overlap(ax: Axes) -> None:
    forest(GROUPS, ax=ax)
    edges = []
    for band in ax.collections:
        assert isinstance(band, PolyCollection)
        y = np.asarray(band.get_paths()[0].vertices)[:, 1]
        edges += [float(y.min()), float(y.max())]
    assert edges == sorted(edges)
    assert ax.yaxis_inverted()


def test_forest_grows_with_its_rows_and_breaks_long_labels() -> None:
    one = forest_figure({"Predicted": GROUPS["Predicted"][:1]})
    long = ForestRow("word " * 30, 1.0, 1.0, (0.0, 2.0), True)
    other = forest_figure({"Predicted": [GROUPS["Predicted"][0], long]})
    assert other.get_size_inches()[1] > one.get_size_inches()[1]
    label = other.axes[0].get_yticklabels()[1].get_text()
    assert max(map(len, label.split("\n"))) <= 46
    assert len(one.legends) == 1


def test_forest_never_passes_hundred_percent(ax: Axes) -> None:
    forest({"Predicted": [ForestRow("x", 98.0, 99.0, (90.0, math.inf), True, (80, 100))]}, ax=ax)
    assert ax.get_xlim() == (0.0, 100.0)


def curve(scale: float) -> tuple[Array, Array]:
    x = np.linspace(0.0, 10.0, 6)
    return x, scale * x


def colors(ax: Axes) -> dict[str, str]:
    def color(line: Line2D) -> str:
        points = line.get_linestyle() == "None"
        return to_hex(line.get_markeredgecolor() if points else line.get_color())

    return {str(line.get_label()): color(line).upper() for line in ax.lines}


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (("paper, high", "paper, low"), [COLORS[0], COLORS[1]]),
        (("low",), [COLORS[1]]),
        (("a third one",), ["#000000"]),
    ],
)
def test_points_take_the_color_of_their_line(
    ax: Axes, points: tuple[str, ...], expected: list[str]
) -> None:
    lines = {"high": curve(2.0), "low": curve(1.0)}
    evidence_curves(lines, {name: curve(2.0) for name in points}, ax=ax)
    drawn = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert [to_hex(line.get_markeredgecolor()).upper() for line in drawn] == expected
    assert [line.get_label() for line in drawn] == list(points)


def test_curves_keep_their_data_and_words(ax: Axes) -> None:
    evidence_curves(
        {"carsim": curve(1.0)},
        {"SciPy": curve(1.0)},
        title="Decay",
        x_label="Time (day)",
        y_label="x (cell)",
        ax=ax,
    )
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == ("Decay", "Time (day)", "x (cell)")
    for line in ax.lines:
        assert np.asarray(line.get_ydata()) == pytest.approx(curve(1.0)[1])
    assert colors(ax) == {"carsim": COLORS[0], "SciPy": COLORS[0]}
    assert ax.get_ylim()[0] == 0.0


def test_nothing_is_drawn_at_zero_on_a_logarithmic_axis(ax: Axes) -> None:
    x = np.arange(4.0)
    evidence_curves({"carsim": (x, np.array([1e3, 10.0, 0.0, -1.0]))}, {}, log_y=True, ax=ax)
    assert ax.get_yscale() == "log"
    assert np.asarray(ax.lines[0].get_ydata()) == pytest.approx(
        [1e3, 10.0, np.nan, np.nan], nan_ok=True
    )


def test_a_flat_curve_on_a_logarithmic_axis_has_a_labeled_decade(ax: Axes) -> None:
    x = np.arange(4.0)
    evidence_curves({"carsim": (x, np.full(4, 5.0))}, {}, log_y=True, ax=ax)
    low, high = ax.get_ylim()
    assert high / low >= 10.0


def test_curves_far_from_zero_keep_their_resolution(ax: Axes) -> None:
    x, y = curve(0.1)
    evidence_curves({"carsim": (x, 95.0 + y)}, {}, ax=ax)
    assert ax.get_ylim()[0] > 90.0


@pytest.mark.parametrize(("count", "inside"), [(1, True), (3, False)])
def test_a_long_legend_goes_below_the_panel(count: int, inside: bool) -> None:
    lines = {f"line {k}": curve(k + 1.0) for k in range(count)}
    points = {f"points {k}": curve(k + 1.0) for k in range(count)}
    figure = evidence_curves_figure(lines, points, title="T")
    assert (figure.axes[0].get_legend() is not None) is inside
    assert bool(figure.legends) is not inside


def test_a_figure_becomes_a_png() -> None:
    data = as_png(evidence_curves_figure({"carsim": curve(1.0)}, {}))
    assert data.startswith(b"\x89PNG\r\n")

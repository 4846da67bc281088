"""The classic tornado of hand-made results: where bars end, and what is written beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from carsim import plots
from carsim.plots.theme import COLORS

LOW, HIGH = COLORS[4], COLORS[1]


def make() -> xr.Dataset:
    """Base 0.4; of the factors one falls, one rises, one only falls, one does nothing."""
    low = np.array([0.1, -0.02, -0.1, 0.0])
    high = np.array([-0.2, 0.05, -0.05, 0.0])
    columns = {"change_low": low, "change_high": high, "swing": np.abs(high - low)}
    data = {}
    for name, values in columns.items():
        data[name] = ("factor", "output"), values[:, None]
        data[f"{name}_lower"] = ("factor", "output"), values[:, None] - 0.01
        data[f"{name}_upper"] = ("factor", "output"), values[:, None] + 0.01
    coordinates = {
        "factor": ["a", "b", "c", "d"],
        "factor_words": ("factor", ["duration", "dose", "depth", "nothing"]),
        "factor_unit": ("factor", ["day", "cell", "1", "pg/mL/day"]),
        "factor_low": ("factor", [0.0, 1.4e7, 0.5, 1.0]),
        "factor_base": ("factor", [365.0, 7e7, 1.0, 2.0]),
        "factor_high": ("factor", [548.0, 3.5e8, 1.5, 3.0]),
        "output": ["peak"],
        "output_words": ("output", ["mean peak of IL-6"]),
        "output_unit": ("output", ["pg/mL"]),
    }
    why = np.full((4, 1), "", dtype=object)
    return xr.Dataset(
        {**data, "at_base": ("output", [0.4]), "why": (("factor", "output"), why)},
        coordinates,
        {"method": "one_at_a_time", "level": 0.95},
    )


def drawn(found: xr.Dataset) -> Axes:
    """Its bars on axes of the size that pyplot makes."""
    return plots.sensitivity_bars(found, "peak", ax=Figure(layout="constrained").subplots())


def bars(ax: Axes) -> dict[str, list[Rectangle]]:
    """Bars of the low and of the high ends, from the bottom up."""
    found: dict[str, list[Rectangle]] = {}
    for patch in ax.patches:
        assert isinstance(patch, Rectangle)
        found.setdefault(to_hex(patch.get_facecolor()).upper(), []).append(patch)
    return found


def test_bars_go_from_base_to_both_ends_and_the_largest_swing_is_on_top() -> None:
    ax = drawn(make())
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "Nothing",
        "Depth",
        "Dose",
        "Duration",
    ]
    found = bars(ax)
    assert set(found) == {LOW, HIGH}
    for color, changes in ((LOW, [0.0, -0.1, -0.02, 0.1]), (HIGH, [0.0, -0.05, 0.05, -0.2])):
        assert [bar.get_x() for bar in found[color]] == pytest.approx([0.4] * 4)
        assert [bar.get_width() for bar in found[color]] == pytest.approx(changes)
    # Both ends of the depth lie below base: the shorter bar is on top, and narrower.
    below, above = found[LOW][1], found[HIGH][1]
    assert above.get_zorder() > below.get_zorder()
    assert above.get_height() < below.get_height()
    assert ax.get_xlabel() == "Output with the factor at its ends (pg/mL)"
    labels = ax.get_legend_handles_labels()[1]
    assert sorted(labels) == [
        "95 % interval of the change",
        "base: all at their own values",
        "factor at its high end",
        "factor at its low end",
    ]


def test_whiskers_are_the_intervals_and_values_of_the_factors_stand_beyond_them() -> None:
    ax = drawn(make())
    whiskers = [each for each in ax.collections if isinstance(each, LineCollection)]
    ends = [[segment[:, 0].tolist() for segment in each.get_segments()] for each in whiskers]
    assert ends[0][3] == pytest.approx([0.49, 0.51])
    assert ends[1][1] == pytest.approx([0.34, 0.36])
    texts = {text.get_text(): text for text in ax.texts}
    assert set(texts) == {
        *("0 days", "548 days", "1.4×10⁷ cells", "3.5×10⁸ cells"),
        *("0.5", "1.5", "1 pg/mL/day", "3 pg/mL/day"),
    }
    places = {name: text.xy[0] for name, text in texts.items()}  # type: ignore[attr-defined]
    assert places["0 days"] == pytest.approx(0.51)
    assert places["548 days"] == pytest.approx(0.19)
    assert texts["548 days"].get_horizontalalignment() == "right"
    assert texts["0 days"].get_horizontalalignment() == "left"
    assert places["0.5"] == pytest.approx(0.29)
    assert texts["0.5"].xy[1] > texts["1.5"].xy[1]  # type: ignore[attr-defined]
    # Of what changes nothing, low stands at the left.
    assert texts["1 pg/mL/day"].get_horizontalalignment() == "right"
    assert texts["3 pg/mL/day"].get_horizontalalignment() == "left"


def test_values_lie_inside_the_axes_and_off_the_bars() -> None:
    ax = drawn(make())
    ax.figure.canvas.draw()
    inside = ax.get_window_extent()
    boxes = [text.get_window_extent() for text in ax.texts]
    for box in boxes:
        assert inside.x0 <= box.x0 < box.x1 <= inside.x1
    for k, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[k + 1 :])
    low, high = 0.19, 0.51
    assert all(low - 0.01 <= tick <= high + 0.01 for tick in ax.get_xticks())


def test_one_patient_has_no_whiskers() -> None:
    found = make()
    for name in ("change_low", "change_high", "swing"):
        found[f"{name}_lower"][:] = found[f"{name}_upper"][:] = np.nan
    ax = drawn(found)
    assert len(ax.texts) == 8
    assert "95 % interval of the change" not in ax.get_legend_handles_labels()[1]


def test_figures_are_written_and_the_map_compares_within_an_output(tmp_path: Path) -> None:
    written = plots.write_sensitivity_figures(make(), tmp_path)
    assert [path.name for path in written] == ["tornado.png", "map.png"]
    texts = [
        text.get_text() for text in plots.sensitivity_map(make(), ax=Figure().subplots()).texts
    ]
    assert texts == ["1.00", "0.23", "0.17", "0.00"]

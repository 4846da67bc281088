"""Swimmer plots: lanes, phases and marks stand where the data say."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from carsim import plots
from carsim.errors import ScenarioError

DAY = {"units": "day"}
NAN = np.nan


def make_cell() -> xr.Dataset:
    return xr.Dataset(
        {
            "remission_time": ("patient", [28.0, 28.0, NAN, 56.0, 28.0], DAY),
            "relapse_time": ("patient", [100.0, NAN, NAN, 84.0, NAN], DAY),
            "hbv_reactivation_time": ("patient", [NAN, 140.0, 70.0, NAN, NAN], DAY),
            "status": ("patient", [0, 0, 0, 0, 3]),
        },
        coords={
            "patient": [10, 11, 12, 13, 14],
            "serostatus": ("patient", ["a", "b", "a", "b", "a"]),
            "age": ("patient", [60.0, 20.0, 40.0, 30.0, 50.0]),
        },
        attrs={"scenario": '{"start": -14.0, "stop": 200.0}'},
    )


def make_run() -> xr.Dataset:
    time = np.arange(0.0, 101.0, 10.0)
    b_cells = np.array([[100.0] * 11, [100, 1, 1, 1, 100, 100, 1, 1, 1, 1, 1]], dtype=float)
    return xr.Dataset(
        {
            "b_cells": (("patient", "time"), b_cells, {"units": "cell/uL"}),
            "final_time": ("patient", [100.0, 80.0]),
            "status": ("patient", [0, 0]),
            "event_patient": ("event", [1, 0, 1]),
            "event_time": ("event", [5.0, 7.5, 20.0], DAY),
            "event_name": ("event", ["crs.tocilizumab", "ivig", "crs.tocilizumab"]),
        },
        coords={"time": ("time", time, DAY), "patient": [0, 1]},
    )


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def follow_ups(ax: Axes) -> list[Rectangle]:
    bars = [patch for container in ax.containers for patch in container]
    return [bar for bar in bars if isinstance(bar, Rectangle)]


def lanes(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def phase(ax: Axes, words: str) -> dict[int, list[tuple[float, float]]]:
    """Spans by lane."""
    found: dict[int, list[tuple[float, float]]] = {}
    for each in ax.collections:
        if each.get_gid() == f"phase {words}":
            for path in each.get_paths():
                box = path.get_extents()
                found.setdefault(round(float(box.y0 + 0.39)), []).append((box.x0, box.x1))
    return found


def marks(ax: Axes, words: str) -> list[tuple[float, float]]:
    return [
        (float(x), float(y))
        for line in ax.lines
        if line.get_gid() == f"mark {words}"
        for x, y in zip(np.asarray(line.get_xdata()), np.asarray(line.get_ydata()), strict=True)
    ]


def test_a_lane_for_everybody_who_did_not_fail(ax: Axes) -> None:
    before = plt.get_fignums()
    plots.swimmer(
        make_cell(),
        phases={"remission": ("remission_time", "relapse_time")},
        marks={"reactivation": "hbv_reactivation_time", "CAR-T cells": 0.0},
        ax=ax,
    )
    assert plt.get_fignums() == before
    assert lanes(ax) == ["10", "11", "12", "13"]
    bars = follow_ups(ax)
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(-14.0, 214.0)] * 4
    # Without a relapse the remission lasts to the end; without a remission there is none.
    assert phase(ax, "remission") == {0: [(28.0, 100.0)], 1: [(28.0, 200.0)], 3: [(56.0, 84.0)]}
    assert marks(ax, "reactivation") == [(140.0, 1.0), (70.0, 2.0)]
    assert marks(ax, "CAR-T cells") == [(0.0, float(lane)) for lane in range(4)]
    assert "1 failed patient left out" in [text.get_text() for text in ax.texts]
    assert ax.get_xlabel() == "Time (days)"
    low, high = ax.get_ylim()
    assert low > high  # the first lane is on top
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "follow-up", "remission", "reactivation", "CAR-T cells",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sort", "descending", "order"),
    [
        ("reactivation", False, ["12", "11", "10", "13"]),
        ("remission", True, ["11", "10", "13", "12"]),
        ("remission", False, ["13", "10", "11", "12"]),
        ("age", False, ["11", "13", "12", "10"]),
        ("age", True, ["10", "12", "13", "11"]),
        (None, False, ["10", "11", "12", "13"]),
    ],
)
def test_lanes_are_sorted_as_asked(
    sort: str | None, descending: bool, order: list[str], ax: Axes
) -> None:
    plots.swimmer(
        make_cell(),
        phases={"remission": ("remission_time", "relapse_time")},
        marks={"reactivation": "hbv_reactivation_time"},
        sort=sort,
        descending=descending,
        ax=ax,
    )
    assert lanes(ax) == order


def test_groups_head_their_lanes_and_are_capped(ax: Axes) -> None:
    plots.swimmer(make_cell(), by="serostatus", sort="age", most=1, ax=ax)
    assert lanes(ax) == ["10", "11"]
    texts = [text.get_text() for text in ax.texts]
    assert texts[:2] == ["a", "b"]
    assert "the first 2 of 4 patients drawn; 1 failed patient left out" in texts


def test_phases_from_courses_and_marks_from_the_log(ax: Axes) -> None:
    run = make_run()
    aplasia = plots.periods_where(run, "b_cells", below=10.0)
    assert aplasia == [[], [(10.0, 40.0), (60.0, 100.0)]]
    assert plots.periods_where(run, "b_cells", above=10.0)[0] == [(0.0, 100.0)]
    plots.swimmer(run, phases={"aplasia": aplasia}, marks={"drug": "crs.tocilizumab"}, ax=ax)
    # The second patient is followed for 80 days.
    assert [bar.get_width() for bar in follow_ups(ax)] == [100.0, 80.0]
    assert phase(ax, "aplasia") == {1: [(10.0, 40.0), (60.0, 80.0)]}
    assert marks(ax, "drug") == [(5.0, 1.0), (20.0, 1.0)]


def test_phases_that_overlap_have_places_of_their_own(ax: Axes) -> None:
    plots.swimmer(
        make_cell(), phases={"one": (0.0, 100.0), "two": (50.0, None)}, marks={}, ax=ax
    )  # fmt: skip
    boxes = {
        str(each.get_gid()): each.get_paths()[0].get_extents() for each in ax.collections[:2]
    }  # fmt: skip
    assert boxes["phase one"].y1 == pytest.approx(boxes["phase two"].y0)
    assert boxes["phase two"].x1 == 200.0


def test_what_cannot_be_drawn_is_refused(ax: Axes) -> None:
    cell, run = make_cell(), make_run()
    with pytest.raises(ScenarioError, match="Did you mean 'relapse_time'"):
        plots.swimmer(cell, phases={"r": ("remission_time", "relaps_time")}, ax=ax)
    with pytest.raises(ScenarioError, match=r"Did you mean 'crs\.tocilizumab'"):
        plots.swimmer(run, marks={"drug": "crs.tocilizumb"}, ax=ax)
    with pytest.raises(ScenarioError, match="a list of 1 for 2 patients"):
        plots.swimmer(run, phases={"p": [[(0.0, 1.0)]]}, ax=ax)
    with pytest.raises(ScenarioError, match="no key to sort by 'agee'"):
        plots.swimmer(cell, sort="agee", ax=ax)
    with pytest.raises(ScenarioError, match="also varies along strategy"):
        plots.swimmer(
            cell.expand_dims(strategy=["x", "y"]), marks={"r": "relapse_time"}, stop=9.0, ax=ax
        )
    with pytest.raises(ScenarioError, match="Give stop"):
        plots.swimmer(cell.assign_attrs(scenario="{}"), ax=ax)
    with pytest.raises(ScenarioError, match="give above or below"):
        plots.periods_where(run, "b_cells")

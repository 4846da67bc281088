"""Contours, hatching, competing causes, convergence and differences: what is drawn."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from carsim import plots
from carsim.endpoints import risk, wilson_interval
from carsim.errors import ScenarioError
from carsim.plots.strategies import sizes
from carsim.plots.theme import COLORS

TIME = np.array([0.0, 30.0, 60.0, 300.0])
CURVES = {"relapse": np.array([0.0, 0.1, 0.2, 0.2]), "death": np.array([0.0, 0.0, 0.1, 0.3])}


def make_map(n: int = 100) -> xr.Dataset:
    """Risk of 0, 10, ... 40 % along x, the same for both y."""
    event = np.zeros((5, 2, n))
    for k in range(5):
        event[k, :, : k * n // 10] = 1.0
    about = {"units": "1", "long_name": "flare"}
    return xr.Dataset(
        {"flare": (("dose", "depth", "patient"), event, about)},
        coords={"dose": [0.0, 1.0, 2.0, 3.0, 4.0], "depth": [0.5, 1.0]},
    )


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_lines_of_equal_risk_need_numbers(ax: Axes) -> None:
    words = make_map().assign_coords(dose=list("abcde"))
    with pytest.raises(ScenarioError, match="'dose' has words"):
        plots.risk_contours(risk(words["flare"]), "dose", "depth", ax=ax)
    plots.risk_map(words, "dose", "depth", event="flare", ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == list("abcde")


def test_wide_intervals_are_hatched_and_said(ax: Axes) -> None:
    sweep = make_map()
    plots.risk_map(sweep, "dose", "depth", event="flare", wide=0.15, ax=ax)
    lower, upper = wilson_interval([0, 10, 20, 30, 40], 100)
    expected = {k for k in range(5) if upper[k] - lower[k] > 0.15}
    assert 0 < len(expected) < 5
    hatched = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_gid() == "wide"]
    assert {round(p.get_x() + 0.5) for p in hatched} == expected
    assert len(hatched) == 2 * len(expected)
    assert "hatched: interval wider than 15 percentage points" in texts(ax)


def test_large_maps_have_no_numbers_and_a_color_scale(ax: Axes) -> None:
    many = make_map().isel(dose=np.arange(30) % 5).assign_coords(dose=np.arange(30.0))
    plots.risk_map(many, "dose", "depth", event="flare", colorbar=True, ax=ax)
    assert not ax.texts
    assert len(ax.get_xticklabels()) == 10
    figure = ax.figure
    assert isinstance(figure, Figure)
    assert [each.get_ylabel() for each in figure.axes] == ["Depth", "Risk of flare (%)"]


def test_competing_curves_are_the_given_ones(ax: Axes) -> None:
    lower = {"relapse": np.array([0.0, 0.05, 0.1, 0.1])}
    upper = {"relapse": np.array([0.0, 0.2, 0.3, 0.3])}
    at_risk = np.array([100.0, 98.0, 90.0, 70.0])
    before = plt.get_fignums()
    plots.competing_incidence(
        TIME, CURVES, lower=lower, upper=upper, at_risk=at_risk, follow_up=400.0, ax=ax
    )
    assert plt.get_fignums() == before
    assert [line.get_label() for line in ax.lines] == ["relapse", "death"]
    assert [line.get_color() for line in ax.lines] == list(COLORS[:2])
    for line, curve in zip(ax.lines, CURVES.values(), strict=True):
        assert line.get_drawstyle() == "steps-post"
        np.testing.assert_allclose(np.asarray(line.get_xdata()), [*TIME, 400.0])
        np.testing.assert_allclose(np.asarray(line.get_ydata()), 100 * np.append(curve, curve[-1]))
    assert len(ax.collections) == 1
    # At months 0, 3, 6, 9: just before each tick; nothing is known after day 300.
    assert [t for t in texts(ax) if t != "Numbers at risk"] == ["100", "70", "70", "70"]
    assert ax.get_xlabel() == "Time since infusion (months)"
    assert ax.get_ylabel() == "Cumulative incidence (%)"


def test_stacked_areas_meet_and_fill_the_axes(ax: Axes) -> None:
    plots.stacked_incidence(TIME, CURVES, ax=ax)
    tops = [np.asarray(line.get_ydata()) for line in ax.lines]
    np.testing.assert_allclose(tops[0][:-1], 100 * CURVES["relapse"])
    np.testing.assert_allclose(tops[1][:-1], 100 * (CURVES["relapse"] + CURVES["death"]))
    assert ax.get_ylim() == (0.0, 100.0)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["none of these", "death", "relapse"]
    boxes = [area.get_paths()[0].get_extents() for area in ax.collections]
    assert boxes[0].y0 == 0.0
    assert boxes[-1].y1 == 100.0


def test_impossible_incidences_are_refused(ax: Axes) -> None:
    with pytest.raises(ScenarioError, match="the causes sum to"):
        plots.stacked_incidence([0.0, 1.0], {"a": [0.0, 0.6], "b": [0.0, 0.6]}, ax=ax)
    with pytest.raises(ScenarioError, match="falls"):
        plots.stacked_incidence([0.0, 1.0], {"a": [0.6, 0.5]}, ax=ax)
    with pytest.raises(ScenarioError, match="shares, not percent"):
        plots.stacked_incidence([0.0, 1.0], {"a": [0.0, 50.0]}, ax=ax)
    with pytest.raises(ScenarioError, match="do not ascend"):
        plots.stacked_incidence([1.0, 0.0], {"a": [0.0, 0.5]}, ax=ax)
    with pytest.raises(ScenarioError, match="one value a time"):
        plots.stacked_incidence([0.0, 1.0], {"a": [0.0]}, ax=ax)
    with pytest.raises(ScenarioError, match="one number a time"):
        plots.stacked_incidence([0.0, 1.0], {"a": [0.0, 0.1]}, at_risk=[1.0], ax=ax)
    with pytest.raises(ScenarioError, match="Did you mean 'relapse'"):
        plots.competing_incidence(TIME, CURVES, lower={"relapes": TIME}, ax=ax)
    with pytest.raises(ScenarioError, match="both ends of a band"):
        plots.competing_incidence(TIME, CURVES, lower={"death": CURVES["death"]}, ax=ax)


def test_convergence_is_the_running_risk(ax: Axes) -> None:
    sweep = make_map(200).isel(depth=0).sel(dose=3.0)
    rng = np.random.default_rng(1)
    shuffled = sweep.isel(patient=rng.permutation(200)).copy(deep=True)
    shuffled["flare"][5] = np.nan
    plots.convergence(shuffled, "flare", reference=0.3, ax=ax)
    values = shuffled["flare"].values[np.isfinite(shuffled["flare"].values)]
    line = ax.lines[0]
    n = np.asarray(line.get_xdata()).astype(int)
    assert n[0] == 9  # ten simulated, one failed
    assert n[-1] == 199
    np.testing.assert_allclose(
        np.asarray(line.get_ydata()), [100 * values[:k].mean() for k in n.tolist()]
    )
    (band,) = ax.collections
    lower, upper = wilson_interval(values.sum(), 199)
    box = np.asarray(band.get_paths()[0].vertices)
    at_end = box[np.isclose(box[:, 0], 199.0), 1]
    assert at_end.min() == pytest.approx(100 * float(lower))
    assert at_end.max() == pytest.approx(100 * float(upper))
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "Number of patients"
    assert "1 patient without a value left out" in texts(ax)
    (reference,) = [each for each in ax.lines if each.get_gid() == "reference"]
    assert np.asarray(reference.get_ydata()).tolist() == [30.0, 30.0]


def test_convergence_of_groups_and_of_nobody(ax: Axes) -> None:
    sweep = make_map().isel(depth=0)
    plots.convergence(sweep, "flare", by="dose", ax=ax)
    assert len(ax.lines) == 5
    with pytest.raises(ScenarioError, match="also varies along depth"):
        plots.convergence(make_map().isel(dose=0), "flare", ax=ax)
    with pytest.raises(ScenarioError, match="nothing to average"):
        plots.convergence(sweep.isel(dose=0) * np.nan, "flare", ax=ax)
    assert sizes(3).tolist() == [3]
    assert sizes(10_000)[-1] == 10_000


def make_differences() -> xr.Dataset:
    dims = "strategy"
    return xr.Dataset(
        {
            "difference": (dims, [-0.2, 0.05, -0.01, np.nan]),
            "lower": (dims, [-0.25, 0.02, -0.04, np.nan]),
            "upper": (dims, [-0.1, 0.1, 0.02, np.nan]),
        },
        coords={"strategy": ["early", "late", "none", "failed"]},
    )


def test_differences_are_rows_with_intervals_and_numbers(ax: Axes) -> None:
    before = plt.get_fignums()
    plots.differences(make_differences(), reference="no drug", ax=ax)
    assert plt.get_fignums() == before
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "early", "late", "none", "failed",
    ]  # fmt: skip
    ends = [np.asarray(line.get_xdata()) for line in ax.lines]
    ends = [each for each in ends if len(each) == 2]
    np.testing.assert_allclose(ends[:3], [(-25.0, -10.0), (2.0, 10.0), (-4.0, 2.0)])
    assert ax.lines[0].get_color() == COLORS[0]  # fewer events, surely
    assert ax.lines[2].get_color() == COLORS[1]  # more, surely
    assert "−20.0 (−25.0 to −10.0)\nNNTB 5 (4 to 10)" in texts(ax)
    assert "+5.0 (+2.0 to +10.0)\nNNTH 20 (10 to 50)" in texts(ax)
    assert "−1.0 (−4.0 to +2.0)\nNNTB 100 (NNTB 25 to ∞ to NNTH 50)" in texts(ax)
    assert "no data" in texts(ax)
    assert "against no drug (percentage points, 95 % interval)" in ax.get_xlabel()


def test_differences_of_arrays_and_of_wanted_events(ax: Axes) -> None:
    table = {"difference": [0.2], "lower": [0.1], "upper": [0.25]}
    plots.differences(table, labels=["drug"], harmful=False, ax=ax)
    assert "+20.0 (+10.0 to +25.0)\nNNTB 5 (4 to 10)" in texts(ax)
    assert ax.lines[0].get_color() == COLORS[0]
    with pytest.raises(ScenarioError, match="Give labels"):
        plots.differences(table, ax=ax)
    with pytest.raises(ScenarioError, match="2 labels for 1 rows"):
        plots.differences(table, labels=["a", "b"], ax=ax)
    with pytest.raises(ScenarioError, match="no variable 'upper'"):
        plots.differences({"difference": [0.2], "lower": [0.1]}, labels=["a"], ax=ax)
    with pytest.raises(ScenarioError, match="no dimension 'arm'"):
        plots.differences(make_differences(), dim="arm", ax=ax)
    with pytest.raises(ScenarioError, match="2 dimensions"):
        plots.differences(make_differences().expand_dims("k"), ax=ax)

"""Figures of hand-made sensitivity results: what is drawn, and that nothing is hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.patches import Patch, Rectangle

from carsim import plots
from carsim.errors import ScenarioError
from carsim.plots.theme import COLORS

MAIN = {"sobol": "total_order", "morris": "mu_star", "prcc": "prcc", "local": "elasticity"}
SECOND = {"sobol": "first_order", "morris": "sigma"}


def make(method: str) -> xr.Dataset:
    values = np.array([[0.1, 0.7], [0.8, np.nan], [0.3, 0.2]])
    if method in ("prcc", "local"):
        values[0] *= -1.0
    dims = ("factor", "output")
    data = {MAIN[method]: (dims, values)}
    if method != "local":
        data[f"{MAIN[method]}_lower"] = dims, values - 0.05
        data[f"{MAIN[method]}_upper"] = dims, values + 0.15
    if method in SECOND:
        data[SECOND[method]] = dims, 0.5 * values
    coordinates = {
        "factor": ["a", "b", "c"],
        "factor_words": ("factor", ["depth", "duration of entecavir prophylaxis given", "dose"]),
        "output": ["risk", "peak"],
        "output_words": ("output", ["risk of HBV reactivation", "peak HBV DNA"]),
        "output_unit": ("output", ["1", "IU/mL"]),
    }
    why = np.where(np.isnan(values), "the output is zero", "").astype(object)
    return xr.Dataset({**data, "why": (dims, why)}, coordinates, {"method": method})


def width(bar: Patch) -> float:
    assert isinstance(bar, Rectangle)
    return bar.get_width()


@pytest.mark.parametrize("method", list(MAIN))
def test_bars_are_ranked_and_carry_their_intervals(method: str) -> None:
    found = make(method)
    ax = plots.sensitivity_bars(found, "risk")
    widths = [width(bar) for bar in ax.patches[:3]]
    sign = -1.0 if method in ("prcc", "local") else 1.0
    assert widths == pytest.approx([sign * 0.1, 0.3, 0.8])  # from the bottom up
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["Depth", "Dose", "Duration of entecavir prophylaxis\ngiven"]
    assert ax.get_title() == "" and ax.get_title(loc="left") == "Risk of HBV reactivation"  # noqa: PT018
    if method == "local":
        assert not ax.collections
    else:
        ends = [tuple(segment[:, 0]) for segment in ax.collections[0].get_segments()]  # type: ignore[attr-defined]
        assert ends[2] == pytest.approx((0.75, 0.95))
    if method in SECOND:
        assert [width(bar) for bar in ax.patches[3:]] == pytest.approx([0.05, 0.15, 0.4])
    if sign < 0.0:
        colors = [to_hex(bar.get_facecolor()).upper() for bar in ax.patches]
        assert colors == [COLORS[0], COLORS[1], COLORS[1]]


def test_a_factor_without_an_index_is_not_a_bar() -> None:
    ax = plots.sensitivity_bars(make("prcc"), "peak")
    assert len(ax.patches) == 2
    empty = make("sobol")
    empty["total_order"][:, 1] = np.nan
    ax = plots.sensitivity_bars(empty, "peak")
    assert not ax.patches
    assert "no index" in ax.texts[0].get_text()


def test_effects_have_the_unit_of_their_output() -> None:
    ax = plots.sensitivity_bars(make("morris"), "peak")
    assert ax.get_xlabel() == "Change of the output over the factor's range (IU/mL)"


@pytest.mark.parametrize("method", list(MAIN))
def test_the_map_shows_every_number_on_an_honest_scale(method: str) -> None:
    ax = plots.sensitivity_map(make(method))
    image = ax.images[0]
    texts = [text.get_text() for text in ax.texts]
    if method == "morris":  # each output relative to its own largest effect
        assert texts == ["0.12", "1.00", "1.00", "none", "0.37", "0.29"]
    else:
        sign = "-" if method in ("prcc", "local") else ""
        assert texts == ["0.80", "none", f"{sign}0.10", f"{sign}0.70", "0.30", "0.20"]
    limits = {"sobol": (0.0, 1.0), "morris": (0.0, 1.0), "prcc": (-1.0, 1.0), "local": (-0.8, 0.8)}
    assert image.get_clim() == pytest.approx(limits[method])
    assert image.get_cmap().name == ("RdBu_r" if method in ("prcc", "local") else "Blues")


def test_figures_are_written(tmp_path: Path) -> None:
    written = plots.write_sensitivity_figures(make("sobol"), tmp_path / "new")
    assert [path.name for path in written] == ["tornado.png", "map.png"]
    assert all(path.stat().st_size > 5000 for path in written)
    nothing = make("sobol")
    nothing["total_order"][:] = np.nan
    assert plots.write_sensitivity_figures(nothing, tmp_path / "none") == []


def test_wrong_results_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"no output 'rsk'. Did you mean 'risk'"):
        plots.sensitivity_bars(make("sobol"), "rsk")
    with pytest.raises(ScenarioError, match=r"attribute 'method' is ''"):
        plots.sensitivity_map(xr.Dataset())
    cells = make("prcc").expand_dims(dose=[1.0, 2.0])
    with pytest.raises(ScenarioError, match=r"also varies along dose.*found.isel\(dose=0\)"):
        plots.sensitivity_map(cells)
    nothing = make("local")
    nothing["elasticity"][:] = np.nan
    with pytest.raises(ScenarioError, match=r"no factor has an index"):
        plots.sensitivity_map(nothing)

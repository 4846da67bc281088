"""Figures from results; the only room of carsim that knows matplotlib.

Functions take a Dataset and return Axes (or a Figure, for whole pages), so that they can be
combined and changed with matplotlib's own means.
"""

from __future__ import annotations

from carsim.plots.credibility import collinearity_map, recovery_curves, tornado
from carsim.plots.evidence import (
    ForestRow,
    as_png,
    evidence_curves,
    evidence_curves_figure,
    forest,
    forest_figure,
)
from carsim.plots.files import incidence_figure, write_run_figures, write_sweep_figures
from carsim.plots.incidence import incidence
from carsim.plots.pages import PANELS, Panel, example_figure, trajectory_figure
from carsim.plots.risk_maps import risk_curves, risk_map, risk_map_figure
from carsim.plots.sensitivity import (
    sensitivity_bars,
    sensitivity_map,
    write_sensitivity_figures,
)
from carsim.plots.trajectories import shade, therapy_periods, trajectories

__all__ = [
    "PANELS",
    "ForestRow",
    "Panel",
    "as_png",
    "collinearity_map",
    "evidence_curves",
    "evidence_curves_figure",
    "example_figure",
    "forest",
    "forest_figure",
    "incidence",
    "incidence_figure",
    "recovery_curves",
    "risk_curves",
    "risk_map",
    "risk_map_figure",
    "sensitivity_bars",
    "sensitivity_map",
    "shade",
    "therapy_periods",
    "tornado",
    "trajectories",
    "trajectory_figure",
    "write_run_figures",
    "write_sensitivity_figures",
    "write_sweep_figures",
]

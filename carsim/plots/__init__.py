"""Figures from results; the only room of carsim that knows matplotlib.

Functions take a Dataset and return Axes (or a Figure, for whole pages), so that they can be
combined and changed with matplotlib's own means.
"""

from __future__ import annotations

from carsim.plots.competing import competing_incidence, stacked_incidence
from carsim.plots.contours import risk_contour_figure, risk_contours
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
from carsim.plots.histograms import Histogram, histogram_figure
from carsim.plots.incidence import incidence
from carsim.plots.intervals import (
    interval_points_figure,
    interval_rows,
    interval_rows_figure,
)
from carsim.plots.pages import PANELS, Panel, example_figure, trajectory_figure
from carsim.plots.panels import panels_figure
from carsim.plots.risk_maps import risk_curves, risk_map, risk_map_figure
from carsim.plots.sensitivity import (
    sensitivity_bars,
    sensitivity_map,
    write_sensitivity_figures,
)
from carsim.plots.spaghetti import spaghetti
from carsim.plots.strategies import convergence, differences
from carsim.plots.swimmer import periods_where, swimmer
from carsim.plots.theme import house_style
from carsim.plots.therapy import (
    event_marks,
    scheduled_periods,
    shade,
    therapy_courses,
    therapy_periods,
)
from carsim.plots.trajectories import trajectories
from carsim.plots.vpc import vpc
from carsim.plots.vpc_statistics import vpc_statistics

__all__ = [
    "PANELS",
    "ForestRow",
    "Histogram",
    "Panel",
    "as_png",
    "collinearity_map",
    "competing_incidence",
    "convergence",
    "differences",
    "event_marks",
    "evidence_curves",
    "evidence_curves_figure",
    "example_figure",
    "forest",
    "forest_figure",
    "histogram_figure",
    "house_style",
    "incidence",
    "incidence_figure",
    "interval_points_figure",
    "interval_rows",
    "interval_rows_figure",
    "panels_figure",
    "periods_where",
    "recovery_curves",
    "risk_contour_figure",
    "risk_contours",
    "risk_curves",
    "risk_map",
    "risk_map_figure",
    "scheduled_periods",
    "sensitivity_bars",
    "sensitivity_map",
    "shade",
    "spaghetti",
    "stacked_incidence",
    "swimmer",
    "therapy_courses",
    "therapy_periods",
    "tornado",
    "trajectories",
    "trajectory_figure",
    "vpc",
    "vpc_statistics",
    "write_run_figures",
    "write_sensitivity_figures",
    "write_sweep_figures",
]

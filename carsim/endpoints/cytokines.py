"""Cytokine release: peak IL-6, and a grade read off the IL-6 signal.

The grade is a rule of ours, not a clinical score. ASTCT 2019 grades fever, hypotension and oxygen,
which the model does not have; the rule puts thresholds on the peak of `il6_signal` (occupied IL-6
receptor, between 0 and 1). The signal is used rather than IL-6 because tocilizumab raises IL-6
while it blocks the signal. The thresholds are those of the flagship model, with which grades are as
frequent as in Hay 2017 (docs/calibration.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carsim.endpoints.requirements import (
    EndpointValues,
    Kept,
    Requirements,
    Setting,
    check_observables,
    check_positive,
    window,
    yes_no,
)
from carsim.errors import ScenarioError
from carsim.metrics import Maximum, TimeOfMaximum


@dataclass(frozen=True)
class PeakIL6:
    """Highest serum IL-6 after the infusion, and its day.

    Parameters
    ----------
    within : float
        Days from infusion in which the peak is looked for, or up to a patient's own stop if that
        is earlier.
    il6 : str
        Name of the observable.

    Notes
    -----
    Variables: `il6_peak` (pg/mL), `il6_peak_time` (day of the simulation).
    """

    within: float = 60.0
    il6: str = "il6"

    def __post_init__(self) -> None:
        check_positive("PeakIL6", within=self.within)

    def requires(self, setting: Setting) -> Requirements:
        """Ask for the maximum and its time."""
        check_observables("PeakIL6", setting.model, {self.il6: "pg/mL"})
        last = window("PeakIL6", setting, self.within)
        return Requirements(
            metrics={
                "il6_peak": Maximum(self.il6, start=setting.infusion, stop=last),
                "il6_peak_time": TimeOfMaximum(self.il6, start=setting.infusion, stop=last),
            },
            shortened=frozenset({"il6_peak", "il6_peak_time"}),
        )

    def evaluate(self, kept: Kept) -> dict[str, EndpointValues]:
        """Pass the metrics on."""
        return {
            "il6_peak": EndpointValues(kept.metrics["il6_peak"], "pg/mL", "Peak IL-6"),
            "il6_peak_time": EndpointValues(
                kept.metrics["il6_peak_time"], "day", "Day of peak IL-6", is_instant=True
            ),
        }


@dataclass(frozen=True)
class CRSGrade:
    """Grade of cytokine release syndrome from the peak of the IL-6 signal (a rule of ours).

    Parameters
    ----------
    thresholds : tuple of 4 float
        Peak signal at which grades 1 to 4 begin.
    within : float
        Days from infusion in which the peak is looked for, or up to a patient's own stop if that
        is earlier.
    il6_signal : str
        Name of the observable.

    Notes
    -----
    Variables: `crs_worst_grade` (0 to 4) and `crs_severe` (1, 0: grade 3 or 4).
    """

    thresholds: tuple[float, ...] = (0.241, 0.439, 0.681, 0.728)
    within: float = 60.0
    il6_signal: str = "il6_signal"

    def __post_init__(self) -> None:
        check_positive("CRSGrade", within=self.within)
        if len(self.thresholds) != 4 or any(np.diff(self.thresholds) <= 0):
            raise ScenarioError(
                f"CRSGrade: thresholds = {self.thresholds!r} must be four ascending numbers, one "
                "for each of the grades 1 to 4."
            )

    def requires(self, setting: Setting) -> Requirements:
        """Ask for the peak of the signal."""
        check_observables("CRSGrade", setting.model, {self.il6_signal: "1"})
        last = window("CRSGrade", setting, self.within)
        return Requirements(
            metrics={
                "il6_signal_peak": Maximum(self.il6_signal, start=setting.infusion, stop=last)
            },
            shortened=frozenset({"il6_signal_peak"}),
        )

    def evaluate(self, kept: Kept) -> dict[str, EndpointValues]:
        """Count the thresholds that the peak reaches."""
        peak = kept.metrics["il6_signal_peak"]
        grade = np.searchsorted(np.asarray(self.thresholds), peak, side="right") * 1.0
        failed = ~np.isfinite(peak)
        return {
            "crs_worst_grade": EndpointValues(
                np.where(failed, np.nan, grade),
                "1",
                "worst CRS grade (assumed rule on the IL-6 signal)",
            ),
            "crs_severe": EndpointValues(
                yes_no(grade >= 3, failed),
                "1",
                "CRS of grade 3 or 4 (assumed rule on the IL-6 signal)",
            ),
        }

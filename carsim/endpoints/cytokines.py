"""Cytokine release: peak IL-6, and a grade read off the IL-6 signal.

The grade is a rule of ours, not a clinical score. ASTCT 2019 grades fever, hypotension and oxygen,
which the model does not have; the rule puts thresholds on the peak of `il6_signal` (occupied IL-6
receptor, between 0 and 1). The signal is used rather than IL-6 because tocilizumab raises IL-6
while it blocks the signal. The thresholds are those of the flagship model, with which grades are as
frequent as in Hay 2017 (docs/calibration.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carsim.endpoints.requirements import (
    Array,
    EndpointValues,
    Requirements,
    check_observables,
    check_positive,
    window,
    yes_no,
)
from carsim.errors import ScenarioError
from carsim.metrics import Maximum, TimeOfMaximum

if TYPE_CHECKING:
    from carsim.model import Model


@dataclass(frozen=True)
class PeakIL6:
    """Highest serum IL-6 after the infusion, and its day.

    Parameters
    ----------
    within : float
        Days from infusion in which the peak is looked for.
    infusion : float
        Day of the CAR-T infusion.
    il6 : str
        Name of the observable.

    Notes
    -----
    Variables: `il6_peak` (pg/mL), `il6_peak_time` (days from infusion).
    """

    within: float = 60.0
    infusion: float = 0.0
    il6: str = "il6"

    def __post_init__(self) -> None:
        check_positive("PeakIL6", within=self.within)

    def requires(self, model: Model, start: float, stop: float) -> Requirements:
        """Ask for the maximum and its time."""
        check_observables("PeakIL6", model, {self.il6: "pg/mL"})
        last = window("PeakIL6", start, stop, self.infusion, self.within)
        return Requirements(
            metrics={
                "il6_peak": Maximum(self.il6, start=self.infusion, stop=last),
                "il6_peak_time": TimeOfMaximum(self.il6, start=self.infusion, stop=last),
            }
        )

    def evaluate(
        self,
        saved: Mapping[str, Array],
        times: Array,
        metrics: Mapping[str, Array],
    ) -> dict[str, EndpointValues]:
        """Pass the metrics on; the time is counted from the infusion."""
        return {
            "il6_peak": EndpointValues(metrics["il6_peak"], "pg/mL", "Peak IL-6"),
            "il6_peak_time": EndpointValues(
                metrics["il6_peak_time"] - self.infusion, "day", "Peak IL-6, days from infusion"
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
        Days from infusion in which the peak is looked for.
    infusion : float
        Day of the CAR-T infusion.
    il6_signal : str
        Name of the observable.

    Notes
    -----
    Variables: `crs_worst_grade` (0 to 4) and `crs_severe` (1, 0: grade 3 or 4).
    """

    thresholds: tuple[float, ...] = (0.241, 0.439, 0.681, 0.728)
    within: float = 60.0
    infusion: float = 0.0
    il6_signal: str = "il6_signal"

    def __post_init__(self) -> None:
        check_positive("CRSGrade", within=self.within)
        if len(self.thresholds) != 4 or any(np.diff(self.thresholds) <= 0):
            raise ScenarioError(
                f"CRSGrade: thresholds = {self.thresholds!r} must be four ascending numbers, one "
                "for each of the grades 1 to 4."
            )

    def requires(self, model: Model, start: float, stop: float) -> Requirements:
        """Ask for the peak of the signal."""
        check_observables("CRSGrade", model, {self.il6_signal: "1"})
        last = window("CRSGrade", start, stop, self.infusion, self.within)
        return Requirements(
            metrics={"il6_signal_peak": Maximum(self.il6_signal, start=self.infusion, stop=last)}
        )

    def evaluate(
        self,
        saved: Mapping[str, Array],
        times: Array,
        metrics: Mapping[str, Array],
    ) -> dict[str, EndpointValues]:
        """Count the thresholds that the peak reaches."""
        peak = metrics["il6_signal_peak"]
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

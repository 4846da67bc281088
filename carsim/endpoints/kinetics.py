"""Cellular kinetics: how far CAR-T cells expand, when, and how long they stay."""

from __future__ import annotations

from dataclasses import dataclass

from carsim.endpoints.requirements import (
    EndpointValues,
    Kept,
    Requirements,
    Setting,
    check_observables,
    check_positive,
    window,
)
from carsim.errors import ScenarioError
from carsim.metrics import AreaUnder, Maximum, TimeAbove, TimeOfMaximum


@dataclass(frozen=True)
class CellularKinetics:
    """Cmax, Tmax, AUC of the first 28 days, and persistence of CAR-T cells in blood.

    Parameters
    ----------
    peak_within : float
        Days from infusion in which the peak is looked for, so that a later re-expansion (relapse,
        second infusion) is not taken for it; up to a patient's own stop if that is earlier.
    auc_days : float
        Days from infusion of the area under the curve; NaN for a patient who stops earlier.
    detection_limit : float
        Cells/uL below which CAR-T cells are not detected (assumed; assays differ).
    car_t : str
        Name of the observable.

    Notes
    -----
    Variables: `car_t_cmax` (cell/uL), `car_t_tmax` (day of the simulation), `car_t_auc`
    (day*cell/uL), `car_t_persistence` (days spent above the detection limit, up to the end of the
    simulation).
    """

    peak_within: float = 90.0
    auc_days: float = 28.0
    detection_limit: float = 0.1
    car_t: str = "car_t"

    def __post_init__(self) -> None:
        check_positive(
            "CellularKinetics",
            peak_within=self.peak_within,
            auc_days=self.auc_days,
            detection_limit=self.detection_limit,
        )

    def requires(self, setting: Setting) -> Requirements:
        """Ask for four reductions; no trajectory."""
        check_observables("CellularKinetics", setting.model, {self.car_t: "cell/uL"})
        last = window("CellularKinetics", setting, self.peak_within)
        first, end = setting.infusion, setting.infusion + self.auc_days
        if end > setting.stop:
            raise ScenarioError(
                f"CellularKinetics: the area runs to day {end:g}, but the simulation stops on day "
                f"{setting.stop:g}. Extend it, or set auc_days."
            )
        return Requirements(
            metrics={
                "car_t_cmax": Maximum(self.car_t, start=first, stop=last),
                "car_t_tmax": TimeOfMaximum(self.car_t, start=first, stop=last),
                "car_t_auc": AreaUnder(self.car_t, start=first, stop=end),
                "car_t_persistence": TimeAbove(self.car_t, self.detection_limit, start=first),
            },
            shortened=frozenset({"car_t_cmax", "car_t_tmax"}),
        )

    def evaluate(self, kept: Kept) -> dict[str, EndpointValues]:
        """Pass the metrics on."""
        metrics = kept.metrics
        return {
            "car_t_cmax": EndpointValues(metrics["car_t_cmax"], "cell/uL", "CAR-T Cmax in blood"),
            "car_t_tmax": EndpointValues(
                metrics["car_t_tmax"], "day", "Day of CAR-T Cmax in blood", is_instant=True
            ),
            "car_t_auc": EndpointValues(
                metrics["car_t_auc"], "day*cell/uL", f"CAR-T AUC of days 0 to {self.auc_days:g}"
            ),
            "car_t_persistence": EndpointValues(
                metrics["car_t_persistence"],
                "day",
                f"Time with CAR-T above {self.detection_limit:g} cell/uL",
            ),
        }

"""Response of the leukemia: remission, relapse, and what relapses.

Assumed here
    - The marrow holds 1e12 nucleated cells, so that an MRD level of 1e-4 is 1e8 leukemic cells and
      5 % blasts are 5e10.
    - Remission is judged at visits, as by marrow aspirates, not continuously.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from carsim.endpoints.requirements import (
    SAME_TIME,
    EndpointValues,
    Kept,
    Requirements,
    Setting,
    check_observables,
    check_positive,
    window,
    yes_no,
)
from carsim.endpoints.visits import column_of, first_hit, is_visit, visit_times
from carsim.errors import ScenarioError


@dataclass(frozen=True)
class Remission:
    """MRD-negative remission, relapse after it, and CD19 at relapse.

    Parameters
    ----------
    threshold : float
        Remission: fewer leukemic cells than this (MRD 1e-4 of 1e12 marrow cells).
    relapse : float
        Relapse: at least this many, after a remission (5 % blasts of 1e12 marrow cells).
    negative_share : float
        A relapse is CD19-negative if at least this share of the cells lacks CD19 (assumed).
    response_day : float
        Days from infusion at which early response is judged.
    every : float
        Days between visits; the first is the infusion.
    cd19_positive, cd19_negative : str
        Names of the observables (cells).

    Notes
    -----
    Variables: `remission_early` (1, 0: by the response day), `remission` (1, 0: ever),
    `remission_time` (day), `relapse` (1, 0; NaN without remission), `relapse_time` (day),
    `relapse_cd19_negative` (1, 0; NaN without relapse).
    """

    threshold: float = 1e8
    relapse: float = 5e10
    negative_share: float = 0.5
    response_day: float = 28.0
    every: float = 28.0
    cd19_positive: str = "leukemia_cd19_positive"
    cd19_negative: str = "leukemia_cd19_negative"

    def __post_init__(self) -> None:
        check_positive(
            "Remission",
            threshold=self.threshold,
            relapse=self.relapse,
            negative_share=self.negative_share,
            response_day=self.response_day,
            every=self.every,
        )
        if self.relapse < self.threshold:
            raise ScenarioError(
                f"Remission: relapse = {self.relapse:g} cells is below the remission threshold of "
                f"{self.threshold:g} cells. Give a relapse level at or above it."
            )

    def requires(self, setting: Setting) -> Requirements:
        """Ask for both leukemic pools at the visits."""
        check_observables(
            "Remission", setting.model, {self.cd19_positive: "cell", self.cd19_negative: "cell"}
        )
        window("Remission", setting)
        day = setting.infusion + self.response_day
        if day > setting.stop:
            raise ScenarioError(
                f"Remission: response is judged on day {day:g}, but the simulation stops on day "
                f"{setting.stop:g}. Extend it, or set response_day."
            )
        visits = visit_times(setting, self.every)
        return Requirements(
            save_at=np.unique(np.append(visits, day)),
            outputs=(self.cd19_positive, self.cd19_negative),
        )

    def evaluate(self, kept: Kept) -> dict[str, EndpointValues]:
        """Follow the leukemic cells from visit to visit."""
        times, infusion = kept.times, kept.setting.infusion
        day = infusion + self.response_day
        visits = is_visit(times, self.every, infusion)
        visits[column_of(times, day)] = True
        visits &= times > infusion
        days, lived = times[visits], kept.lived[:, visits]
        negative = kept.saved[self.cd19_negative][:, visits]
        cells = kept.saved[self.cd19_positive][:, visits] + negative
        failed = ~((np.isfinite(cells) | ~lived).all(axis=1) & kept.followed)

        responded, first_day = first_hit(cells < self.threshold, days)
        in_time = days <= day + SAME_TIME * max(1.0, abs(day))
        early = np.asarray((cells < self.threshold)[:, in_time].any(axis=1))
        early_known = np.asarray(early | lived[:, in_time].all(axis=1))
        with np.errstate(invalid="ignore"):
            later = days > first_day[:, np.newaxis]  # never true without remission
        back = (cells >= self.relapse) & later
        relapsed, relapse_day = first_hit(back, days)
        at_relapse = back.argmax(axis=1)[:, np.newaxis]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.take_along_axis(negative / cells, at_relapse, axis=1)[:, 0]

        def values(data: ArrayLike, words: str, unit: str = "1") -> EndpointValues:
            known = np.where(failed, np.nan, np.asarray(data, dtype=np.float64))
            return EndpointValues(known, unit, words, is_instant=unit == "day")

        return {
            "remission_early": values(
                yes_no(early, ~early_known),
                f"MRD-negative remission within {self.response_day:g} days of infusion",
            ),
            "remission": values(responded, "MRD-negative remission"),
            "remission_time": values(first_day, "Day of MRD-negative remission", "day"),
            "relapse": values(yes_no(relapsed, ~responded), "Relapse after remission"),
            "relapse_time": values(relapse_day, "Day of relapse", "day"),
            "relapse_cd19_negative": values(
                yes_no(share >= self.negative_share, ~relapsed), "CD19-negative relapse"
            ),
        }

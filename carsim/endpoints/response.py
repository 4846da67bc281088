"""Response of the leukemia: remission, relapse, and what relapses.

Assumed here
    - The marrow holds 1e12 nucleated cells, so that an MRD level of 1e-4 is 1e8 leukemic cells and
      5 % blasts are 5e10.
    - Remission is judged at visits, as by marrow aspirates, not continuously.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from carsim.endpoints.requirements import (
    SAME_TIME,
    Array,
    EndpointValues,
    Requirements,
    check_observables,
    check_positive,
    window,
    yes_no,
)
from carsim.endpoints.visits import column_of, first_hit, is_visit, visit_times
from carsim.errors import ScenarioError

if TYPE_CHECKING:
    from carsim.model import Model


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
    infusion : float
        Day of the CAR-T infusion.
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
    infusion: float = 0.0
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

    def requires(self, model: Model, start: float, stop: float) -> Requirements:
        """Ask for both leukemic pools at the visits."""
        check_observables(
            "Remission", model, {self.cd19_positive: "cell", self.cd19_negative: "cell"}
        )
        window("Remission", start, stop, self.infusion, None)
        day = self.infusion + self.response_day
        if day > stop:
            raise ScenarioError(
                f"Remission: response is judged on day {day:g}, but the simulation stops on day "
                f"{stop:g}. Extend it, or set response_day."
            )
        visits = visit_times(start, stop, self.every, self.infusion)
        return Requirements(
            save_at=np.unique(np.append(visits, day)),
            outputs=(self.cd19_positive, self.cd19_negative),
        )

    def evaluate(
        self,
        saved: Mapping[str, Array],
        times: Array,
        metrics: Mapping[str, Array],
    ) -> dict[str, EndpointValues]:
        """Follow the leukemic cells from visit to visit."""
        day = self.infusion + self.response_day
        visits = is_visit(times, self.every, self.infusion)
        visits[column_of(times, day)] = True
        visits &= times > self.infusion
        days = times[visits]
        negative = saved[self.cd19_negative][:, visits]
        cells = saved[self.cd19_positive][:, visits] + negative
        failed = ~np.isfinite(cells).all(axis=1)

        responded, first_day = first_hit(cells < self.threshold, days)
        early = (cells < self.threshold)[:, days <= day * (1 + SAME_TIME)].any(axis=1)
        with np.errstate(invalid="ignore"):
            later = days > first_day[:, np.newaxis]  # never true without remission
        back = (cells >= self.relapse) & later
        relapsed, relapse_day = first_hit(back, days)
        at_relapse = back.argmax(axis=1)[:, np.newaxis]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.take_along_axis(negative / cells, at_relapse, axis=1)[:, 0]

        def values(data: ArrayLike, unit: str, words: str) -> EndpointValues:
            return EndpointValues(
                np.where(failed, np.nan, np.asarray(data, dtype=np.float64)), unit, words
            )

        return {
            "remission_early": values(early, "1", f"MRD-negative remission by day {day:g}"),
            "remission": values(responded, "1", "MRD-negative remission"),
            "remission_time": values(first_day, "day", "Day of MRD-negative remission"),
            "relapse": values(yes_no(relapsed, ~responded), "1", "Relapse after remission"),
            "relapse_time": values(relapse_day, "day", "Day of relapse"),
            "relapse_cd19_negative": values(
                yes_no(share >= self.negative_share, ~relapsed),
                "1",
                "CD19-negative relapse",
            ),
        }

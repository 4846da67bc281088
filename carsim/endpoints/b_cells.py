"""B-cell aplasia: the on-target price of CD19 CAR-T cells, and the marker that they still work."""

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
from carsim.metrics import FirstBelow, TimeAbove

if TYPE_CHECKING:
    from carsim.model import Model


@dataclass(frozen=True)
class BCellAplasia:
    """How long B cells stay below a count, and whether they come back.

    Parameters
    ----------
    threshold : float
        B cells/uL below which a patient is aplastic (assumed).
    infusion : float
        Day of the CAR-T infusion; earlier aplasia does not count.
    b_cells : str
        Name of the observable.

    Notes
    -----
    Variables: `b_cell_aplasia_duration` (days below the threshold from infusion to the end of the
    simulation, all spells together), `b_cell_recovery` (1, 0: above the threshold at the end; NaN
    if never aplastic), `b_cell_recovery_time` (days from infusion, NaN without recovery;
    taken as first day of aplasia plus its duration, which is exact for a single spell).
    """

    threshold: float = 10.0
    infusion: float = 0.0
    b_cells: str = "b_cells"

    def __post_init__(self) -> None:
        check_positive("BCellAplasia", threshold=self.threshold)

    def requires(self, model: Model, start: float, stop: float) -> Requirements:
        """Ask for two reductions, and the count at the end of the simulation."""
        check_observables("BCellAplasia", model, {self.b_cells: "cell/uL"})
        window("BCellAplasia", start, stop, self.infusion, None)
        span = (self.threshold, self.infusion, stop)
        return Requirements(
            save_at=np.array([stop], dtype=np.float64),
            outputs=(self.b_cells,),
            metrics={
                "b_cell_aplasia_onset": FirstBelow(self.b_cells, *span),
                "b_cell_time_above": TimeAbove(self.b_cells, *span),
            },
        )

    def evaluate(
        self,
        saved: Mapping[str, Array],
        times: Array,
        metrics: Mapping[str, Array],
    ) -> dict[str, EndpointValues]:
        """Combine onset, time above the threshold and last count."""
        last = saved[self.b_cells][:, -1]
        duration = (times[-1] - self.infusion) - metrics["b_cell_time_above"]
        onset = metrics["b_cell_aplasia_onset"] - self.infusion
        failed = ~(np.isfinite(duration) & np.isfinite(last))
        aplastic = np.isfinite(onset)
        recovered = aplastic & (last >= self.threshold)
        blank = failed | ~aplastic
        return {
            "b_cell_aplasia_duration": EndpointValues(
                np.where(failed, np.nan, duration),
                "day",
                f"Time with B cells below {self.threshold:g} cell/uL",
            ),
            "b_cell_recovery": EndpointValues(yes_no(recovered, blank), "1", "B-cell recovery"),
            "b_cell_recovery_time": EndpointValues(
                np.where(recovered & ~blank, onset + duration, np.nan),
                "day",
                "B-cell recovery, days from infusion",
            ),
        }

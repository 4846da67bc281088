"""B-cell aplasia: the on-target price of CD19 CAR-T cells, and the marker that they still work."""

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
from carsim.metrics import FirstBelow, Last, TimeAbove


@dataclass(frozen=True)
class BCellAplasia:
    """How long B cells stay below a count, and whether they come back.

    Parameters
    ----------
    threshold : float
        B cells/uL below which a patient is aplastic (assumed).
    b_cells : str
        Name of the observable.

    Notes
    -----
    Variables: `b_cell_aplasia_duration` (days below the threshold from infusion to the end of the
    patient's simulation, all spells together; earlier aplasia does not count), `b_cell_recovery`
    (1, 0: above the threshold at the end; NaN if never aplastic), `b_cell_recovery_time` (day of
    the simulation, NaN without recovery; taken as first day of aplasia plus its duration, which is
    exact for a single spell).
    """

    threshold: float = 10.0
    b_cells: str = "b_cells"

    def __post_init__(self) -> None:
        check_positive("BCellAplasia", threshold=self.threshold)

    def requires(self, setting: Setting) -> Requirements:
        """Ask for two reductions, and the count at the end of the simulation."""
        check_observables("BCellAplasia", setting.model, {self.b_cells: "cell/uL"})
        window("BCellAplasia", setting)
        since = {"threshold": self.threshold, "start": setting.infusion}
        return Requirements(
            metrics={
                "b_cell_aplasia_onset": FirstBelow(self.b_cells, **since),
                "b_cell_time_above": TimeAbove(self.b_cells, **since),
                "b_cell_last": Last(self.b_cells),
            },
        )

    def evaluate(self, kept: Kept) -> dict[str, EndpointValues]:
        """Combine onset, time above the threshold and last count."""
        onset, last = kept.metrics["b_cell_aplasia_onset"], kept.metrics["b_cell_last"]
        above = kept.metrics["b_cell_time_above"]
        followed = kept.stop - kept.setting.infusion
        failed = ~(np.isfinite(above) & np.isfinite(last)) | ~kept.followed
        aplastic = np.isfinite(onset)
        # Whoever never falls below it is above it all the time, whatever the sum of the stays
        # rounds to.
        duration = np.where(aplastic, np.maximum(followed - above, 0.0), 0.0)
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
                "Day of B-cell recovery",
                is_instant=True,
            ),
        }

"""How high HBV DNA and ALT go, and whether the liver flares."""

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
from carsim.endpoints.visits import first_hit, is_visit, visit_times
from carsim.guidelines import flare_criterion_of
from carsim.metrics import Maximum, TimeOfMaximum

if TYPE_CHECKING:
    from carsim.model import Model


@dataclass(frozen=True)
class PeakHBVDNA:
    """Highest HBV DNA after the infusion, and its day.

    Parameters
    ----------
    infusion : float
        Day of the CAR-T infusion.
    hbv_dna : str
        Name of the observable.

    Notes
    -----
    Variables: `hbv_dna_peak` (IU/mL), `hbv_dna_peak_time` (day).
    """

    infusion: float = 0.0
    hbv_dna: str = "hbv_dna"

    def requires(self, model: Model, start: float, stop: float) -> Requirements:
        """Ask for the maximum and its time."""
        check_observables("PeakHBVDNA", model, {self.hbv_dna: "IU/mL"})
        window("PeakHBVDNA", start, stop, self.infusion, None)
        return Requirements(
            metrics={
                "hbv_dna_peak": Maximum(self.hbv_dna, start=self.infusion, stop=stop),
                "hbv_dna_peak_time": TimeOfMaximum(self.hbv_dna, start=self.infusion, stop=stop),
            }
        )

    def evaluate(
        self,
        saved: Mapping[str, Array],
        times: Array,
        metrics: Mapping[str, Array],
    ) -> dict[str, EndpointValues]:
        """Pass the metrics on."""
        return {
            "hbv_dna_peak": EndpointValues(metrics["hbv_dna_peak"], "IU/mL", "Peak HBV DNA"),
            "hbv_dna_peak_time": EndpointValues(
                metrics["hbv_dna_peak_time"], "day", "Day of peak HBV DNA"
            ),
        }


@dataclass(frozen=True)
class HepatitisFlare:
    """Flare of hepatitis by ALT at the monitoring visits.

    Parameters
    ----------
    criterion : str
        Name of a criterion in `FLARE_CRITERIA`. "AASLD 2018" (ALT at least 3 times baseline and
        above 100 U/L) is assumed: it was quoted from memory.
    every : float
        Days between visits; the first is the infusion.
    infusion : float
        Day of the CAR-T infusion.
    alt : str
        Name of the observable. ALT of the model is ALT from hepatitis B only.

    Notes
    -----
    Variables: `hepatitis_flare` (1, 0), `hepatitis_flare_time` (day), `alt_peak` (U/L, over all
    times, not only visits). Baseline is the start of the simulation.
    """

    criterion: str = "AASLD 2018"
    every: float = 28.0
    infusion: float = 0.0
    alt: str = "alt"

    def __post_init__(self) -> None:
        flare_criterion_of(self.criterion)
        check_positive("HepatitisFlare", every=self.every)

    def requires(self, model: Model, start: float, stop: float) -> Requirements:
        """Ask for ALT at baseline and at the visits, and its peak."""
        check_observables("HepatitisFlare", model, {self.alt: "U/L"})
        window("HepatitisFlare", start, stop, self.infusion, None)
        visits = visit_times(start, stop, self.every, self.infusion)
        return Requirements(
            save_at=np.unique(np.concatenate([[start], visits])),
            outputs=(self.alt,),
            metrics={"alt_peak": Maximum(self.alt, start=self.infusion, stop=stop)},
        )

    def evaluate(
        self,
        saved: Mapping[str, Array],
        times: Array,
        metrics: Mapping[str, Array],
    ) -> dict[str, EndpointValues]:
        """Compare ALT with the criterion, visit by visit."""
        visits = is_visit(times, self.every, self.infusion) & (times > times[0])
        baseline, seen = saved[self.alt][:, 0], saved[self.alt][:, visits]
        failed = ~(np.isfinite(baseline) & np.isfinite(seen).all(axis=1))
        criterion = flare_criterion_of(self.criterion)
        hits = np.ones(seen.shape, dtype=bool)
        if criterion.fold_of_baseline is not None:
            hits &= seen >= criterion.fold_of_baseline * baseline[:, np.newaxis]
        if criterion.above is not None:
            hits &= seen > criterion.above
        happened, day = first_hit(hits, times[visits])
        label = f"Hepatitis flare ({self.criterion})"
        return {
            "hepatitis_flare": EndpointValues(yes_no(happened, failed), "1", label),
            "hepatitis_flare_time": EndpointValues(
                np.where(failed, np.nan, day), "day", f"Day of {label}"
            ),
            "alt_peak": EndpointValues(metrics["alt_peak"], "U/L", "Peak ALT"),
        }

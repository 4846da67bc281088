"""How high HBV DNA and ALT go, and whether the liver flares."""

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
from carsim.endpoints.visits import first_hit, is_visit, visit_times
from carsim.guidelines import flare_criterion_of
from carsim.metrics import Maximum, TimeOfMaximum


@dataclass(frozen=True)
class PeakHBVDNA:
    """Highest HBV DNA after the infusion, and its day.

    Parameters
    ----------
    hbv_dna : str
        Name of the observable.

    Notes
    -----
    Variables: `hbv_dna_peak` (IU/mL), `hbv_dna_peak_time` (day).
    """

    hbv_dna: str = "hbv_dna"

    def requires(self, setting: Setting) -> Requirements:
        """Ask for the maximum and its time."""
        check_observables("PeakHBVDNA", setting.model, {self.hbv_dna: "IU/mL"})
        window("PeakHBVDNA", setting)
        return Requirements(
            metrics={
                "hbv_dna_peak": Maximum(self.hbv_dna, start=setting.infusion),
                "hbv_dna_peak_time": TimeOfMaximum(self.hbv_dna, start=setting.infusion),
            }
        )

    def evaluate(self, kept: Kept) -> dict[str, EndpointValues]:
        """Pass the metrics on."""
        return {
            "hbv_dna_peak": EndpointValues(kept.metrics["hbv_dna_peak"], "IU/mL", "Peak HBV DNA"),
            "hbv_dna_peak_time": EndpointValues(
                kept.metrics["hbv_dna_peak_time"], "day", "Day of peak HBV DNA", is_instant=True
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
    alt : str
        Name of the observable. ALT of the model is ALT from hepatitis B only.

    Notes
    -----
    Variables: `hepatitis_flare` (1, 0), `hepatitis_flare_time` (day), `alt_peak` (U/L, over all
    times, not only visits). Baseline is the start of the simulation.
    """

    criterion: str = "AASLD 2018"
    every: float = 28.0
    alt: str = "alt"

    def __post_init__(self) -> None:
        flare_criterion_of(self.criterion)
        check_positive("HepatitisFlare", every=self.every)

    def requires(self, setting: Setting) -> Requirements:
        """Ask for ALT at baseline and at the visits, and its peak."""
        check_observables("HepatitisFlare", setting.model, {self.alt: "U/L"})
        window("HepatitisFlare", setting)
        visits = visit_times(setting, self.every)
        return Requirements(
            save_at=np.unique(np.concatenate([[setting.start], visits])),
            outputs=(self.alt,),
            metrics={"alt_peak": Maximum(self.alt, start=setting.infusion)},
        )

    def evaluate(self, kept: Kept) -> dict[str, EndpointValues]:
        """Compare ALT with the criterion, visit by visit."""
        times, alt = kept.times, kept.saved[self.alt]
        visits = is_visit(times, self.every, kept.setting.infusion) & (times > times[0])
        baseline, seen = alt[:, 0], alt[:, visits]
        known = (np.isfinite(seen) | ~kept.lived[:, visits]).all(axis=1)
        failed = ~(np.isfinite(baseline) & known & kept.followed)
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
                np.where(failed, np.nan, day), "day", f"Day of {label}", is_instant=True
            ),
            "alt_peak": EndpointValues(kept.metrics["alt_peak"], "U/L", "Peak ALT"),
        }

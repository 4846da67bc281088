"""HBV reactivation as a laboratory would see it: visits, detection limits, a guideline's criteria.

Assumed here
    - A level below its detection limit is undetectable, however small.
    - Serostatus is judged from HBsAg at the start of the simulation. Anti-HBc is not modeled:
      everyone HBsAg-negative counts as HBsAg-negative/anti-HBc-positive.
    - Baseline DNA is that at the start of the simulation, before lymphodepletion and before any
      prophylaxis that starts later. Set `baseline` to measure it on treatment instead, which
      changes who counts as reactivated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from carsim.endpoints.requirements import (
    Array,
    EndpointValues,
    Kept,
    Requirements,
    Setting,
    check_observables,
    check_positive,
    window,
    yes_no,
)
from carsim.endpoints.visits import column_of, first_hit, in_a_row, is_visit, visit_times
from carsim.errors import ScenarioError, unknown
from carsim.guidelines import DEFINITIONS, Criterion, Definition, definition_of

EVERY = 28.0
"""Days between visits, where nothing else is said (assumed)."""


@dataclass(frozen=True)
class HBVReactivation:
    """Reactivation of hepatitis B by a published definition.

    Parameters
    ----------
    definition : str or Definition
        Name of a definition in `carsim.guidelines.DEFINITIONS`, or one of your own.
    every : float
        Days between visits; the first is the infusion.
    baseline : float, "start" or "none"
        Day of the baseline HBV DNA; "start" is the start of the simulation; "none" applies the
        criteria for patients without a baseline (serostatus is still known).
    detection_limit : float
        Lower limit of detection of HBV DNA, IU/mL.
    hbsag_limit : float
        Lower limit of detection of HBsAg, IU/mL.
    hbv_dna, hbsag : str
        Names of the observables.
    name : str
        Prefix of the variables, so that two definitions can stand side by side.

    Notes
    -----
    Variables: `hbv_reactivation` (1, 0), `hbv_reactivation_time` (day of the visit that detects
    it), `hbv_reactivation_dna` (IU/mL at that visit) and `hbv_reactivation_seroconversion`
    (1, 0: HBsAg reappeared at any visit; NaN for those HBsAg-positive at baseline). All are NaN for
    failed patients, and where no line of the definition covers a serostatus and baseline (KASL 2019
    counts from a detectable baseline only, so it is silent about HBsAg-positive patients without).
    """

    definition: str | Definition = "AASLD 2018"
    every: float = EVERY
    baseline: float | Literal["start", "none"] = "start"
    detection_limit: float = 10.0
    hbsag_limit: float = 0.05
    hbv_dna: str = "hbv_dna"
    hbsag: str = "hbsag"
    name: str = "hbv_reactivation"

    def __post_init__(self) -> None:
        definition_of(self.definition)
        check_positive(
            "HBVReactivation",
            every=self.every,
            detection_limit=self.detection_limit,
            hbsag_limit=self.hbsag_limit,
        )
        given: object = self.baseline
        day = isinstance(given, int | float | np.number) and not isinstance(given, bool)
        if not day and given not in ("start", "none"):
            raise ScenarioError(
                f"HBVReactivation: baseline = {given!r} must be a day, 'start' or 'none'."
            )

    def requires(self, setting: Setting) -> Requirements:
        """Ask for HBV DNA and HBsAg at baseline and at the visits."""
        check_observables(
            "HBVReactivation", setting.model, {self.hbv_dna: "IU/mL", self.hbsag: "IU/mL"}
        )
        window("HBVReactivation", setting)
        visits = visit_times(setting, self.every)
        start = setting.start
        days = [start] if isinstance(self.baseline, str) else [start, float(self.baseline)]
        if not start <= days[-1] <= visits[-1]:
            raise ScenarioError(
                f"HBVReactivation: baseline on day {days[-1]:g} is not between the start of the "
                f"simulation (day {start:g}) and the last visit (day {visits[-1]:g})."
            )
        return Requirements(
            save_at=np.unique(np.concatenate([days, visits])),
            outputs=(self.hbv_dna, self.hbsag),
        )

    def evaluate(self, kept: Kept) -> dict[str, EndpointValues]:
        """Apply the definition visit by visit."""
        times, saved = kept.times, kept.saved
        at_start = 0
        at_baseline = (
            at_start if isinstance(self.baseline, str) else column_of(times, self.baseline)
        )
        visits = is_visit(times, self.every, kept.setting.infusion) & (times > times[at_baseline])
        markers = {"hbv_dna": saved[self.hbv_dna], "hbsag": saved[self.hbsag]}
        seen = {marker: values[:, visits] for marker, values in markers.items()}
        lived = kept.lived[:, visits]
        known_all = [
            np.isfinite(values[:, at_baseline]) & (np.isfinite(seen[marker]) | ~lived).all(axis=1)
            for marker, values in markers.items()
        ]
        failed = ~(np.all(known_all, axis=0) & kept.followed)
        limits = {"hbv_dna": self.detection_limit, "hbsag": self.hbsag_limit}
        positive = markers["hbsag"][:, at_start] >= self.hbsag_limit
        known = {"hbv_dna": self.baseline != "none", "hbsag": True}

        hits = np.zeros_like(seen["hbv_dna"], dtype=bool)
        covered = np.zeros(len(hits), dtype=bool)
        for criterion in definition_of(self.definition).criteria:
            marker = criterion.marker
            reference = markers[marker][:, at_baseline if marker == "hbv_dna" else at_start]
            detectable = reference >= limits[marker]
            to_whom = _serostatus_applies(criterion, positive) & _baseline_applies(
                criterion, detectable, known[marker]
            )
            covered |= to_whom
            met = _meets(criterion, seen[marker], reference, limits[marker], known=known[marker])
            hits |= in_a_row(met, criterion.visits) & to_whom[:, np.newaxis]

        happened, day = first_hit(hits, times[visits])
        undefined = failed | ~covered
        reappeared = np.asarray((seen["hbsag"] >= self.hbsag_limit).any(axis=1))
        dna = np.full(len(hits), np.nan)
        if visits.any():
            at_detection = np.take_along_axis(
                seen["hbv_dna"], hits.argmax(axis=1)[:, np.newaxis], axis=1
            )[:, 0]
            dna = np.where(happened, at_detection, np.nan)

        label = f"HBV reactivation ({definition_of(self.definition).name})"
        return {
            self.name: EndpointValues(yes_no(happened, undefined), "1", label),
            f"{self.name}_time": EndpointValues(
                np.where(undefined, np.nan, day), "day", f"Day of {label}", is_instant=True
            ),
            f"{self.name}_dna": EndpointValues(
                np.where(undefined, np.nan, dna), "IU/mL", "HBV DNA when reactivation is detected"
            ),
            f"{self.name}_seroconversion": EndpointValues(
                yes_no(reappeared, failed | positive),
                "1",
                "Reverse seroconversion (HBsAg reappears)",
            ),
        }


def by_guideline(
    definitions: Sequence[str | Definition] | None = None,
    *,
    every: float | Literal["shortest", "longest"] = EVERY,
    prefix: str = "hbv_reactivation",
    **options: Any,
) -> dict[str, HBVReactivation]:
    """One endpoint for each definition, side by side in one result.

    Parameters
    ----------
    definitions : sequence of str or Definition, optional
        Which; all of `carsim.endpoints.DEFINITIONS` by default.
    every : float, "shortest" or "longest"
        Days between visits. A number gives all definitions the same visits, so that they differ by
        their criteria alone; "shortest" and "longest" take the ends of the range that the source of
        a definition asks for, and 28 days where none was found.
    prefix : str
        Beginning of the variables' names.
    **options
        Other fields of `HBVReactivation`, the same for all.

    Returns
    -------
    dict of str to HBVReactivation
        By the name of its variables, such as "hbv_reactivation_aasld_2018": the endpoints of a
        sweep as they are, and the variables that hold the events in its result.

    Raises
    ------
    ScenarioError
        Unknown definition or option, or two definitions whose variables would be named alike.

    Examples
    --------
    >>> list(by_guideline(["AASLD 2018", "KASL 2019"]))
    ['hbv_reactivation_aasld_2018', 'hbv_reactivation_kasl_2019']
    """
    known = [field.name for field in fields(HBVReactivation)]
    for option in options:
        if option not in known or option in ("definition", "name"):
            raise ScenarioError(unknown("option", option, known, "by_guideline"))
    if isinstance(every, str) and every not in ("shortest", "longest"):
        raise ScenarioError(unknown("schedule", every, ("shortest", "longest"), "by_guideline"))
    endpoints: dict[str, HBVReactivation] = {}
    for given in DEFINITIONS if definitions is None else definitions:
        definition = definition_of(given)
        name = f"{prefix}_{re.sub(r'[^0-9a-z]+', '_', definition.name.lower()).strip('_')}"
        if name in endpoints:
            raise ScenarioError(
                f"by_guideline: the variables of '{definition.name}' would be called '{name}', "
                "which is taken. Give the definition another name."
            )
        if isinstance(every, str):
            range_ = definition.every or (EVERY, EVERY)
            interval = range_[0] if every == "shortest" else range_[1]
        else:
            interval = every
        endpoints[name] = HBVReactivation(given, every=interval, name=name, **options)
    return endpoints


def _serostatus_applies(criterion: Criterion, positive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if criterion.serostatus == "any":
        return np.ones_like(positive)
    return np.asarray(positive if criterion.serostatus == "HBsAg-positive" else ~positive)


def _baseline_applies(
    criterion: Criterion, detectable: NDArray[np.bool_], known: bool
) -> NDArray[np.bool_]:
    """Patients whose baseline a line is about, shape (n,)."""
    everyone = np.ones_like(detectable)
    return {
        "detectable": detectable & known,
        "undetectable": ~detectable & known,
        "unknown": everyone & (not known),
        "known": everyone & known,
        "any": everyone & (known or criterion.fold is None),
    }[criterion.baseline]


def _meets(
    criterion: Criterion, values: Array, reference: Array, limit: float, *, known: bool
) -> NDArray[np.bool_]:
    """Visits at which a criterion holds, shape (n, n_visits), for patients that it applies to."""
    reachable = np.ones(reference.shape, dtype=bool)
    threshold = np.full(reference.shape, limit)
    if criterion.fold is not None:
        reachable = reference >= limit
        threshold = np.maximum(threshold, criterion.fold * reference)
    if criterion.level is not None:
        threshold = np.maximum(threshold, criterion.level)
        if known:
            reachable = reachable & (reference < threshold)
    column = threshold[:, np.newaxis]
    above = values > column if criterion.strict else values >= column
    return np.asarray(above & (values >= limit) & reachable[:, np.newaxis])

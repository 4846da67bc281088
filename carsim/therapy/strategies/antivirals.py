"""When an antiviral is given against HBV: never, beforehand, on detection, or on reactivation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from carsim.errors import ScenarioError, unknown
from carsim.guidelines import Criterion, Definition, definition_of, flare_criterion_of
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.regimens import Bundle
from carsim.therapy.rules import Assay, Baseline, Discontinue, Hazard, Rule, SetParameter
from carsim.therapy.strategies.cells import recovery_rules
from carsim.therapy.strategies.checks import (
    MONTH,
    check_choice,
    check_flag,
    check_names,
    check_numbers,
    check_plain,
    check_share,
    plain,
    visits_within,
)
from carsim.therapy.values import Item, PerPatient

DURATIONS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "AASLD 2018": (12.0, 6.0),
        "AGA 2015": (12.0, 6.0),
        "APASL 2016": (12.0, 12.0),
        "EASL 2017": (18.0, 12.0),
        "ASCO 2020": (12.0, 6.0),
    }
)
"""Least months of prophylaxis after B-cell depletion, and after other immunosuppression.

Tables of PMC8281013 (T3), PMC8066124 (T4) and PMC11078521 (T3). EASL says 18 months of rituximab.
"""

HBV_DNA_ASSAY = Assay(detection_limit=10.0)
"""Detects 10 IU/mL or more, without error."""

DOSINGS = ("constant", "daily")
COUNTED_FROM = ("infusion", "b_cell_recovery")


@dataclass(frozen=True, eq=False, kw_only=True)
class NoAntiviral(Bundle):
    """No antiviral: the arm that others are compared with."""

    def parts(self) -> Mapping[str, Item]:
        """Nothing."""
        return {}


@dataclass(frozen=True, eq=False, kw_only=True)
class Antiviral(Bundle):
    """What the strategies with a drug share: the drug, its dose, and resistance to it.

    Parameters
    ----------
    drug : str
        Route of the drug.
    dose : float or array
        Dose a day, mg. 0.5 is the dose of the entecavir label (for patients without a nucleoside
        before).
    dosing : {"constant", "daily"}
        "constant" spreads the dose over the day: the same within 0.05 log10 of HBV DNA, and much
        faster. "daily" gives tablets.
    adherence : float or array
        Share of the tablets that is taken. Drawn tablet by tablet if they are "daily"; "constant"
        lowers the rate, which makes no gaps. 1 is assumed.
    resistance : bool
        Whether the virus may turn resistant.
    fold_resistance : float or array
        What `resistance_parameter` becomes then. Assumed: no source was found for the 100.
    resistance_hazard : str
        Observable, 1/day.
    resistance_parameter : str
        Parameter that says how resistant the virus is.
    """

    drug: str = "entecavir"
    dose: PerPatient = 0.5
    dosing: str = "constant"
    adherence: PerPatient = 1.0
    resistance: bool = False
    fold_resistance: PerPatient = 100.0
    resistance_hazard: str = "entecavir_resistance_hazard"
    resistance_parameter: str = "entecavir.fold_resistance"

    def _check_drug(self, where: str) -> None:
        check_names(where, self, "drug", "resistance_hazard", "resistance_parameter")
        check_numbers(where, self, "dose", "fold_resistance")
        check_choice(where, self, "dosing", DOSINGS)
        check_share(where, self, "adherence")
        check_flag(where, self, "resistance")

    def _treatment(
        self, start: PerPatient | None = None, stop: PerPatient | None = None
    ) -> Dose | Infusion:
        """Give the drug from `start`, or in a rule from its firing, until `stop`."""
        if self.dosing == "constant":
            rate = self.dose * self.adherence
            return Infusion(self.drug, start=start, stop=stop, rate=rate)
        always = isinstance(self.adherence, float) and self.adherence == 1.0
        adherence = None if always else self.adherence
        return Dose(self.drug, self.dose, at=start, every=1.0, until=stop, adherence=adherence)

    def _resistance(self) -> dict[str, Item]:
        if not self.resistance:
            return {}
        change = SetParameter(self.resistance_parameter, self.fold_resistance)
        return {"resistance": Hazard(self.resistance_hazard, do=change)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Prophylaxis(Antiviral):
    """The antiviral from before conditioning until some months after the CAR-T cells.

    Parameters
    ----------
    guideline : {"AASLD 2018", "AGA 2015", "APASL 2016", "EASL 2017", "ASCO 2020"}, optional
        Whose least duration is taken: 12 months after B-cell depletion, by EASL 18; 6 months after
        other immunosuppression, by APASL and EASL 12 (`DURATIONS` names the tables). AASLD 2018 if
        neither this nor `months` is given.
    months : float or array, optional
        Duration, in place of a guideline; a month has 30.4 days.
    b_cell_depletion : bool
        Which duration of the guideline is meant.
    counted_from : {"infusion", "b_cell_recovery"}
        What ends the immunosuppression. Guidelines were written for antibodies and say nothing
        about cells that stay; both readings are ours.
    start : float or array
        First day. -7 is that of the JAMA 2014 trial in its days before chemotherapy.
    infusion : float or array
        Day of the CAR-T infusion.
    discontinuation : float or array, optional
        Hazard, 1/day, that the patient stops by himself, from the start of the simulation on. By
        default nobody does.
    b_cells : str
        Observable, cell/uL.
    aplastic_below, recovered_above : float or array
        Counts below which B cells have gone and above which they are back, cell/uL (assumed; the
        endpoint `b_cell_aplasia` has the same).
    every : float
        Interval between counts of B cells, from the infusion on, days (assumed).
    consecutive : int
        Counts in a row for a recovery (assumed).
    drug, dose, dosing, adherence, resistance, ...
        As of `Antiviral`.

    Notes
    -----
    Counted from the recovery of B cells, prophylaxis goes on as long as they do not come back, and
    where they never went. It counts from their first recovery, also if cells are given once more.

    Examples
    --------
    >>> sorted(Prophylaxis(guideline="EASL 2017", counted_from="b_cell_recovery").parts())
    ['aplasia', 'recovery', 'treatment']
    """

    guideline: str | None = None
    months: PerPatient | None = None
    b_cell_depletion: bool = True
    counted_from: str = "infusion"
    start: PerPatient = -7.0
    infusion: PerPatient = 0.0
    discontinuation: PerPatient | None = None
    b_cells: str = "b_cells"
    aplastic_below: PerPatient = 10.0
    recovered_above: PerPatient = 10.0
    every: float = 28.0
    consecutive: int = 2

    def __post_init__(self) -> None:
        where = "Prophylaxis"
        self._check_drug(where)
        if self.guideline is not None:
            if self.months is not None:
                raise ScenarioError(
                    f"{where}: months = {self.months!r} and guideline = {self.guideline!r} "
                    f"contradict each other. Give one of them."
                )
            if self.guideline not in DURATIONS:
                raise ScenarioError(unknown("guideline", str(self.guideline), DURATIONS, where))
        check_flag(where, self, "b_cell_depletion")
        check_choice(where, self, "counted_from", COUNTED_FROM)
        check_names(where, self, "b_cells")
        check_plain(where, self, "every", above=0.0)
        check_numbers(where, self, "start", "infusion", at_least=-math.inf)
        check_numbers(where, self, "months", "discontinuation", "aplastic_below", "recovered_above")
        self.parts()

    @property
    def duration(self) -> PerPatient:
        """Months of prophylaxis after what it is counted from."""
        if self.months is not None:
            return self.months
        depleted, other = DURATIONS[self.guideline or "AASLD 2018"]
        return depleted if self.b_cell_depletion else other

    def parts(self) -> Mapping[str, Item]:
        """Treatment, how it ends, and what may go wrong."""
        days = self.duration * MONTH
        parts: dict[str, Item] = {}
        if self.counted_from == "infusion":
            parts["treatment"] = self._treatment(self.start, self.infusion + days)
        else:
            parts["treatment"] = self._treatment(self.start)
            parts |= recovery_rules(
                self.b_cells,
                self.aplastic_below,
                self.recovered_above,
                self.every,
                plain("Prophylaxis", "infusion", self.infusion),
                self.consecutive,
                Discontinue("treatment"),
                delay=days,
            )
        if self.discontinuation is not None:
            parts["discontinuation"] = Hazard(self.discontinuation, do=Discontinue("treatment"))
        return parts | self._resistance()


@dataclass(frozen=True, eq=False, kw_only=True)
class Preemptive(Antiviral):
    """Monitoring of HBV DNA, and the antiviral once it is detected.

    It acts on the detection, before most definitions of reactivation are met. Meant for patients
    without detectable HBV DNA (resolved infection). A carrier is detected at the first visit; for a
    rise over his own baseline give `fold_of_baseline`.

    Parameters
    ----------
    every : float
        Interval between visits, days. Guidelines say every 1 to 3 months (AASLD 2018, APASL 2016),
        EASL 2017 every 3 to 6 (PMC8281013, T3); 28 is what Seto 2014 did.
    start, until : float, optional
        First visit, and the time before which the last one is, days; the infusion on day 0 and the
        stop of the simulation by default.
    above : float or array, optional
        HBV DNA at which treatment begins, IU/mL; the detection limit by default.
    fold_of_baseline : float or array, optional
        HBV DNA must also be at so many times the patient's own, which is that at the start of the
        simulation; a baseline that is not detected asks for no more than `above`.
    consecutive : int
        At how many visits in a row (assumed: one).
    delay : float or array
        Days from the visit to the first tablet (assumed: none).
    consolidation : float, optional
        Treatment ends when HBV DNA has been undetectable at all visits of so many months. By
        default it goes on. If HBV DNA comes back after that, treatment begins again and goes on.
    hbv_dna : str
        Observable, IU/mL.
    assay : Assay
        How it is measured; a detection limit of 10 IU/mL without error by default.
    drug, dose, dosing, adherence, resistance, ...
        As of `Antiviral`.

    Notes
    -----
    Starting and stopping look at the same visits, but with errors of their own if the assay has
    any.
    """

    every: float = 28.0
    start: float = 0.0
    until: float | None = None
    above: PerPatient | None = None
    fold_of_baseline: PerPatient | None = None
    consecutive: int = 1
    delay: PerPatient = 0.0
    consolidation: float | None = None
    hbv_dna: str = "hbv_dna"
    assay: Assay = HBV_DNA_ASSAY

    def __post_init__(self) -> None:
        where = "Preemptive"
        self._check_drug(where)
        _check_monitoring(where, self)
        check_numbers(where, self, "above", "fold_of_baseline", "delay")
        self.parts()

    def parts(self) -> Mapping[str, Item]:
        """Rules that start and stop the treatment."""
        stops = self.consolidation is not None
        above = self.assay.detection_limit if self.above is None else self.above
        parts: dict[str, Item] = {
            "detection": Rule(
                self.hbv_dna,
                above=above,
                fold_of_baseline=self.fold_of_baseline,
                do=self._treatment(),
                every=self.every,
                start=self.start,
                until=self.until,
                limit=2 if stops else 1,
                consecutive=self.consecutive,
                delay=self.delay,
                unless_running=stops,
                assay=self.assay,
            )
        }
        if stops:
            parts["stop"] = _stop(self, "detection", "detection")
        return parts | self._resistance()


@dataclass(frozen=True, eq=False, kw_only=True)
class OnDemand(Antiviral):
    """The antiviral once HBV has reactivated, or the liver is inflamed.

    It acts on the events that the endpoints `hbv_reactivation` and `hepatitis_flare` report, by the
    same criteria, at the visit that detects them. So it comes too late to change how often they
    happen, but for one of the two signs that comes after treatment for the other has begun.

    Parameters
    ----------
    definition : str or Definition
        What is called reactivation: a definition in `carsim.endpoints.DEFINITIONS`, or one of your
        own. Baseline is the start of the simulation, also for HBsAg, as that of the endpoint by
        default; criteria for patients without a baseline do not apply. Whom the definition does
        not cover is treated for a flare only.
    flare : str
        What is called a flare: a criterion in `carsim.endpoints.FLARE_CRITERIA`.
    every : float
        Interval between visits, days (assumed: monthly). Give the endpoint the same.
    start, until : float, optional
        First visit, and the time before which the last one is, days; the infusion on day 0 and the
        stop of the simulation by default.
    delay : float or array
        Days from the visit to the first tablet (assumed: none).
    consolidation : float, optional
        As of `Preemptive`; but each sign begins treatment only once.
    hbv_dna, hbsag, alt : str
        Observables, IU/mL, IU/mL and U/L.
    assay : Assay
        How HBV DNA is measured.
    hbsag_limit : float
        Lower limit of detection of HBsAg, IU/mL.
    drug, dose, dosing, adherence, resistance, ...
        As of `Antiviral`.

    Notes
    -----
    Each line of the definition is a rule of its own, `reactivation_1` and so on by its number; the
    flare is `flare`. No sign begins a treatment while that of another goes on.

    Examples
    --------
    >>> list(OnDemand(definition="KASL 2019").parts())
    ['flare', 'reactivation_1', 'reactivation_2', 'reactivation_3']
    """

    definition: str | Definition = "AASLD 2018"
    flare: str = "AASLD 2018"
    every: float = 28.0
    start: float = 0.0
    until: float | None = None
    delay: PerPatient = 0.0
    consolidation: float | None = None
    hbv_dna: str = "hbv_dna"
    hbsag: str = "hbsag"
    alt: str = "alt"
    assay: Assay = HBV_DNA_ASSAY
    hbsag_limit: float = 0.05

    def __post_init__(self) -> None:
        where = "OnDemand"
        self._check_drug(where)
        definition_of(self.definition, where)
        flare_criterion_of(self.flare, where)
        _check_monitoring(where, self)
        check_names(where, self, "hbsag", "alt")
        check_numbers(where, self, "delay")
        check_plain(where, self, "hbsag_limit", above=0.0)
        self.parts()

    def parts(self) -> Mapping[str, Item]:
        """Rules that start and stop the treatment."""
        criteria = {
            f"reactivation_{number}": criterion
            for number, criterion in enumerate(
                definition_of(self.definition, "OnDemand").criteria, 1
            )
            # There is a baseline.
            if criterion.baseline != "unknown"
        }
        names = ["flare", *criteria]
        others = {name: [other for other in names if other != name] or None for name in names}
        parts: dict[str, Item] = {"flare": self._flare(others["flare"])}
        for name, criterion in criteria.items():
            parts[name] = self._reactivation(criterion, others[name])
        if self.consolidation is not None:
            for sign in names:
                parts[f"stop_after_{sign}"] = _stop(self, sign, *names)
        return parts | self._resistance()

    def _flare(self, others: list[str] | None) -> Rule:
        """Treatment when ALT meets all conditions of the criterion together."""
        criterion = flare_criterion_of(self.flare, "OnDemand")
        # ALT is above the level, and at least so many times baseline.
        level = 0.0 if criterion.above is None else float(np.nextafter(criterion.above, np.inf))
        return self._sign(self.alt, level, criterion.fold_of_baseline, None, others)

    def _reactivation(self, criterion: Criterion, others: list[str] | None) -> Rule:
        """Treatment when a line of the definition is met, for the patients that it is about."""
        output, assay = {
            "hbv_dna": (self.hbv_dna, self.assay),
            "hbsag": (self.hbsag, Assay(detection_limit=self.hbsag_limit)),
        }[criterion.marker]
        limit = assay.detection_limit
        level = max(limit, criterion.level or 0.0)
        who = {
            "HBsAg-positive": [Baseline(self.hbsag, at_least=self.hbsag_limit)],
            "HBsAg-negative": [Baseline(self.hbsag, less_than=self.hbsag_limit)],
            "any": [],
        }[criterion.serostatus]
        if criterion.baseline == "detectable" or criterion.fold is not None:
            who.append(Baseline(output, at_least=limit))
        if criterion.baseline == "undetectable":
            who.append(Baseline(output, less_than=limit))
        if criterion.level is not None and (criterion.fold is None or criterion.fold <= 1.0):
            # A level is reached from below only.
            who.append(Baseline(output, less_than=level))
        rule = self._sign(output, level, criterion.fold, assay, others)
        return dataclasses.replace(
            rule, for_whom=who, strict=criterion.strict, consecutive=criterion.visits
        )

    def _sign(
        self,
        when: str,
        above: float,
        fold: float | None,
        assay: Assay | None,
        others: list[str] | None,
    ) -> Rule:
        return Rule(
            when,
            above=above,
            # At least 0 times: the visit that gives the baseline is no visit of any sign.
            fold_of_baseline=fold or 0.0,
            do=self._treatment(),
            every=self.every,
            start=self.start,
            until=self.until,
            delay=self.delay,
            unless=others,
            assay=assay,
        )


def _check_monitoring(where: str, item: Preemptive | OnDemand) -> None:
    check_names(where, item, "hbv_dna")
    check_plain(where, item, "every", above=0.0)
    check_plain(where, item, "start", "until")
    check_plain(where, item, "consolidation", at_least=0.0)
    if not isinstance(item.assay, Assay):
        raise ScenarioError(f"{where}: assay = {item.assay!r}. Give Assay(...).")
    if item.assay.detection_limit <= 0.0:
        raise ScenarioError(
            f"{where}: assay: detection_limit = {item.assay.detection_limit:g}. It must be above "
            f"0: without a limit HBV DNA is always detected."
        )


def _stop(item: Preemptive | OnDemand, after: str, *ended: str) -> Rule:
    """End treatment when HBV DNA was undetectable at all visits of the consolidation."""
    assert item.consolidation is not None
    # The first undetectable visit, and those of the months after it.
    where = type(item).__name__
    visits = visits_within(where, item, "every", item.consolidation * MONTH)
    return Rule(
        item.hbv_dna,
        below=0.0,  # what the assay does not detect reads zero
        do=[Discontinue(name) for name in ended],
        every=item.every,
        start=item.start,
        until=item.until,
        consecutive=visits,
        after=after,
        assay=item.assay,
    )

"""Rules: treatment that answers to what is seen. Hazards: events that come by chance."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.values import (
    FloatArray,
    Item,
    PerPatient,
    check_name,
    number,
    series,
    shown,
    store,
    whole,
)
from carsim.therapy.windows import Reset, Window

MOST_FIRINGS = 10_000
"""Largest limit that may be asked for."""

MOST_VISITS = 100_000

UNLIMITED = 2**31 - 1
"""Limit of a rule that is watched and has none: more firings than a simulation may take steps."""


@dataclass(frozen=True, eq=False)
class Discontinue(Item):
    """End an item: nothing more of it is given, and what runs of it ends.

    Parameters
    ----------
    item : str
        A dose, an infusion, a window, or a rule (then what the rule has started ends; it may start
        it again).
    """

    item: str

    def __post_init__(self) -> None:
        check_name("Discontinue", "item", self.item)


@dataclass(frozen=True, eq=False)
class SetState(Item):
    """Set a state to a value.

    Parameters
    ----------
    state : str
        State.
    value : float or array
        New value, in its unit.
    """

    state: str
    value: PerPatient

    def __post_init__(self) -> None:
        check_name("SetState", "state", self.state)
        store(self, value=number(f"SetState {self.state!r}", "value", self.value))


@dataclass(frozen=True, eq=False)
class SetParameter(Item):
    """Set a parameter to a value, from then on.

    Parameters
    ----------
    parameter : str
        Parameter that the model does not compute.
    value : float or array
        New value, in its unit.
    """

    parameter: str
    value: PerPatient

    def __post_init__(self) -> None:
        check_name("SetParameter", "parameter", self.parameter)
        store(self, value=number(f"SetParameter {self.parameter!r}", "value", self.value))


Action: TypeAlias = Dose | Infusion | Window | Reset | Discontinue | SetState | SetParameter
ACTIONS = (Dose, Infusion, Window, Reset, Discontinue, SetState, SetParameter)


@dataclass(frozen=True, eq=False)
class Assay(Item):
    """How a rule's output is measured.

    Parameters
    ----------
    detection_limit : float
        Readings below are taken for zero ("not detected"), in the unit of the output.
    cv : float
        Coefficient of variation of a log-normal error; the median is the true value.
    sd : float
        Standard deviation of a normal error that is added, in the unit of the output.
    """

    detection_limit: float = 0.0
    cv: float = 0.0
    sd: float = 0.0

    def __post_init__(self) -> None:
        for name in ("detection_limit", "cv", "sd"):
            value = number("Assay", name, getattr(self, name), at_least=0.0)
            if isinstance(value, np.ndarray):
                raise ScenarioError(f"Assay: {name} is an array. Give one number.")
            store(self, **{name: value})

    @property
    def log_sd(self) -> float:
        """Standard deviation of the logarithm of a reading."""
        if self.cv > 1e100:  # 1 is nothing beside its square, which may be beyond all numbers
            return float(np.sqrt(2.0 * np.log(self.cv)))
        return float(np.sqrt(np.log1p(self.cv**2)))


@dataclass(frozen=True, eq=False)
class Baseline(Item):
    """Patients by what an output of theirs was at the start of the simulation.

    Parameters
    ----------
    of : str
        Observable or state.
    at_least : float or array, optional
        It was at this or above, in its unit.
    less_than : float or array, optional
        It was below this, in its unit.

    Examples
    --------
    Patients without detectable HBsAg, and carriers:

    >>> negative, carrier = Baseline("hbsag", less_than=0.05), Baseline("hbsag", at_least=0.05)
    """

    of: str
    at_least: PerPatient | None = None
    less_than: PerPatient | None = None

    def __post_init__(self) -> None:
        check_name("Baseline", "of", self.of)
        where = f"Baseline of {self.of!r}"
        for name in ("at_least", "less_than"):
            if getattr(self, name) is not None:
                store(self, **{name: number(where, name, getattr(self, name))})
        if self.at_least is None and self.less_than is None:
            raise ScenarioError(f"{where}: it says nothing. Give at_least, less_than, or both.")

    def holds(self, values: FloatArray) -> NDArray[np.bool_]:
        """Who meets it, shape (n_patients,).

        Parameters
        ----------
        values : float64 array, shape (n_patients,)
            The output at the start of the simulation.
        """
        met = np.ones(values.shape, dtype=bool)
        if self.at_least is not None:
            met &= values >= self.at_least
        if self.less_than is not None:
            met &= values < self.less_than
        return met


@dataclass(frozen=True, eq=False)
class Rule(Item):
    """What is done when an output is seen above, or below, a threshold.

    With visits (`every` or `at`) the rule looks at these times only; without, it is watched all the
    time and acts at the very instant at which the condition becomes true. Every firing is written
    into the event log of the result, also when `do` is empty.

    Parameters
    ----------
    when : str, optional
        Observable or state that is looked at. Without it the rule acts at every visit.
    above : float or array, optional
        The condition is that `when` is at or above this, in its unit.
    below : float or array, optional
        The condition is that `when` is at or below this.
    fold_of_baseline : float or array, optional
        The condition is also that `when` is at or above (or below) this many times the patient's
        own baseline: its value at the start of the simulation.
    strict : bool
        "More than" in place of "at or above", "less than" in place of "at or below".
    for_whom : Baseline, or sequence of Baseline
        Patients that the rule is about, by what they were like at the start of the simulation: all
        of these must hold. For others it never fires. Everybody by default.
    do : sequence of Dose, Infusion, Window, Reset, Discontinue, SetState or SetParameter
        What is done. Times in it count from the firing.
    every : float, optional
        Interval between visits.
    at : list of float, optional
        Times of the visits, in place of `every`.
    start, until : float, optional
        First visit, and the time before which the last one is; the start and the stop of the
        simulation by default.
    limit : int, None or "unlimited"
        How often the rule may fire for one patient; None, or "unlimited" where there is no None,
        for as often as the condition is met.
    consecutive : int
        At how many visits in a row the condition must hold.
    delay : float or array
        Time from the firing to what is done.
    spacing : float
        Least time between two firings.
    after : str, optional
        Rule that must have fired before this one looks.
    wait : float
        Time that must have passed since the last firing of `after`.
    unless_running : bool
        Whether the rule stays still while something that it started runs or is still to come.
    while_running : str, optional
        Rule of which something must run or be still to come.
    unless : str or sequence of str, optional
        Rule, or rules, of which nothing may run, be still to come, or begin at this very visit if
        it stands before this one.
    assay : Assay, optional
        How `when` is measured at a visit; exactly by default.

    Notes
    -----
    At a visit all rules look before any acts, and what is scheduled for the same time comes after
    they have looked. What only looks leaves the course as it is, to the bit.

    A baseline is what the model gives at the start of the simulation, after all that is scheduled
    for that instant and before any rule acts; without error, and zero below the detection limit of
    the assay. A baseline of zero leaves `above` (or `below`) alone. The visit at the start of the
    simulation is the one that gives the baseline: a rule with `fold_of_baseline` or `for_whom`
    looks at the later ones only.

    Examples
    --------
    Entecavir two weeks after HBV DNA was above 100 IU/mL at two monthly visits in a row:

    >>> rule = Rule(
    ...     when="hbv_dna", above=100.0, every=28.0, consecutive=2, delay=14.0,
    ...     do=Infusion("entecavir", rate=0.5),
    ... )
    >>> rule.limit
    1

    What is a hundredfold rise to carriers with 10 IU/mL or more:

    >>> rise = Rule(
    ...     when="hbv_dna", above=10.0, fold_of_baseline=100.0, every=28.0,
    ...     for_whom=Baseline("hbv_dna", at_least=10.0), assay=Assay(detection_limit=10.0),
    ... )
    """

    when: str | None = None
    above: PerPatient | None = None
    below: PerPatient | None = None
    do: Action | Sequence[Action] = ()
    every: float | None = None
    at: Sequence[float] | float | None = None
    start: float | None = None
    until: float | None = None
    limit: int | str | None = 1
    consecutive: int = 1
    delay: PerPatient = 0.0
    spacing: float = 0.0
    after: str | None = None
    wait: float = 0.0
    unless_running: bool = False
    while_running: str | None = None
    unless: str | Sequence[str] | None = None
    assay: Assay | None = None
    fold_of_baseline: PerPatient | None = None
    strict: bool = False
    for_whom: Baseline | Sequence[Baseline] = ()

    def __post_init__(self) -> None:
        where = "Rule" if self.when is None else f"Rule when {self.when!r}"
        _check_condition(where, self)
        _check_baseline(where, self)
        store(self, do=_actions(where, self.do))
        self._check_visits(where)
        if self.limit == "unlimited":
            store(self, limit=None)
        if self.limit is not None:
            store(self, limit=whole(where, "limit", self.limit, at_most=MOST_FIRINGS))
        consecutive = whole(where, "consecutive", self.consecutive, at_most=MOST_VISITS)
        store(self, consecutive=consecutive)
        store(self, delay=number(where, "delay", self.delay, at_least=0.0))
        for name in ("spacing", "wait"):
            store(self, **{name: _one(where, name, getattr(self, name), at_least=0.0)})
        if self.after is not None:
            check_name(where, "after", self.after)
        elif self.wait > 0.0:
            raise ScenarioError(f"{where}: wait = {self.wait:g} needs the rule: give after.")
        if self.while_running is not None:
            check_name(where, "while_running", self.while_running)
        if self.unless is not None:
            given: object = self.unless
            names = (given,) if isinstance(given, str) else given
            if not isinstance(names, list | tuple) or not names:
                raise ScenarioError(
                    f"{where}: unless = {shown(self.unless)}. Give a rule, or a list of rules."
                )
            for name in names:
                check_name(where, "unless", name)
            store(self, unless=tuple(names))
        if not isinstance(self.unless_running, bool):
            raise ScenarioError(
                f"{where}: unless_running = {self.unless_running!r}. Give true or false."
            )
        if self.assay is not None and not isinstance(self.assay, Assay):
            raise ScenarioError(f"{where}: assay = {self.assay!r}. Give Assay(...).")
        if self.assay is not None and self.when is None:
            raise ScenarioError(f"{where}: there is an assay but nothing to measure: give when.")
        if not self.has_visits:
            self._check_watched(where)

    def _check_visits(self, where: str) -> None:
        if self.every is not None:
            every = _one(where, "every", self.every)
            if every <= 0.0:
                raise ScenarioError(
                    f"{where}: every = {every:g}. The interval between visits must be above 0."
                )
            store(self, every=every)
        for name in ("start", "until"):
            given = getattr(self, name)
            if given is not None:
                store(self, **{name: _one(where, name, given)})
        if self.at is not None:
            times = series(where, "at", self.at)
            if isinstance(times, np.ndarray):
                raise ScenarioError(
                    f"{where}: at is an array; the visits are the same for all patients. Give a "
                    f"list of times."
                )
            visits = (times,) if isinstance(times, float) else tuple(times)
            if any(b <= a for a, b in itertools.pairwise(visits)):
                raise ScenarioError(f"{where}: at: the visits must ascend, each once.")
            store(self, at=visits)
        if self.at is not None and (self.every, self.start, self.until) != (None, None, None):
            raise ScenarioError(
                f"{where}: at lists all visits, so every, start and until contradict it. Give one "
                f"or the other."
            )

    def _check_watched(self, where: str) -> None:
        if self.when is None:
            raise ScenarioError(
                f"{where}: it has neither a condition nor visits, so it would never act. Give "
                f"when and a threshold, or every, or at."
            )
        wrong = {
            "consecutive": self.consecutive > 1,
            "spacing": self.spacing > 0.0,
            "after": self.after is not None,
            "unless_running": self.unless_running,
            "while_running": self.while_running is not None,
            "unless": self.unless is not None,
            "assay": self.assay is not None,
            "start": self.start is not None,
            "until": self.until is not None,
        }
        for name, given in wrong.items():
            if given:
                raise ScenarioError(
                    f"{where}: {name} is for rules that look at visits, and this one is watched "
                    f"all the time. Give the interval between visits: every."
                )

    @property
    def has_visits(self) -> bool:
        """Whether the rule looks at visits only."""
        return self.every is not None or self.at is not None

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is done, as a tuple."""
        return self.do  # type: ignore[return-value]

    def most_firings(self, n_visits: int) -> int:
        """How often the rule can fire, if it has so many visits."""
        if self.limit is None:
            return n_visits if self.has_visits else UNLIMITED
        return int(self.limit)

    @property
    def eligibility(self) -> tuple[Baseline, ...]:
        """What patients must have been like at the start, as a tuple."""
        return self.for_whom  # type: ignore[return-value]

    @property
    def needs_baseline(self) -> bool:
        """Whether the rule depends on what a patient was like at the start."""
        return self.fold_of_baseline is not None or bool(self.for_whom)

    @property
    def excluded_by(self) -> tuple[str, ...]:
        """Rules of which nothing may run, as a tuple."""
        return () if self.unless is None else tuple(self.unless)

    def thresholds(self, baseline: Mapping[str, FloatArray]) -> PerPatient:
        """Where the condition begins to hold, whichever way it is crossed.

        Parameters
        ----------
        baseline : mapping of str to float64 array, shape (n_patients,)
            Outputs at the start of the simulation, of those that the rule compares with.

        Returns
        -------
        float or float64 array, shape (n_patients,)
            Infinitely far for whom the rule is not about; zero without a condition.
        """
        if self.when is None:
            return 0.0
        upwards = self.above is not None
        level = self.above if upwards else self.below
        never = np.inf if upwards else -np.inf
        limit = np.asarray(level)
        if self.fold_of_baseline is not None:
            own = baseline[self.when]
            if self.assay is not None:
                own = np.where(own >= self.assay.detection_limit, own, 0.0)
            further = np.maximum if upwards else np.minimum
            limit = further(limit, self.fold_of_baseline * own)
        if self.strict:
            limit = np.nextafter(limit, never)
        for who in self.eligibility:
            limit = np.where(who.holds(baseline[who.of]), limit, never)
        return float(limit) if limit.ndim == 0 else limit


@dataclass(frozen=True, eq=False)
class Hazard(Item):
    """An event that comes by chance: resistance, relapse, the end of patience, death.

    The event happens when the integral of the hazard reaches a number that is drawn for the patient
    from the exponential distribution with mean 1: then the probability of no event until t is
    exp(-integral), whatever the hazard's course.

    Parameters
    ----------
    rate : float, array or str
        Hazard per time unit: a number, one number a patient, or an observable or state whose unit
        is 1 over the time unit.
    do : sequence of Dose, Infusion, Window, Reset, Discontinue, SetState or SetParameter
        What happens then. Times in it count from the event.
    scale : float or array
        Factor on the rate.
    delay : float or array
        Time from the event to what is done.
    """

    rate: PerPatient | str
    do: Action | Sequence[Action] = ()
    scale: PerPatient = 1.0
    delay: PerPatient = 0.0

    def __post_init__(self) -> None:
        where = f"Hazard {self.rate!r}" if isinstance(self.rate, str) else "Hazard"
        if isinstance(self.rate, str):
            check_name("Hazard", "rate", self.rate)
        else:
            store(self, rate=number(where, "rate", self.rate, at_least=0.0))
        store(self, do=_actions(where, self.do))
        store(self, scale=number(where, "scale", self.scale, at_least=0.0))
        store(self, delay=number(where, "delay", self.delay, at_least=0.0))

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is done, as a tuple."""
        return self.do  # type: ignore[return-value]


def _check_condition(where: str, rule: Rule) -> None:
    given = [name for name in ("above", "below") if getattr(rule, name) is not None]
    if rule.when is None:
        if given:
            raise ScenarioError(f"{where}: {given[0]} is a threshold of nothing. Give when.")
        return
    check_name(where, "when", rule.when)
    if len(given) != 1:
        words = "both above and below" if given else "neither above nor below"
        raise ScenarioError(f"{where}: {words}. Give one threshold.")
    store(rule, **{given[0]: number(where, given[0], getattr(rule, given[0]))})


def _check_baseline(where: str, rule: Rule) -> None:
    """Check and store what refers to the patient's own baseline."""
    if not isinstance(rule.strict, bool):
        raise ScenarioError(f"{where}: strict = {rule.strict!r}. Give true or false.")
    given: object = rule.for_whom
    who = (given,) if isinstance(given, Baseline) else given
    if not isinstance(who, list | tuple) or not all(isinstance(each, Baseline) for each in who):
        raise ScenarioError(
            f"{where}: for_whom = {shown(given)}. Give Baseline(...), or a list of them."
        )
    store(rule, for_whom=tuple(who))
    if rule.when is None:
        given_of = {
            "fold_of_baseline": rule.fold_of_baseline is not None,
            "strict": rule.strict,
            "for_whom": bool(rule.for_whom),
        }
        for name, is_given in given_of.items():
            if is_given:
                raise ScenarioError(
                    f"{where}: {name} belongs to a condition, and there is none. Give when and a "
                    f"threshold."
                )
    if rule.fold_of_baseline is not None:
        fold = number(where, "fold_of_baseline", rule.fold_of_baseline, at_least=0.0)
        store(rule, fold_of_baseline=fold)


def _actions(where: str, do: object) -> tuple[Action, ...]:
    given = (do,) if isinstance(do, ACTIONS) else do
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ScenarioError(f"{where}: do = {do!r}. Give an action, or a list of actions.")
    for position, action in enumerate(given):
        if not isinstance(action, ACTIONS):
            names = ", ".join(kind.__name__ for kind in ACTIONS)
            raise ScenarioError(f"{where}: do[{position}] is {action!r}. Give one of {names}.")
    return tuple(given)


def _one(where: str, name: str, value: object, *, at_least: float = -np.inf) -> float:
    plain = number(where, name, value, at_least=at_least)
    if isinstance(plain, np.ndarray):
        raise ScenarioError(f"{where}: {name} is an array. Give one number for all patients.")
    return plain

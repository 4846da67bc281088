"""Rules and hazards as the engine sees them, and the programs that they set off."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import Action, CourseKind, Rules, Stops
from carsim.streams import key, uniforms
from carsim.therapy.baselines import outputs_at_start
from carsim.therapy.building import Builder
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import Administration, administration, window_times
from carsim.therapy.rules import Assay, Discontinue, Hazard, Rule, SetParameter, SetState
from carsim.therapy.timeline import Actions, Order, to_stops
from carsim.therapy.values import FloatArray, Item, columns
from carsim.therapy.visits import visits_of
from carsim.therapy.windows import Reset, Window

AS_A_RULE = Rule(when="hazard", above=0.0)
"""What a hazard is to the engine: a rule, watched, on the integral of the hazard."""


def compile_rules(builder: Builder, scheduled: Stops) -> Rules:
    """Turn rules and hazards into what the engine walks through.

    Parameters
    ----------
    builder : Builder
        What the scheduled items have been put into already.
    scheduled : Stops
        What they do, of which that at the start belongs to the baseline.
    """
    n_patients = len(builder.people)
    if not builder.rules:
        return Rules.none(n_patients)
    items = [builder.therapy[name] for name in builder.rules]
    rules = [item if isinstance(item, Rule) else AS_A_RULE for item in items]
    assays = [rule.assay or Assay() for rule in rules]
    last = float(np.max(builder.stop))
    visits = [visits_of(rule, builder.start, last) for rule in rules]
    compared = [rule for rule in rules if rule.needs_baseline]
    baseline = outputs_at_start(builder, scheduled, _compared_with(compared)) if compared else {}
    thresholds = np.empty((n_patients, len(items)))
    for column, (name, item) in enumerate(zip(builder.rules, items, strict=True)):
        if isinstance(item, Hazard):
            thresholds[:, column] = _due(builder, name, item)
        else:
            thresholds[:, column] = rules[column].thresholds(baseline)
    watched = [not rule.has_visits for rule in rules]

    def number_of(name: str | None) -> int:
        return -1 if name is None else builder.rules.index(name)

    return Rules(
        source=_integers(_source(builder, item) for item in items),
        direction=_integers(-1 if rule.above is None else 1 for rule in rules),
        watched=_integers(watched),
        limit=_integers(
            rule.most_firings(len(times)) for rule, times in zip(rules, visits, strict=True)
        ),
        consecutive=_integers(rule.consecutive for rule in rules),
        after=_integers(number_of(rule.after) for rule in rules),
        wait=np.array([rule.wait for rule in rules]),
        spacing=np.array([rule.spacing for rule in rules]),
        idle=_integers(rule.unless_running for rule in rules),
        during=_integers(number_of(rule.while_running) for rule in rules),
        unless=_excluded(builder, rules),
        visits=_integers(np.cumsum([0, *(len(times) for times in visits)])),
        visit_time=np.concatenate(visits),
        detection=np.array([assay.detection_limit for assay in assays]),
        log_sd=np.array([assay.log_sd for assay in assays]),
        sd=np.array([assay.sd for assay in assays]),
        stream=_integers(key(builder.people.seed, f"{name}:assay") for name in builder.rules),
        threshold=thresholds,
        actions=_programs(builder, items),
    )


def _compared_with(rules: Sequence[Rule]) -> list[str]:
    """Outputs whose baselines rules need."""
    own = [rule.when for rule in rules if rule.when is not None]
    return list(dict.fromkeys([*own, *(who.of for rule in rules for who in rule.eligibility)]))


def _excluded(builder: Builder, rules: Sequence[Rule]) -> NDArray[np.int64]:
    """1 where a rule, by row, must not act while another, by column, goes on."""
    table = np.zeros((len(rules), len(rules)), dtype=np.int64)
    for row, rule in enumerate(rules):
        for name in rule.excluded_by:
            table[row, builder.rules.index(name)] = 1
    return table


def _source(builder: Builder, item: Item) -> int:
    if isinstance(item, Hazard):
        rate = item.rate if isinstance(item.rate, str) else ""
        return builder.sources.integral_state(rate)
    assert isinstance(item, Rule)
    return -1 if item.when is None else builder.sources.column(item.when)


def _due(builder: Builder, name: str, hazard: Hazard) -> FloatArray:
    """Integral of the hazard, without the factors, at which each patient's event happens."""
    drawn = -np.log(uniforms(builder.people.seed, f"{name}:hazard", builder.people.numbers))
    factor = hazard.scale if isinstance(hazard.rate, str) else hazard.rate * hazard.scale
    factor = np.broadcast_to(np.asarray(factor, dtype=np.float64), drawn.shape)
    never = np.full(drawn.shape, np.inf)
    with np.errstate(over="ignore"):  # a hazard next to nothing: never
        due: FloatArray = np.divide(drawn, factor, out=never, where=factor > 0)
    return due


def _programs(builder: Builder, items: Sequence[Item]) -> Stops:
    """What each rule does, in time since its firing."""
    programs = [
        _program(builder, name, item) for name, item in zip(builder.rules, items, strict=True)
    ]
    if all(program.n_owners == 1 for program in programs):
        return Stops.joined(programs)
    n_patients = len(builder.people)
    whole = [
        program if program.n_owners > 1 else Stops.joined([program] * n_patients)
        for program in programs
    ]
    return _by_patient(whole)


def _program(builder: Builder, name: str, item: Item) -> Stops:
    assert isinstance(item, Rule | Hazard)
    owner = builder.number[name]
    builder.slots = 0
    horizon = builder.stop - builder.start
    after = builder.history.after_firing()
    actions: list[Actions] = []
    now = np.zeros((1, 1))
    for part in item.actions:
        if isinstance(part, Dose | Infusion):
            given = administration(name, part, after, horizon)
            actions += _entering_later(builder, name, part, given)
        elif isinstance(part, Window):
            actions += _window_later(builder, name, part, horizon)
        elif isinstance(part, Reset):
            at = columns(part.at) if part.at is not None else now
            everything = (*builder.scheduled, *builder.rules)
            actions += builder.emptied(part, at, owner)
            actions += builder.ended(part, at, owner, everything)
        elif isinstance(part, Discontinue):
            index = builder.number[part.item]
            actions.append(Actions(Order.DISCONTINUE, Action.DISCONTINUE, index, now, now, owner))
        elif isinstance(part, SetParameter):
            index = builder.model.parameter_index[part.parameter]
            value = columns(part.value)
            actions.append(Actions(Order.PARAMETER, Action.SET_PARAMETER, index, now, value, owner))
        elif isinstance(part, SetState):
            index = builder.model.state_index[part.state]
            value = columns(part.value)
            actions.append(Actions(Order.STATE, Action.SET_STATE, index, now, value, owner))
    delay = columns(item.delay)
    if delay.any():
        actions = [dataclasses.replace(a, time=a.time + delay) for a in actions]
    return to_stops(actions, len(builder.people))


def _entering_later(
    builder: Builder, name: str, item: Dose | Infusion, given: Administration
) -> list[Actions]:
    """Doses and infusions of a rule: each firing adds its own to what runs."""
    latest = np.maximum(np.abs(builder.stop), abs(builder.start))
    if isinstance(item, Dose) or any(entry.reading is not None for entry in given.entries):
        return builder.entering(name, item, given, counted=True, latest=latest)
    given, sudden = given.at_once(latest)
    actions: list[Actions] = []
    if np.isfinite(sudden.enters).any():
        # Within an instant, wherever in the run the rule fires.
        actions += builder.entering_as(name, item, sudden, counted=True, sudden=True)
    counted = 1
    for state, fraction, _ in given.entries:
        for column in range(given.level.shape[1]):
            part = slice(column, None, given.level.shape[1])
            level = given.level[:, column : column + 1] * fraction
            course = builder.course(CourseKind.INPUT, state, name, level)
            actions += _shifts(
                builder,
                *(Order.INFUSION, course, name),
                *(given.enters[:, part], given.ends[:, part], counted),
            )
        counted = 0
    return actions


def _window_later(
    builder: Builder, name: str, window: Window, horizon: FloatArray
) -> list[Actions]:
    begins, ends = window_times(f"therapy.{name}", window, 0.0, horizon)
    if window.scale is not None:
        idle = columns(window.scale) == 1.0
        begins, ends = np.where(idle, np.inf, begins), np.where(idle, np.inf, ends)
    parameter = builder.model.parameter_index[window.parameter]
    kind = CourseKind.FACTOR if window.value is None else CourseKind.VALUE
    given = window.scale if window.value is None else window.value
    assert given is not None
    course = builder.course(kind, parameter, name, columns(given))
    return _shifts(builder, Order.WINDOW, course, name, begins, ends, 0)


def _shifts(
    builder: Builder,
    order: Order,
    course: int,
    name: str,
    begins: FloatArray,
    ends: FloatArray,
    counted: int,
) -> list[Actions]:
    item = builder.number[name]
    one, none = np.full((1, 1), counted, dtype=np.int64), np.zeros((1, 1), dtype=np.int64)
    more, less = np.ones((1, 1)), -np.ones((1, 1))
    return [
        # What ends at an instant ends before what begins then.
        Actions(order, Action.ADD_RUNNING, course, ends, less, item, none),
        Actions(order, Action.ADD_RUNNING, course, begins, more, item, one),
    ]


def _by_patient(programs: Sequence[Stops]) -> Stops:
    """Owners of several tables side by side: all of the first patient, all of the second, ..."""
    joined = Stops.joined(programs)
    n_rules, n_patients = len(programs), programs[0].n_owners
    lengths = np.diff(joined.offsets)
    rows = np.arange(n_rules * n_patients).reshape(n_rules, n_patients).T.ravel()
    offsets = np.concatenate([[0], np.cumsum(lengths[rows])]).astype(np.int64)
    moved = joined.offsets[rows] - offsets[:-1]
    order = np.arange(offsets[-1]) + np.repeat(moved, lengths[rows])
    names = ["time", "kind", "index", "value", "item", "counted"]
    if joined.factor.size:
        names.append("factor")
    return Stops(offsets, *(getattr(joined, name)[order] for name in names))


def _integers(values: object) -> NDArray[np.int64]:
    return np.array(list(values), dtype=np.int64)  # type: ignore[call-overload]

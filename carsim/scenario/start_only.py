"""Changes of parameters that only the start reads: they would have no effect, and are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ModelError, ScenarioError
from carsim.model import Model
from carsim.symbolic.sensitivity import start_derivatives
from carsim.symbolic.trace import trace
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.history import fraction_reads, fractions_of, named_settings
from carsim.therapy.rules import Hazard, Rule, SetParameter
from carsim.therapy.values import Item
from carsim.therapy.windows import Covariate, Window

NUDGES = (1.1, 0.5)
"""Factors on a parameter that show what follows from it."""
STEPS = (0.01, 1.0)
"""Added to it, as a factor shows nothing of zero."""
MOVED = 1e-9
"""Relative change above which something follows."""
MOST_NAMED = 6


def check_read_later(model: Model, items: Mapping[str, Item]) -> None:
    """Refuse windows, covariates and rules on a parameter that nothing reads after the start.

    Parameters
    ----------
    model : Model
        Model that is treated.
    items : mapping of str to items
        Therapy, its bundles taken apart.

    Raises
    ------
    ScenarioError
        With what follows from the parameter at the start, and what can be done instead.
    """
    changes = list(_changes(items))
    if not changes:
        return
    read = read_by_equations(model) | read_by_doses(model, items)
    for where, change, parameter in changes:
        if parameter not in read:
            raise ScenarioError(f"{where}: {_words(model, change, parameter)}")


def _changes(items: Mapping[str, Item]) -> Iterator[tuple[str, Item, str]]:
    """Every change of a parameter in a therapy, with where it stands."""
    for name, item in items.items():
        if isinstance(item, Window | Covariate):
            yield f"therapy.{name}", item, item.parameter
        elif isinstance(item, Rule | Hazard):
            for position, action in enumerate(item.actions):
                if isinstance(action, Window | SetParameter):
                    yield f"therapy.{name}.do[{position}]", action, action.parameter


@lru_cache(maxsize=64)
def read_by_equations(model: Model) -> frozenset[str]:
    """Parameters that derivatives and observables read; all if the model cannot be traced."""
    try:
        traced = trace(model)
    except ModelError:
        # Said with the place in the equations when the model is compiled.
        return frozenset(model.parameter_names)
    read: set[int] = set()
    for node in (*traced.derivatives, *traced.observables):
        read |= traced.graph.depends_on(node)
    pairs = zip(model.parameter_names, traced.parameters, strict=True)
    return frozenset(name for name, symbol in pairs if symbol.index in read)


def read_by_doses(model: Model, items: Mapping[str, Item]) -> frozenset[str]:
    """Parameters that the doses and infusions of a therapy read at their records."""
    read: set[str] = set()
    for item in items.values():
        for part in item.actions if isinstance(item, Rule | Hazard) else (item,):
            if isinstance(part, Dose | Infusion):
                read.update(named_settings(part))
                for state in fractions_of(model, part.into):
                    read |= fraction_reads(model, part.into, state)
    return frozenset(read)


def _words(model: Model, change: Item, parameter: str) -> str:
    """Say why a change has no effect, and what has one."""
    kind = type(change).__name__
    computed, states = _following(model, parameter)
    follows = [f"{name} ({model.words_of(name)})" for name in computed]
    follows += [f"the start of {name}" for name in states]
    routes = [
        name
        for name, route in model.routes.items()
        if any(parameter in fraction_reads(model, name, state) for state in route.fractions)
    ]
    reason = f"{parameter} is read only when a patient starts"
    if routes:
        also = " and" if follows else f"{parameter} is read only"
        reason = (reason if follows else "") + (
            f"{also} by doses into {_listed(routes)}, of which this therapy has none"
        )
    elif not follows:
        reason = f"nothing in model {model.name!r} reads {parameter} after the start"
    text = f"{reason}, so this {kind} would have no effect."
    if follows:
        verb = "follow" if len(follows) > 1 else "follows"
        text += f" From {parameter} {verb}: {_listed(follows)}."
    advice = f"Give {parameter} in parameters, for the whole run, or "
    if computed:
        text += f" {advice}let the equations use {parameter} in place of {_listed(computed)}."
    elif routes and not follows:
        text += f" Give such a dose, or leave the {kind} out."
    else:
        text += f" {advice}act on a parameter that the equations read."
    return text


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    shown = ", ".join(names[:MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def _following(model: Model, parameter: str) -> tuple[list[str], list[str]]:
    """Computed parameters, and states whose start follows from a parameter."""
    own = model.parameter_values()
    start, whole = model.initial_state(own)
    column = model.parameter_index[parameter]
    field = model.parameters[column]
    moves_states = np.zeros(len(model.states), dtype=np.bool_)
    moves_computed = np.zeros(len(model.parameters), dtype=np.bool_)
    exact = start_derivatives(model, whole[0])
    if exact is not None:
        moves_states |= exact.states[column] != 0.0
        moves_computed |= exact.computed[column] != 0.0
    # A derivative may be zero here, and not elsewhere.
    value = own[0, column]
    for nudged_to in (*(factor * value for factor in NUDGES), *(value + step for step in STEPS)):
        nudged = own.copy()
        nudged[0, column] = np.clip(nudged_to, field.lower, field.upper)
        other_start, other = model.initial_state(nudged)
        moves_states |= _moved(other_start[0], start[0])
        moves_computed |= _moved(other[0], whole[0])
    computed = [
        name
        for name, moves in zip(model.parameter_names, moves_computed, strict=True)
        if moves and name != parameter
    ]
    states = [name for name, moves in zip(model.state_names, moves_states, strict=True) if moves]
    return computed, states


def _moved(value: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        same = np.abs(value - before) <= MOVED * np.maximum(np.abs(value), np.abs(before))
    return np.asarray(~same & ~(np.isnan(value) & np.isnan(before)))

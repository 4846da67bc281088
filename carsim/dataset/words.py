"""What a rule does, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from carsim.therapy import (
    Discontinue,
    Dose,
    Hazard,
    Infusion,
    Item,
    Reset,
    Rule,
    SetParameter,
    SetState,
    Window,
)

if TYPE_CHECKING:
    from carsim.model import Model


def gives(item: Item) -> bool:
    """Whether an item gives doses or infusions.

    Parameters
    ----------
    item : Item
        An item of a therapy; a rule or hazard gives what its actions give.
    """
    parts = item.actions if isinstance(item, Rule | Hazard) else (item,)
    return any(isinstance(part, Dose | Infusion) for part in parts)


def words_of_actions(item: Item, model: Model) -> str:
    """Say what a rule or hazard does; "note" if it does nothing.

    Parameters
    ----------
    item : Rule or Hazard
        The item.
    model : Model
        Model that is treated, for units.
    """
    assert isinstance(item, Rule | Hazard)
    return "; ".join(_words(action, model) for action in item.actions) or "note"


def _words(action: Item, model: Model) -> str:
    if isinstance(action, Dose):
        often = "" if action.every is None else f" every {_times(action.every, model.time_unit)}"
        return f"give {_amount(action.amount, action.into, model)}{often}"
    if isinstance(action, Infusion):
        if action.rate is not None:
            return f"infuse {_amount(action.rate, action.into, model, f'/{model.time_unit}')}"
        return f"infuse {_amount(action.amount, action.into, model)}"
    if isinstance(action, Window):
        if action.value is None:
            return f"multiply {action.parameter} by {_number(action.scale)}"
        return f"hold {action.parameter} at {_number(action.value)}"
    if isinstance(action, Discontinue):
        return f"discontinue {action.item}"
    if isinstance(action, SetParameter):
        return f"set {action.parameter} to {_number(action.value)}"
    if isinstance(action, SetState):
        return f"set {action.state} to {_number(action.value)}"
    assert isinstance(action, Reset)
    return f"reset {', '.join(action.states) or 'all states'}"


def _amount(value: object, into: str, model: Model, per: str = "") -> str:
    """An amount, or a rate of `per`, with its unit if it has one, and what is given."""
    unit = model.dose_unit(into)
    unit = "" if unit == "1" and not per else f"{unit}{per}"
    return " ".join(filter(None, (_number(value), unit, into)))


def _times(value: object, unit: str) -> str:
    number = _number(value)
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


def _number(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray) or (isinstance(value, tuple) and len(value) > 1):
        low, high = float(np.min(value)), float(np.max(value))
        return f"{low:g} to {high:g}"
    return f"{float(value[0] if isinstance(value, tuple) else value):g}"  # type: ignore[arg-type]

"""Where items lead: the states that doses reach through routes, and that resets empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import recorded, repeats
from carsim.therapy.history import History, readings_of
from carsim.therapy.rules import Hazard, Rule
from carsim.therapy.values import FloatArray, Item, columns
from carsim.therapy.windows import Covariate, Reset, Window

if TYPE_CHECKING:
    from carsim.model import Model


def given_into(item: Item, history: History) -> set[int]:
    """Columns of the states that an item gives into, or a rule.

    Parameters
    ----------
    item : Item
        Item of the therapy.
    history : History
        Who is treated, with their parameters.
    """
    parts: Sequence[Item] = (item,)
    known = history
    if isinstance(item, Rule | Hazard):
        parts, known = item.actions, history.after_firing()
    return {
        entry.state
        for part in parts
        if isinstance(part, Dose | Infusion)
        for entry in known.entries(part, recorded(part))
    }


def states_of(model: Model, reset: Reset) -> set[int]:
    """Columns of the states that a reset empties."""
    if not reset.states:
        return set(range(len(model.states)))
    return {model.state_index[name] for name in reset.states}


def most_actions(model: Model, therapy: Mapping[str, Item], stop: float | FloatArray) -> int:
    """Upper bound of the actions of one patient, for planning memory.

    Parameters
    ----------
    model : Model
        Model that is treated.
    therapy : mapping of str to items
        Items by name, bundles taken apart.
    stop : float or float64 array, shape (n_patients,)
        Stop of the simulation.
    """
    most = 0
    reads = bool(readings_of(model, therapy))
    for name, item in therapy.items():
        parts = item.actions if isinstance(item, Rule | Hazard) else (item,)
        for part in parts:
            if isinstance(part, Dose | Infusion):
                reached = len(model.routes[part.into].fractions) if part.into in model.routes else 1
                each = reached * (1 if isinstance(part, Dose) else 2)
                most += each * _most_times(name, part, stop)
                if reads:
                    most += reached * recorded(part).shape[1]
            elif isinstance(part, Window):
                most += 2 * _most_times(name, part, stop)
            elif isinstance(part, Covariate):
                most += columns(part.at).shape[1]
            elif isinstance(part, Reset):
                most += len(model.states)
    return most


def _most_times(name: str, item: Dose | Infusion | Window, stop: float | FloatArray) -> int:
    """Times at which an item is given to the patient who gets it most often, or more."""
    number = repeats(f"therapy.{name}", item, columns(stop))
    return int(number.sum(axis=1).max(initial=0))

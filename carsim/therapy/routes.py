"""Where items lead: the states that doses reach through routes, and that resets empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import narrow, repeats
from carsim.therapy.rules import Hazard, Rule
from carsim.therapy.values import FloatArray, Item, columns
from carsim.therapy.windows import Covariate, Reset, Window

if TYPE_CHECKING:
    from carsim.model import Model


def routed(model: Model, into: str, parameters: FloatArray) -> list[tuple[int, FloatArray]]:
    """States that a route leads to, with the state units per unit of dose.

    Parameters
    ----------
    model : Model
        Model that is treated.
    into : str
        Route, or state.
    parameters : float64 array, shape (n_patients, n_parameters)
        Parameters of every patient.

    Returns
    -------
    list of (int, float64 array of shape (1 or n_patients, 1))
        States with a fraction of zero for everybody are left out.
    """
    if into not in model.routes:
        return [(model.state_index[into], np.ones((1, 1)))]
    pairs = []
    for state, given in model.routes[into].fractions.items():
        if callable(given):
            record = model.parameter_record(list(parameters.T))
            fraction = np.asarray(given(record), dtype=np.float64)
            fraction = narrow(np.broadcast_to(fraction, (len(parameters),)))
        else:
            fraction = np.full((1, 1), float(given))
        if fraction.any():
            pairs.append((model.state_index[state], fraction))
    return pairs


def given_into(model: Model, item: Item, parameters: FloatArray) -> set[int]:
    """Columns of the states that an item gives into, or a rule.

    Parameters
    ----------
    model : Model
        Model that is treated.
    item : Item
        Item of the therapy.
    parameters : float64 array, shape (n_patients, n_parameters)
        Parameters of every patient.
    """
    parts = item.actions if isinstance(item, Rule | Hazard) else (item,)
    return {
        state
        for part in parts
        if isinstance(part, Dose | Infusion)
        for state, _ in routed(model, part.into, parameters)
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
    for name, item in therapy.items():
        parts = item.actions if isinstance(item, Rule | Hazard) else (item,)
        for part in parts:
            if isinstance(part, Dose | Infusion):
                reached = len(model.routes[part.into].fractions) if part.into in model.routes else 1
                each = reached * (1 if isinstance(part, Dose) else 2)
                most += each * _most_times(name, part, stop)
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

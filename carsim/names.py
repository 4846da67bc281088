"""Names that a result uses itself, and which others may therefore not take."""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping
from types import MappingProxyType

RESULT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "time": "the times of the saved courses",
        "patient": "the numbers of the patients",
        "id": "the labels of the patients",
        "point": "the points of a design",
        "event": "the lines of the event log",
        "item": "the items of the therapy",
        "status": "how the integration ended",
        "n_steps": "the accepted steps",
        "n_rejected": "the rejected steps",
        "final_time": "the time that was reached",
        "simulation_stop": "each patient's own stop",
        "doses_given": "the doses given",
        "event_patient": "the patients of the event log",
        "event_time": "the times of the event log",
        "event_name": "the names of the event log",
        "event_action": "the actions of the event log",
        "event_value": "the values of the event log",
        "carsim": "the records of a store",
        "figures": "the figures of a store",
    }
)
"""Names of dimensions, variables and folders that every result may have, and what they hold."""


def free_name(name: str, taken: Container[str]) -> str:
    """Name nearest to one that is taken: with the first number behind it that makes it free.

    Parameters
    ----------
    name : str
        The name that is taken.
    taken : container of str
        All names that are.

    Examples
    --------
    >>> free_name("final_time", RESULT_NAMES)
    'final_time_2'
    """
    return next(
        found for k in itertools.count(2) for found in [f"{name}_{k}"] if found not in taken
    )

"""Checks that strategies share; the items they are made of check the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from carsim.errors import ScenarioError, did_you_mean
from carsim.therapy.rules import MOST_VISITS
from carsim.therapy.values import PerPatient, check_name, number, store

MONTH = 365.25 / 12
"""Days in a month."""

HOUR = 1 / 24
"""Days in an hour."""


def check_names(where: str, item: object, *fields: str) -> None:
    """Refuse fields that cannot be names of routes, observables or parameters.

    Parameters
    ----------
    where : str
        Strategy, for messages.
    item : object
        The strategy.
    *fields : str
        Its fields.
    """
    for field in fields:
        check_name(where, field, getattr(item, field))


def check_numbers(where: str, item: object, *fields: str, at_least: float = 0.0) -> None:
    """Check and store fields that are numbers or one number a patient, unless they are None."""
    for field in fields:
        given = getattr(item, field)
        if given is not None:
            store(item, **{field: number(where, field, given, at_least=at_least)})


def check_plain(
    where: str,
    item: object,
    *fields: str,
    at_least: float = -math.inf,
    above: float = -math.inf,
) -> None:
    """Check and store fields that are one number for all patients, unless they are None."""
    for field in fields:
        given = getattr(item, field)
        if given is None:
            continue
        value = number(where, field, given, at_least=at_least)
        if isinstance(value, np.ndarray):
            raise ScenarioError(f"{where}: {field} is an array. Give one number for all patients.")
        if value <= above:
            raise ScenarioError(f"{where}: {field} = {value:g}. It must be above {above:g}.")
        store(item, **{field: value})


def visits_within(where: str, item: object, interval: str, span: float) -> int:
    """Visits from a first one on until a span has passed; refused if nobody can mean so many.

    Parameters
    ----------
    where : str
        Strategy, for messages.
    item : object
        The strategy.
    interval : str
        Its field with the interval between visits, day.
    span : float
        How long, day.
    """
    every: float = getattr(item, interval)
    later = span / every * (1.0 - 1e-9)
    if later > MOST_VISITS:
        raise ScenarioError(
            f"{where}: {interval} = {every:g} makes {later:.3g} visits in {span:g} days, more than "
            f"{MOST_VISITS:,}. Visit less often."
        )
    return 1 + math.ceil(later)


def check_share(where: str, item: object, field: str) -> None:
    """Check and store a field between 0 and 1."""
    check_numbers(where, item, field)
    most = float(np.max(getattr(item, field)))
    if most > 1.0:
        raise ScenarioError(f"{where}: {field} = {most:g} is above 1. Give a share, 0 to 1.")


def check_flag(where: str, item: object, *fields: str) -> None:
    """Refuse fields that are not true or false."""
    for field in fields:
        given = getattr(item, field)
        if not isinstance(given, bool):
            raise ScenarioError(f"{where}: {field} = {given!r}. Give true or false.")


def check_choice(where: str, item: object, field: str, choices: Iterable[str]) -> None:
    """Refuse a field that is none of some words."""
    given, known = getattr(item, field), list(choices)
    if given not in known:
        words = ", ".join(repr(word) for word in known)
        raise ScenarioError(
            f"{where}: {field} = {given!r}. Give one of {words}." + did_you_mean(str(given), known)
        )


def plain(where: str, field: str, value: PerPatient | None) -> float | None:
    """Return a number from which visits count; visits are the same for all patients."""
    if isinstance(value, np.ndarray):
        raise ScenarioError(
            f"{where}: {field} is an array, but visits count from it, and they are the same for "
            f"all patients. Give one number."
        )
    return value

"""Items that belong together under one name: regimens, and named strategies built on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carsim.errors import ScenarioError, unknown
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.rules import Action, Discontinue, Hazard, Rule
from carsim.therapy.values import Item, PerPatient, number, shown, store
from carsim.therapy.windows import Covariate, Reset, Window

SINGLE = (Dose, Infusion, Window, Covariate, Reset, Rule, Hazard)
"""Items that stand for themselves."""


@dataclass(frozen=True, eq=False)
class Bundle(Item):
    """Items under one name; in results and for other items they are called ``name.part``."""

    def parts(self) -> Mapping[str, Item]:
        """Items by their names inside the bundle; rules name each other by these."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Regimen(Bundle):
    """Doses, infusions, windows and rules that belong together.

    Parameters
    ----------
    items : mapping of str to items
        Items by names of your choice. Rules and `Discontinue` name each other by these.
    at : float, model time unit
        What is added to all times of the items.
    scale : float or array
        Factor on all amounts and rates.

    Examples
    --------
    >>> conditioning = Dose("lymphodepletion", 1.0, at=(-5, -4, -3))
    >>> first = Regimen({"conditioning": conditioning, "cells": Dose("car_t", 1e8, at=0)})
    >>> second = dataclasses.replace(first, at=120.0)
    >>> second.parts()["cells"].at
    120.0
    """

    items: Mapping[str, Item]
    at: float = 0.0
    scale: PerPatient = 1.0

    def __post_init__(self) -> None:
        given: object = self.items
        if not isinstance(given, Mapping) or not given:
            raise ScenarioError(
                f"Regimen: items = {shown(given)}. Give a mapping of names to items."
            )
        for name, item in self.items.items():
            check_part_name("Regimen", name)
            if not isinstance(item, SINGLE):
                kinds = ", ".join(kind.__name__ for kind in SINGLE)
                raise ScenarioError(f"Regimen: items.{name} is {shown(item)}. Give one of {kinds}.")
        store(self, items=dict(self.items))
        at = number("Regimen", "at", self.at)
        if isinstance(at, np.ndarray):
            raise ScenarioError("Regimen: at is an array. Give one number for all patients.")
        store(self, at=at)
        store(self, scale=number("Regimen", "scale", self.scale, at_least=0.0))

    def parts(self) -> Mapping[str, Item]:
        """Items, shifted and scaled."""
        return {name: shifted(scaled(i, self.scale), self.at) for name, i in self.items.items()}


@dataclass(frozen=True, eq=False)
class Choice(Bundle):
    """One of several strategies: what the arms of a comparison differ in.

    Parameters
    ----------
    options : mapping of str to items
        Strategies by label: items, regimens or other bundles.
    chosen : str
        Label of the one that is followed. An axis of a sweep over ``therapy.<name>.chosen``
        compares them.

    Examples
    --------
    >>> arms = {"none": Dose("iv", 0.0, at=0), "weekly": Dose("iv", 1.0, at=0, every=7)}
    >>> Choice(arms, "weekly").parts()["weekly"].every
    7.0
    """

    options: Mapping[str, Item]
    chosen: str

    def __post_init__(self) -> None:
        given: object = self.options
        if not isinstance(given, Mapping) or not given:
            raise ScenarioError(
                f"Choice: options = {shown(self.options)}. Give a mapping of labels to items."
            )
        for label, item in self.options.items():
            check_part_name("Choice", label)
            if not isinstance(item, (*SINGLE, Bundle)):
                raise ScenarioError(
                    f"Choice: options.{label} is {shown(item)}. Give an item, a regimen or a "
                    f"strategy."
                )
        store(self, options=dict(self.options))
        if self.chosen not in self.options:
            raise ScenarioError(
                "Choice: chosen: " + unknown("option", str(self.chosen), self.options, "the choice")
            )

    def parts(self) -> Mapping[str, Item]:
        """Return the parts of the chosen one; it is itself the part if it is a single item."""
        item = self.options[self.chosen]
        return item.parts() if isinstance(item, Bundle) else {self.chosen: item}


def check_part_name(where: str, name: object) -> None:
    """Names of items become parts of paths, so they have no dots."""
    if not isinstance(name, str) or not name or "." in name or name != name.strip():
        raise ScenarioError(
            f"{where}: {name!r} is not a usable name. Use letters, digits and underscores, "
            f"without dots."
        )


def shifted(item: Item, by: float) -> Item:
    """Move all times of an item.

    Parameters
    ----------
    item : Item
        What is moved; times of actions inside rules count from the firing and stay.
    by : float
        What is added, model time unit.
    """
    if by == 0.0:
        return item
    names = [n for n in ("at", "start", "stop", "until") if getattr(item, n, None) is not None]
    return dataclasses.replace(item, **{n: _plus(getattr(item, n), by) for n in names})


def scaled(item: Item, factor: PerPatient) -> Item:
    """Multiply all amounts and rates of an item, also of what a rule gives.

    Parameters
    ----------
    item : Item
        Dose, infusion, rule or hazard; others stay.
    factor : float or array
        Factor.
    """
    if isinstance(factor, float) and factor == 1.0:
        return item
    if isinstance(item, Rule | Hazard):
        do: Any = tuple(scaled(action, factor) for action in item.actions)
        return dataclasses.replace(item, do=do)
    if not isinstance(item, Dose | Infusion):
        return item
    names = ("amount",) if isinstance(item, Dose) else ("amount", "rate")
    given = {n: getattr(item, n) for n in names if getattr(item, n) is not None}
    for name, value in given.items():
        if isinstance(value, str):
            raise ScenarioError(
                f"Regimen: scale cannot multiply the {name} of {shown(item)}, which is the "
                f"parameter {value!r}. Scale the parameter."
            )
    return dataclasses.replace(item, **{n: _times(value, factor) for n, value in given.items()})


def flatten(therapy: Mapping[str, Item]) -> dict[str, Item]:
    """Take bundles apart.

    Parameters
    ----------
    therapy : mapping of str to items
        Items by name.

    Returns
    -------
    dict of str to items
        Parts of a bundle are called ``bundle.part``, and name each other so.
    """
    flat: dict[str, Item] = {}
    for name, item in therapy.items():
        if isinstance(item, Bundle):
            parts = item.parts()
            flat.update({f"{name}.{key}": _named(part, name, parts) for key, part in parts.items()})
        else:
            flat[name] = item
    return flat


def _named(item: Item, bundle: str, parts: Mapping[str, Item]) -> Item:
    """Write names of parts of the same bundle in full."""
    if not isinstance(item, Rule | Hazard):
        return item
    do: list[Action] = []
    for action in item.actions:
        if isinstance(action, Discontinue) and action.item in parts:
            do.append(Discontinue(f"{bundle}.{action.item}"))
        else:
            do.append(action)
    changes: dict[str, Any] = {"do": tuple(do)}
    if isinstance(item, Rule):
        for field in ("after", "while_running"):
            if getattr(item, field) in parts:
                changes[field] = f"{bundle}.{getattr(item, field)}"
        if item.excluded_by:
            changes["unless"] = tuple(
                f"{bundle}.{name}" if name in parts else name for name in item.excluded_by
            )
    return dataclasses.replace(item, **changes)


def _plus(value: Any, by: float) -> Any:
    return tuple(v + by for v in value) if isinstance(value, tuple) else value + by


def _times(value: Any, factor: PerPatient) -> Any:
    if isinstance(value, tuple):
        if isinstance(factor, np.ndarray):
            return np.multiply.outer(factor, np.array(value))
        return tuple(v * factor for v in value)
    if isinstance(value, np.ndarray) and value.ndim == 2 and isinstance(factor, np.ndarray):
        return value * factor[:, None]
    return value * factor

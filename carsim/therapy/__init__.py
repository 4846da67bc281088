"""What is done to a patient: doses, infusions, windows, covariates, rules, strategies."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from carsim.therapy.building import item_names
from carsim.therapy.check import check_lengths, check_scaled_windows, check_source, check_therapy
from carsim.therapy.compile import Compiled, compile_therapy
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import People
from carsim.therapy.regimens import Bundle, Choice, Regimen, flatten
from carsim.therapy.routes import most_actions
from carsim.therapy.rules import (
    Assay,
    Baseline,
    Discontinue,
    Hazard,
    Rule,
    SetParameter,
    SetState,
)
from carsim.therapy.sources import Sources
from carsim.therapy.strategies import STRATEGIES
from carsim.therapy.table import EventTable, read_events
from carsim.therapy.values import Item
from carsim.therapy.windows import Covariate, Reset, Window

__all__ = [
    "ACTIONS",
    "ITEMS",
    "STRATEGIES",
    "Assay",
    "Baseline",
    "Bundle",
    "Choice",
    "Compiled",
    "Covariate",
    "Discontinue",
    "Dose",
    "EventTable",
    "Hazard",
    "Infusion",
    "Item",
    "People",
    "Regimen",
    "Reset",
    "Rule",
    "SetParameter",
    "SetState",
    "Sources",
    "Window",
    "check_lengths",
    "check_scaled_windows",
    "check_source",
    "check_therapy",
    "compile_therapy",
    "flatten",
    "item_names",
    "most_actions",
    "read_events",
]

ITEMS: Mapping[str, type[Item]] = MappingProxyType(
    {
        "dose": Dose,
        "infusion": Infusion,
        "window": Window,
        "covariate": Covariate,
        "reset": Reset,
        "rule": Rule,
        "hazard": Hazard,
        "regimen": Regimen,
        "choice": Choice,
        **STRATEGIES,
    }
)
"""Therapy items by the name that config files use."""

ACTIONS: Mapping[str, type[Item]] = MappingProxyType(
    {
        "dose": Dose,
        "infusion": Infusion,
        "window": Window,
        "reset": Reset,
        "discontinue": Discontinue,
        "set_state": SetState,
        "set_parameter": SetParameter,
    }
)
"""What a rule does, by the name that config files use."""

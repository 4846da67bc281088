"""Named strategies: what a ward would do, as bundles of doses, infusions and rules.

Defaults are in the units of the flagship model (docs/flagship.md) and in days; names of routes,
observables and parameters are fields, so that other models can use them. Every docstring says which
numbers have a source; everything else is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from carsim.therapy.regimens import Bundle
from carsim.therapy.strategies.antivirals import (
    NoAntiviral,
    OnDemand,
    Preemptive,
    Prophylaxis,
)
from carsim.therapy.strategies.cells import (
    Lymphodepletion,
    Reinfusion,
    SalvageTherapy,
    SplitDose,
)
from carsim.therapy.strategies.cytokine_release import CytokineReleaseCare
from carsim.therapy.strategies.supportive import ImmunoglobulinReplacement, VaccineBoost

__all__ = [
    "STRATEGIES",
    "CytokineReleaseCare",
    "ImmunoglobulinReplacement",
    "Lymphodepletion",
    "NoAntiviral",
    "OnDemand",
    "Preemptive",
    "Prophylaxis",
    "Reinfusion",
    "SalvageTherapy",
    "SplitDose",
    "VaccineBoost",
]

STRATEGIES: Mapping[str, type[Bundle]] = MappingProxyType(
    {
        "no_antiviral": NoAntiviral,
        "prophylaxis": Prophylaxis,
        "preemptive": Preemptive,
        "on_demand": OnDemand,
        "cytokine_release_care": CytokineReleaseCare,
        "immunoglobulin_replacement": ImmunoglobulinReplacement,
        "vaccine_boost": VaccineBoost,
        "lymphodepletion": Lymphodepletion,
        "split_dose": SplitDose,
        "reinfusion": Reinfusion,
        "salvage_therapy": SalvageTherapy,
    }
)
"""Strategies by the name that config files use."""

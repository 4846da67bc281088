"""What is done to a patient: doses, infusions, windows of parameters, events."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from carsim.therapy.check import TherapyItem, check_lengths, check_therapy, source_index
from carsim.therapy.compile import check_scaled_windows, compile_therapy, most_actions
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.events import AddTo, Event, EventAction, SetParameter, SetState
from carsim.therapy.values import Item
from carsim.therapy.windows import Window

__all__ = [
    "ACTIONS",
    "ITEMS",
    "AddTo",
    "Dose",
    "Event",
    "EventAction",
    "Infusion",
    "Item",
    "SetParameter",
    "SetState",
    "TherapyItem",
    "Window",
    "check_lengths",
    "check_scaled_windows",
    "check_therapy",
    "compile_therapy",
    "most_actions",
    "source_index",
]

ITEMS: Mapping[str, type[TherapyItem]] = MappingProxyType(
    {"dose": Dose, "infusion": Infusion, "window": Window, "event": Event}
)
"""Therapy items by the name that config files use."""

ACTIONS: Mapping[str, type[EventAction]] = MappingProxyType(
    {"add_to": AddTo, "set_state": SetState, "set_parameter": SetParameter}
)
"""Actions of an event by the name that config files use."""

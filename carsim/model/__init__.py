"""Model files: records of states and parameters, the source of each number, the model itself."""

from __future__ import annotations

from carsim.model.declarations import Observable, Route, Variant, observable, route, variant
from carsim.model.fields import ParameterField, StateField, computed, parameter, state
from carsim.model.model import Model
from carsim.model.provenance import Assumed, Cited, Derived, Provenance
from carsim.model.records import Parameters, State

__all__ = [
    "Assumed",
    "Cited",
    "Derived",
    "Model",
    "Observable",
    "ParameterField",
    "Parameters",
    "Provenance",
    "Route",
    "State",
    "StateField",
    "Variant",
    "computed",
    "observable",
    "parameter",
    "route",
    "state",
    "variant",
]

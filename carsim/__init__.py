"""Population simulation of CAR-T therapy, immune suppression and hepatitis B reactivation.

The public names below are loaded when they are first used, so that ``import carsim`` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from carsim._version import __version__ as __version__

if TYPE_CHECKING:
    from carsim.citations import cite as cite
    from carsim.errors import CarsimError as CarsimError
    from carsim.errors import ConfigError as ConfigError
    from carsim.errors import ModelError as ModelError
    from carsim.errors import ScenarioError as ScenarioError
    from carsim.errors import SolverError as SolverError
    from carsim.metrics import AreaUnder as AreaUnder
    from carsim.metrics import FirstAbove as FirstAbove
    from carsim.metrics import FirstBelow as FirstBelow
    from carsim.metrics import Last as Last
    from carsim.metrics import Maximum as Maximum
    from carsim.metrics import Minimum as Minimum
    from carsim.metrics import TimeAbove as TimeAbove
    from carsim.metrics import TimeOfMaximum as TimeOfMaximum
    from carsim.metrics import TimeOfMinimum as TimeOfMinimum
    from carsim.metrics import ValueAt as ValueAt
    from carsim.model import Assumed as Assumed
    from carsim.model import Cited as Cited
    from carsim.model import Derived as Derived
    from carsim.model import Model as Model
    from carsim.model import Parameters as Parameters
    from carsim.model import State as State
    from carsim.model import computed as computed
    from carsim.model import observable as observable
    from carsim.model import parameter as parameter
    from carsim.model import route as route
    from carsim.model import state as state
    from carsim.model import variant as variant
    from carsim.playback import replay as replay
    from carsim.population import Population as Population
    from carsim.registry import list_models as list_models
    from carsim.registry import load_model as load_model
    from carsim.scenario import Scenario as Scenario
    from carsim.scenario import Solver as Solver
    from carsim.simulation import simulate as simulate
    from carsim.sweep import Sweep as Sweep
    from carsim.therapy import Assay as Assay
    from carsim.therapy import Baseline as Baseline
    from carsim.therapy import Choice as Choice
    from carsim.therapy import Covariate as Covariate
    from carsim.therapy import Discontinue as Discontinue
    from carsim.therapy import Dose as Dose
    from carsim.therapy import EventTable as EventTable
    from carsim.therapy import Hazard as Hazard
    from carsim.therapy import Infusion as Infusion
    from carsim.therapy import Regimen as Regimen
    from carsim.therapy import Reset as Reset
    from carsim.therapy import Rule as Rule
    from carsim.therapy import SetParameter as SetParameter
    from carsim.therapy import SetState as SetState
    from carsim.therapy import Window as Window
    from carsim.therapy import read_events as read_events
    from carsim.units import convert as convert

# Public name -> module that defines it. The TYPE_CHECKING block above mirrors it; a test compares.
_PUBLIC = {
    "AreaUnder": "carsim.metrics",
    "Assay": "carsim.therapy",
    "Assumed": "carsim.model",
    "Baseline": "carsim.therapy",
    "CarsimError": "carsim.errors",
    "Choice": "carsim.therapy",
    "Cited": "carsim.model",
    "ConfigError": "carsim.errors",
    "Covariate": "carsim.therapy",
    "Derived": "carsim.model",
    "Discontinue": "carsim.therapy",
    "Dose": "carsim.therapy",
    "EventTable": "carsim.therapy",
    "FirstAbove": "carsim.metrics",
    "FirstBelow": "carsim.metrics",
    "Hazard": "carsim.therapy",
    "Infusion": "carsim.therapy",
    "Last": "carsim.metrics",
    "Maximum": "carsim.metrics",
    "Minimum": "carsim.metrics",
    "Model": "carsim.model",
    "ModelError": "carsim.errors",
    "Parameters": "carsim.model",
    "Population": "carsim.population",
    "Regimen": "carsim.therapy",
    "Reset": "carsim.therapy",
    "Rule": "carsim.therapy",
    "Scenario": "carsim.scenario",
    "ScenarioError": "carsim.errors",
    "SetParameter": "carsim.therapy",
    "SetState": "carsim.therapy",
    "Solver": "carsim.scenario",
    "SolverError": "carsim.errors",
    "State": "carsim.model",
    "Sweep": "carsim.sweep",
    "TimeAbove": "carsim.metrics",
    "TimeOfMaximum": "carsim.metrics",
    "TimeOfMinimum": "carsim.metrics",
    "ValueAt": "carsim.metrics",
    "Window": "carsim.therapy",
    "cite": "carsim.citations",
    "computed": "carsim.model",
    "convert": "carsim.units",
    "list_models": "carsim.registry",
    "load_model": "carsim.registry",
    "observable": "carsim.model",
    "parameter": "carsim.model",
    "read_events": "carsim.therapy",
    "replay": "carsim.playback",
    "route": "carsim.model",
    "simulate": "carsim.simulation",
    "state": "carsim.model",
    "variant": "carsim.model",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'carsim' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})

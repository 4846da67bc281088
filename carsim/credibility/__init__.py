"""How far a model can be trusted: steady states, conservation, sensitivities, identifiability.

Everything here looks at one patient. Results are Datasets; figures are in `carsim.plots`.
"""

from __future__ import annotations

from carsim.credibility.conservation import Law, conserved, drift
from carsim.credibility.identifiability import COLLINEAR, identifiability
from carsim.credibility.sensitivity import local_sensitivity
from carsim.credibility.steady import recovery, steady_state

__all__ = [
    "COLLINEAR",
    "Law",
    "conserved",
    "drift",
    "identifiability",
    "local_sensitivity",
    "recovery",
    "steady_state",
]

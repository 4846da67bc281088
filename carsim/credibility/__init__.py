"""How far a model can be trusted: steady states, conservation, sensitivities, identifiability."""

from __future__ import annotations

from carsim.credibility.sensitivity import local_sensitivity

__all__ = ["local_sensitivity"]

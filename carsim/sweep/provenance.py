"""How a result was made: the attributes that say so, and rebuild it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from carsim.dataset import summarize_failures
from carsim.dataset.provenance import provenance as scenario_provenance
from carsim.model import Model
from carsim.model.files import text_of
from carsim.model.source import defining_modules
from carsim.sweep.sweep import Sweep


def provenance(sweep: Sweep) -> dict[str, Any]:
    """Attributes that say how a result was made, and rebuild it.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    """
    own = {
        "design": sweep.design.kind,
        "sweep": sweep.to_json(),
        "config": sweep.config,
        "config_overrides": json.dumps(list(sweep.overrides)) if sweep.overrides else "",
    }
    scenario = sweep.scenario
    attributes = scenario_provenance(scenario, sweep.title or f"Sweep of {scenario.model.name}")
    if any(axis.path == "infusion" for axis in sweep.design.axes):
        del attributes["infusion"]  # the axis says it
    return {**attributes, **{name: value for name, value in own.items() if value != ""}}


def model_files(model: Model) -> dict[str, bytes]:
    """Files that define a model, as they were loaded, by path inside their packages.

    Parameters
    ----------
    model : Model
        A model; one that was typed into a console has no files.
    """
    found = {}
    for module in defining_modules(model):
        source = text_of(module)
        if source is not None:
            package = module.__name__.split(".")
            name = "__init__.py" if hasattr(module, "__path__") else f"{package.pop()}.py"
            found["/".join((*package, name))] = source
    return found


def failures(counts: Counter[int], first: str) -> str:
    """One sentence about failed trajectories; empty if none failed.

    Parameters
    ----------
    counts : Counter
        Number of trajectories by status.
    first : str
        Words about the first failed one.
    """
    return summarize_failures(counts, first, "trajectories")

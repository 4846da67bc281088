"""How a result was made: the attributes that say so, and rebuild it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from carsim._version import __version__
from carsim.installed import version
from carsim.model import Cited, Model
from carsim.scenario import Scenario


def provenance(scenario: Scenario, title: str) -> dict[str, Any]:
    """Attributes that say how a result was made, and rebuild its scenario.

    Parameters
    ----------
    scenario : Scenario
        What is simulated.
    title : str
        Words for the result.
    """
    model = scenario.model
    versions = {name: version(name) for name in ("numpy", "numba", "xarray")}
    attributes = {
        "title": title,
        "carsim_version": __version__,
        "model": model.name,
        "model_hash": model.hash,
        "model_reference": model.reference,
        "references": " ".join(_cited(model)),
        "scenario": scenario.to_json(),
        "infusion": scenario.infusion,
        "solver": scenario.solver.method,
        "rtol": scenario.solver.rtol,
        "seed": "" if scenario.population is None else str(scenario.population.seed),
        "versions": json.dumps(versions),
        "created_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
    return {name: value for name, value in attributes.items() if value != ""}


def _cited(model: Model) -> list[str]:
    sources = [
        *(state.provenance for state in model.states),
        *(parameter.provenance for parameter in model.parameters),
    ]
    dois = (f"doi:{source.doi}" for source in sources if isinstance(source, Cited))
    return list(dict.fromkeys(dois))

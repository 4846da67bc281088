"""How a result was made: the attributes that say so, and rebuild it."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
from collections import Counter
from typing import Any

from carsim._version import __version__
from carsim.engine.status import Status
from carsim.model import Cited, Model
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
    scenario, model = sweep.scenario, sweep.scenario.model
    sources = [item.provenance for item in model.states]
    sources += [item.provenance for item in model.parameters]
    cited = (f"doi:{source.doi}" for source in sources if isinstance(source, Cited))
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "numba", "xarray")}
    attributes = {
        "title": sweep.title or f"Sweep of {model.name}",
        "carsim_version": __version__,
        "model": model.name,
        "model_hash": model.hash,
        "model_reference": model.reference,
        "references": " ".join(dict.fromkeys(cited)),
        "scenario": scenario.to_json(),
        "design": sweep.design.kind,
        "sweep": sweep.to_json(),
        "config": sweep.config,
        "config_overrides": json.dumps(list(sweep.overrides)) if sweep.overrides else "",
        "solver": scenario.solver.method,
        "rtol": scenario.solver.rtol,
        "seed": "" if scenario.population is None else str(scenario.population.seed),
        "versions": json.dumps(versions),
        "created_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
    return {name: value for name, value in attributes.items() if value != ""}


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


def failures(counts: Counter[int], first: str, total: int) -> str:
    """One sentence about failed trajectories; empty if none failed.

    Parameters
    ----------
    counts : Counter
        Number of trajectories by status.
    first : str
        Words about the first failed one.
    total : int
        Number of trajectories.
    """
    failed = {code: n for code, n in sorted(counts.items()) if code != Status.SUCCESS and n}
    if not failed:
        return ""
    kinds = ", ".join(f"{n:,} {Status(code).name.lower()}" for code, n in failed.items())
    return (
        f"{sum(failed.values()):,} of {total:,} trajectories failed ({kinds}). The first: {first}"
    )

"""From the attributes of a result back to the study that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from carsim.dataset import rebuild_scenario
from carsim.errors import CarsimError
from carsim.model import Model
from carsim.scenario.encoding import decode
from carsim.sensitivity.designs import MorrisTrajectories, Saltelli
from carsim.sensitivity.local import LocalStudy, Moment
from carsim.sensitivity.one_at_a_time import OneAtATime
from carsim.sensitivity.outputs import Output
from carsim.sensitivity.study import Study
from carsim.sweep import rebuild_sweep

_CLASSES: dict[str, type] = {kind.__name__: kind for kind in (Output, Moment)}
_DESIGNS: dict[str, type] = {
    kind.__name__: kind for kind in (Saltelli, MorrisTrajectories, OneAtATime)
}


def rebuild_study(
    attributes: Mapping[Any, Any],
    model: Model | None = None,
    classes: Mapping[str, type] | None = None,
) -> Study | LocalStudy:
    """Rebuild the study of a result, so that it can be run again bit for bit.

    Parameters
    ----------
    attributes : mapping
        ``result.attrs``.
    model : Model, optional
        Model to use in place of the stored name, even if it is another one.
    classes : mapping of str to type, optional
        Classes of endpoints that do not come from carsim, by their names.

    Raises
    ------
    CarsimError
        The attributes do not come from a study.
    ScenarioError
        The model has changed since, or an endpoint's class is not known.
    """
    if "sensitivity" not in attributes:
        raise CarsimError(
            "there is no attribute 'sensitivity'. Give the attrs of a result of a study's run or "
            "of carsim sensitivity."
        )
    stored = json.loads(attributes["sensitivity"])
    outputs = decode(stored["outputs"], _CLASSES)
    overrides = tuple(json.loads(attributes.get("config_overrides", "[]")))
    config = attributes.get("config", "")
    if stored["method"] == "local":
        scenario = rebuild_scenario(attributes, model)
        return LocalStudy(
            scenario, outputs, tuple(stored["parameters"]), config=config, overrides=overrides
        )
    sweep = rebuild_sweep(attributes, model, {**_DESIGNS, **(classes or {})})
    return Study(
        sweep.scenario,
        stored["method"],
        outputs,
        factors=sweep.design.axes,
        samples=stored["samples"],
        seed=stored["seed"],
        title=sweep.title,
        config=config,
        overrides=overrides,
    )

"""From the attributes of a result back to the sweep that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from carsim.dataset import rebuild_scenario
from carsim.design import DESIGNS, Axis, Design, Single
from carsim.endpoints import ENDPOINTS, Criterion, Definition
from carsim.errors import CarsimError
from carsim.model import Model
from carsim.scenario.encoding import decode
from carsim.sweep.sweep import Sweep

_CLASSES: dict[str, type] = {
    kind.__name__: kind
    for kind in (Axis, Single, *DESIGNS.values(), *ENDPOINTS.values(), Criterion, Definition)
}


def rebuild_sweep(
    attributes: Mapping[Any, Any],
    model: Model | None = None,
    endpoints: Mapping[str, type] | None = None,
) -> Sweep:
    """Rebuild the sweep of a result, so that it can be run again bit for bit.

    Parameters
    ----------
    attributes : mapping
        ``result.attrs``.
    model : Model, optional
        Model to use in place of the stored name, even if it is another one.
    endpoints : mapping of str to type, optional
        Classes of endpoints that do not come from carsim, by their names.

    Returns
    -------
    Sweep

    Raises
    ------
    CarsimError
        The attributes do not come from a sweep.
    ScenarioError
        The model has changed since, or an endpoint's class is not known.
    """
    stored = _stored(attributes)
    classes = {**_CLASSES, **(endpoints or {})}
    return Sweep(
        rebuild_scenario(attributes, model),
        decode(stored["settings"], classes),
        {name: decode(each, classes) for name, each in stored["endpoints"].items()},
        title=stored["title"],
        config=attributes.get("config", ""),
        overrides=tuple(json.loads(attributes.get("config_overrides", "[]"))),
    )


def rebuild_design(attributes: Mapping[Any, Any]) -> Design:
    """Rebuild what a sweep varied, without its endpoints.

    Parameters
    ----------
    attributes : mapping
        ``result.attrs``.

    Returns
    -------
    Design

    Raises
    ------
    CarsimError
        The attributes do not come from a sweep.
    """
    design: Design = decode(_stored(attributes)["settings"], _CLASSES)
    return design


def _stored(attributes: Mapping[Any, Any]) -> Any:
    if "sweep" not in attributes:
        raise CarsimError(
            "there is no attribute 'sweep'. Give the attrs of a result of carsim.sweep.run; "
            "arithmetic on a Dataset may drop them (xarray.set_options(keep_attrs=True))."
        )
    return json.loads(attributes["sweep"])

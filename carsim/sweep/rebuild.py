"""From the attributes of a result back to the sweep that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from carsim.dataset import rebuild_scenario
from carsim.design import DESIGNS, Axis, Design, Single
from carsim.errors import CarsimError
from carsim.model import Model
from carsim.scenario.encoding import decode
from carsim.sweep.sweep import Sweep

_CLASSES: dict[str, type] = {kind.__name__: kind for kind in (Axis, Single, *DESIGNS.values())}


def rebuild_sweep(
    attributes: Mapping[Any, Any],
    model: Model | None = None,
    classes: Mapping[str, type] | None = None,
) -> Sweep:
    """Rebuild the sweep of a result, so that it can be run again bit for bit.

    Parameters
    ----------
    attributes : mapping
        ``result.attrs``.
    model : Model, optional
        Model to use in place of the stored name, even if it is another one.
    classes : mapping of str to type, optional
        Classes of endpoints and designs that do not come from here, by their names.

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
    return Sweep(
        rebuild_scenario(attributes, model, classes),
        decode(stored["settings"], {**_CLASSES, **(classes or {})}),
        title=stored["title"],
        config=attributes.get("config", ""),
        overrides=tuple(json.loads(attributes.get("config_overrides", "[]"))),
    )


def rebuild_design(attributes: Mapping[Any, Any]) -> Design:
    """Rebuild what a sweep varied.

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

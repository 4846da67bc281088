"""The one shape of every result: variables over factors and outputs, with words and units."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim._version import __version__
from carsim.design import Axis

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Label:
    """Name, words and unit of a factor or an output.

    Attributes
    ----------
    name : str
        Coordinate of the result.
    words : str
        For figures.
    unit : str
        Unit in the model's spelling; "1" for plain numbers, empty for labels.
    path : str
        Where a factor stands in the scenario; empty if nowhere.
    """

    name: str
    words: str = ""
    unit: str = "1"
    path: str = ""


def labels_of(axes: Sequence[Axis]) -> list[Label]:
    """Labels of factors where no model says their words and units."""
    return [Label(axis.name, axis.label, "", axis.path) for axis in axes]


def frame(
    variables: Mapping[str, tuple[Array, str]],
    factors: Sequence[Label],
    outputs: Sequence[Label],
    attributes: Mapping[str, Any],
    *,
    why: NDArray[np.str_] | None = None,
    in_output_unit: Sequence[str] = (),
) -> xr.Dataset:
    """Put names and units to indices.

    Parameters
    ----------
    variables : mapping of str to (array, str)
        Values of shape (n_factors, n_outputs) and words, by name.
    factors, outputs : sequence of Label
        What the rows and columns are.
    attributes : mapping
        How the result was made.
    why : text array, shape (n_factors, n_outputs), optional
        Why a value is NaN; empty where it is not.
    in_output_unit : sequence of str, optional
        Variables in the unit of the output (coordinate ``output_unit``); the others have none.

    Returns
    -------
    xarray.Dataset
    """
    import xarray as xr

    dims = ("factor", "output")
    data: dict[str, Any] = {}
    for name, (values, words) in variables.items():
        about = {"long_name": words}
        if name in in_output_unit:
            about["long_name"] = f"{words}, in output_unit"
        else:
            about |= {"units": "1", "carsim_units": "1"}
        data[name] = dims, values, about
    if why is not None:
        data["why"] = dims, why.astype(object), {"long_name": "why there is no index"}
    coordinates: dict[str, Any] = {}
    for dim, labels in (("factor", factors), ("output", outputs)):
        coordinates[dim] = dim, [label.name for label in labels], {"long_name": dim}
        spoken = [label.words or label.name for label in labels]
        coordinates[f"{dim}_words"] = dim, spoken, {"long_name": f"words for the {dim}"}
        units = [label.unit for label in labels]
        coordinates[f"{dim}_unit"] = dim, units, {"long_name": f"unit of the {dim}"}
    if any(label.path for label in factors):
        paths = [label.path for label in factors]
        coordinates["factor_path"] = "factor", paths, {"long_name": "what was varied"}
    return xr.Dataset(data, coordinates, {"carsim_version": __version__, **attributes})


def versions(*packages: str, known: str = "{}") -> str:
    """Versions of packages as JSON, for the attributes of a result.

    Parameters
    ----------
    *packages : str
        Names of distributions.
    known : str, optional
        JSON of versions that the result carries already.
    """
    import importlib.metadata

    own = {name: importlib.metadata.version(name) for name in packages}
    return json.dumps({**json.loads(known), **own})

"""Which characteristics of the virtual patients drive an endpoint, from a result that exists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.sensitivity.designs import design_hash
from carsim.sensitivity.frame import Label, versions
from carsim.sensitivity.ranks import LEVEL, assembled, correlations

if TYPE_CHECKING:
    import xarray as xr

PATIENT = "patient"
STORED = "parameter:"
"""Prefix of a sampled parameter whose name a variable of the result has taken."""


def patient_prcc(
    dataset: xr.Dataset,
    outputs: Sequence[str],
    factors: Sequence[str] | None = None,
    *,
    level: float = LEVEL,
) -> xr.Dataset:
    """Partial rank correlation of endpoints with the sampled parameters of the patients.

    Nothing is simulated. Labels of the patients, such as serostatus, are taken out with the other
    parameters, so that the coefficients are those within a kind of patients.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result of `carsim.sweep.run`, with the dimension ``patient``.
    outputs : sequence of str
        Endpoints or metrics of the result. Failed patients, and those for whom an endpoint is not
        defined, are NaN: left out and counted.
    factors : sequence of str, optional
        Sampled parameters to compare, each with the others of these taken out; all by default.
    level : float, optional
        Level of the intervals.

    Returns
    -------
    xarray.Dataset
        As of `carsim.sensitivity.prcc`; the swept dimensions come first, a correlation for each
        cell of the sweep.
    """
    import xarray as xr

    if PATIENT not in dataset.dims:
        raise ScenarioError(
            "patient_prcc: the result has no dimension 'patient'. Simulate a population."
        )
    known = _sampled(dataset)
    if not known:
        raise ScenarioError(
            "patient_prcc: no parameter of the patients was sampled, so that they differ in "
            "nothing. Give the population distributions."
        )
    names = list(known) if factors is None else list(factors)
    for name in names:
        if name not in known:
            raise ScenarioError(unknown("sampled parameter", name, known, "the result"))
    endpoints = [str(name) for name, each in dataset.data_vars.items() if PATIENT in each.dims]
    for name in outputs:
        if name not in endpoints:
            raise ScenarioError(unknown("variable over patients", name, endpoints, "the result"))
    if not outputs or not names:
        raise ScenarioError("patient_prcc: name at least one output and one factor.")
    labels = [
        str(name)
        for name, each in dataset.coords.items()
        if PATIENT in each.dims and each.dtype.kind in "OUST"
    ]
    cells = [dim for dim in dataset[outputs[0]].dims if dim != PATIENT]
    dims = (*cells, PATIENT)
    shape = tuple(dataset.sizes[dim] for dim in dims)
    template = xr.DataArray(np.zeros(shape), dims=dims)

    def whole(name: str) -> NDArray[Any]:
        return dataset[name].broadcast_like(template).transpose(*dims).values

    x = np.stack([whole(known[name]) for name in names], axis=-1)
    y = {name: whole(name) for name in outputs}
    groups = _joined([whole(name) for name in labels], shape)
    attributes = _attributes(dataset, x, labels, level)
    parts = [
        assembled(
            [correlations(x[cell], y[name][cell].astype(float), groups[cell], level) for name in y],
            [_label(dataset[known[name]], name) for name in names],
            [_label(dataset[name], name) for name in outputs],
            shape[-1],
            attributes,
        )
        for cell in np.ndindex(*shape[:-1])
    ]
    return _stacked(parts, dataset, [str(dim) for dim in cells])


def _stacked(parts: list[xr.Dataset], dataset: xr.Dataset, cells: list[str]) -> xr.Dataset:
    """Results of all cells, with the swept dimensions in front."""
    import xarray as xr

    if not cells:
        return parts[0]
    shape = tuple(dataset.sizes[dim] for dim in cells)
    first = parts[0]
    variables = {
        name: (
            (*cells, *each.dims),
            np.stack([part[name].values for part in parts]).reshape(*shape, *each.shape),
            each.attrs,
        )
        for name, each in first.data_vars.items()
    }
    axes = {
        name: each.variable
        for name, each in dataset.coords.items()
        if each.dims and set(each.dims) <= set(cells)
    }
    own = {name: each.variable for name, each in first.coords.items()}
    return xr.Dataset(variables, {**axes, **own}, first.attrs)


def _sampled(dataset: xr.Dataset) -> dict[str, str]:
    """Sampled parameters: their names, to the coordinates that hold them."""
    return {
        str(name).removeprefix(STORED): str(name)
        for name, each in dataset.coords.items()
        if PATIENT in each.dims and name != PATIENT and each.dtype.kind == "f"
    }


def _joined(labels: list[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """One number for each combination of labels."""
    codes = np.zeros(shape, dtype=np.int64)
    for each in labels:
        levels, code = np.unique(each.astype(object), return_inverse=True)
        codes = codes * len(levels) + code.reshape(shape)
    return codes


def _label(variable: xr.DataArray, name: str) -> Label:
    words = str(variable.attrs.get("long_name", name))
    return Label(name, words, str(variable.attrs.get("carsim_units", "")))


def _attributes(
    dataset: xr.Dataset, x: NDArray[np.float64], labels: list[str], level: float
) -> dict[str, Any]:
    own = {
        "title": f"Partial rank correlation with patients' parameters: "
        f"{dataset.attrs.get('title', 'a sweep')}",
        "method": "prcc",
        "samples": dataset.sizes[PATIENT],
        "simulations": int(np.prod(x.shape[:-1])),
        "design_hash": design_hash(x),
        "level": level,
        "taken_out": ", ".join(labels),
        "versions": versions("numpy", "scipy", known=dataset.attrs.get("versions", "{}")),
    }
    return {**dataset.attrs, **{name: value for name, value in own.items() if value != ""}}

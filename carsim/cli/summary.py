"""A few lines about a result, for those who only look at the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
import numpy as np

from carsim.cli.tables import number, table
from carsim.endpoints import Endpoint, HBVReactivation, risk
from carsim.endpoints.clock import infusion_of
from carsim.endpoints.slabs import slabs
from carsim.engine.status import Status

if TYPE_CHECKING:
    import xarray as xr

MOST_ROWS = 20


def print_run(dataset: xr.Dataset, endpoints: Mapping[str, Endpoint]) -> None:
    """Print the peaks of the saved outputs, and the risks if endpoints were given.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result of `carsim.simulate`.
    endpoints : mapping of str to Endpoint
        Endpoints of the config file.
    """
    courses = [name for name, each in dataset.data_vars.items() if "time" in each.dims]
    rows = []
    for name in courses:
        values = dataset[name]
        unit = str(values.attrs.get("carsim_units", ""))
        peak, last = values.max("time"), values.isel(time=-1)
        rows.append((str(name), _spread(peak), _spread(last), unit))
    header = ("output", "peak", "at the end", "unit")
    if "patient" in dataset.dims:
        header = ("output", "peak: median (5 to 95 %)", "at the end", "unit")
    table(header, rows)
    _print_numbers(dataset)
    _print_events(dataset)
    _print_risks(dataset, endpoints)
    _print_failures(dataset, "patients")


def print_sweep(dataset: xr.Dataset, endpoints: Mapping[str, Endpoint]) -> None:
    """Print the lowest and highest risk by kind of patient, and how many failed.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result of `carsim.sweep.run`.
    endpoints : mapping of str to Endpoint
        Endpoints of the sweep.
    """
    _print_risks(dataset, endpoints)
    _print_failures(dataset, "trajectories")


def _print_numbers(dataset: xr.Dataset) -> None:
    """Print metrics and endpoints: one number a patient, or its spread."""
    rows = []
    infusion = infusion_of(dataset)
    for name, values in dataset.data_vars.items():
        if values.dims not in ((), ("patient",)) or values.dtype.kind != "f":
            continue
        if name == "final_time":
            continue
        unit = str(values.attrs.get("carsim_units", ""))
        words = str(values.attrs.get("long_name", ""))
        if "clock" in values.attrs:
            values, unit = values - infusion, f"{unit}{_since(infusion)}"
        rows.append((str(name), _spread(values), unit, words))
    many = "patient" in dataset.dims
    table(("number", "median (5 to 95 %)" if many else "value", "unit", "what"), rows)


def _print_events(dataset: xr.Dataset) -> None:
    """Print what happened to one patient, or in how many each thing happened."""
    names = dataset["event_name"].values
    if names.size == 0:
        return
    infusion = infusion_of(dataset)
    unit = str(dataset["event_time"].attrs.get("carsim_units", "")) + _since(infusion)
    when = dataset["event_time"].values - infusion
    actions = dataset["event_action"].values
    if "patient" not in dataset.dims:
        times, seen = when, dataset["event_value"].values
        rows = [
            (number(time), str(name), number(value), str(action))
            for time, name, value, action in zip(times, names, seen, actions, strict=True)
        ]
        table((unit, "event", "seen", "done"), rows[:MOST_ROWS])
        if len(rows) > MOST_ROWS:
            click.echo(f"  and {len(rows) - MOST_ROWS} more, all in the result")
        return
    rows = []
    for name in dict.fromkeys(names.tolist()):
        here = names == name
        patients = np.unique(dataset["event_patient"].values[here]).size
        median = np.median(when[here])
        rows.append((name, f"{patients}", f"{here.sum()}", number(float(median))))
    table(("event", "patients", "times", f"median {unit}"), sorted(rows)[:MOST_ROWS])


def _since(infusion: float) -> str:
    """Words behind the unit of a time that is shown; none where both clocks are one."""
    return " since infusion" if infusion else ""


def _print_risks(dataset: xr.Dataset, endpoints: Mapping[str, Endpoint]) -> None:
    for endpoint in endpoints.values():
        if not isinstance(endpoint, HBVReactivation) or "patient" not in dataset.dims:
            continue
        values = dataset[endpoint.name]
        stratum = _stratum(values)
        on_patient = stratum is not None and stratum not in values.dims
        found = risk(values, by=stratum if on_patient else None)
        click.echo(f"{values.attrs.get('long_name', endpoint.name)} (95 % interval)")
        labels = [None] if stratum is None else found[stratum].values.tolist()
        rows = []
        for label in labels[:MOST_ROWS]:
            part = found if label is None else found.sel({stratum: label}, drop=True)
            rows.extend(_rows_of("everybody" if label is None else str(label), part))
        table(("patients", "risk", "of", "where"), rows)


def _rows_of(label: str, found: xr.Dataset) -> list[tuple[str, str, str, str]]:
    shares = found["risk"]
    if not shares.dims:
        return [(label, *_risk(found), "")]
    if not bool(np.isfinite(shares).any()):
        return [(label, "not at risk", "0", "in any cell")]
    if float(shares.min()) == float(shares.max()):
        return [(label, *_risk(found.isel(shares.argmax(...))), "in all cells")]
    rows = []
    for words, position in (("lowest", shares.argmin(...)), ("highest", shares.argmax(...))):
        assert isinstance(position, dict)
        cell = found.isel(position)
        alike = int((shares == cell["risk"]).sum()) - 1
        others = f" and {alike} more cell{'' if alike == 1 else 's'}" if alike else ""
        rows.append((label, *_risk(cell), f"{words}: {_place(cell)}{others}"))
        label = ""
    return rows


def _risk(found: xr.Dataset) -> tuple[str, str]:
    counted = int(found["n"])
    if counted == 0:
        return "not at risk", "0"
    low, high = 100 * float(found["lower"]), 100 * float(found["upper"])
    return f"{100 * float(found['risk']):.1f} % ({low:.1f} to {high:.1f})", f"{counted}"


def _place(cell: xr.Dataset) -> str:
    names = [name for name, each in cell.coords.items() if "path" in each.attrs]
    parts = []
    for name in names:
        value = cell[name].values.item()
        shown = number(value) if isinstance(value, float) else str(value)
        unit = cell[name].attrs.get("carsim_units", "")
        parts.append(f"{name} {shown}" + (f" {unit}" if unit not in ("", "1") else ""))
    return ", ".join(parts)


def _stratum(values: xr.DataArray) -> str | None:
    """Find the kinds of patients: a label on the patients, or a dimension of labels."""
    for name, each in values.coords.items():
        if each.dtype.kind in "OUST" and each.dims in (("patient",), (name,)):
            return str(name)
    return None


def _print_failures(dataset: xr.Dataset, what: str) -> None:
    status = dataset["status"]
    if status.ndim:
        parts = slabs(status, str(status.dims[-1]))
        failed = sum(int(np.sum(part != Status.SUCCESS)) for _, part in parts)
    else:
        failed = int(status != Status.SUCCESS)
    if failed == 0:
        if status.size > 1:
            click.echo(f"all {status.size:,} {what} reached the end")
        return
    click.echo(f"{failed:,} of {status.size:,} {what} failed; they are NaN in the result")
    click.echo(f"  {dataset.attrs.get('failures', '')}")


def _spread(values: xr.DataArray) -> str:
    numbers = np.asarray(values.values, dtype=np.float64)
    if numbers.ndim == 0:
        return number(float(numbers))
    numbers = numbers[np.isfinite(numbers)]
    if numbers.size == 0:
        return "-"
    if set(numbers.tolist()) <= {0.0, 1.0}:
        return f"{int(numbers.sum())} of {numbers.size}"
    low, middle, high = np.quantile(numbers, [0.05, 0.5, 0.95])
    return f"{middle:.4g} ({low:.4g} to {high:.4g})"

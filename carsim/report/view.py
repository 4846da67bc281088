"""A sweep's result as the report reads it: piece by piece, so that it may be larger than memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.citations import Citations, cite
from carsim.endpoints import HBVReactivation, risk
from carsim.endpoints.clock import INFUSION
from carsim.endpoints.slabs import slabs
from carsim.engine.status import Status
from carsim.errors import CarsimError, ScenarioError
from carsim.registry import load_model
from carsim.report.axis import Axis
from carsim.sweep import StoreStatus, Sweep, read_status, rebuild_sweep

if TYPE_CHECKING:
    import xarray as xr

MOST_PATIENTS = 1_000_000
"""Patients of a cell that are looked at; more change no digit that is printed."""

AT_A_TIME = 1_000_000
"""Values that are loaded together for what needs whole cells, about 8 MB; at least one cell is."""

LEVEL = 0.95
Array: TypeAlias = NDArray[np.float64]
Slices: TypeAlias = tuple[slice, ...]

SOLVER = ("status", "n_steps", "n_rejected")


@dataclass(frozen=True)
class Outcomes:
    """How the trajectories of all patients ended.

    Attributes
    ----------
    codes : Counter of int
        Trajectories by status.
    failed, not_run : int64 array, of the shape of the cells
        Trajectories that failed, and those that nobody has simulated yet.
    """

    codes: Counter[int]
    failed: NDArray[np.int64]
    not_run: NDArray[np.int64]

    @property
    def run(self) -> int:
        """Trajectories that were simulated."""
        return sum(self.codes.values()) - self.codes[int(Status.NOT_RUN)]


class View:
    """What the sections of a report ask of a result.

    Parameters
    ----------
    result : xarray.Dataset
        Result of a sweep, perhaps opened lazily.
    patients : int
        Patients whose courses are simulated again, in each of a few cells.
    store : Path, optional
        The folder, or the file, that the result was opened from.

    Raises
    ------
    CarsimError
        Not a result of a sweep, or one whose model or endpoints are not installed.
    """

    def __init__(self, result: xr.Dataset, patients: int, store: Path | None = None) -> None:
        attributes = result.attrs
        if "sweep" not in attributes or "scenario" not in attributes:
            raise CarsimError(
                "report: this is not the result of a sweep: it has no attribute 'sweep'. Give what "
                "`carsim sweep` wrote."
            )
        missing = [name for name in SOLVER if name not in result]
        if missing:
            raise CarsimError(
                f"report: the result has no {', '.join(missing)}. Give it whole, as `carsim sweep` "
                "wrote it."
            )
        self.whole = result
        many = result.sizes.get("patient", 1) > MOST_PATIENTS
        self.data = result.isel(patient=slice(0, MOST_PATIENTS)) if many else result
        self.patients = patients
        self.store = store
        is_folder = store is not None and store.is_dir()
        self.progress: StoreStatus | None = read_status(store) if store and is_folder else None
        self.changed = ""
        try:
            self.sweep: Sweep = rebuild_sweep(attributes)
        except ScenarioError as error:
            if "has changed since" not in str(error):
                raise
            self.changed = f"The model {attributes.get('model')} has changed since this result."
            self.sweep = rebuild_sweep(attributes, load_model(str(attributes["model"])))
        except CarsimError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise CarsimError(
                f"report: the attributes of the result cannot be read ({error}). Run the sweep "
                "again."
            ) from None

    @cached_property
    def citations(self) -> Citations:
        """What the result rests on."""
        return cite(self.whole)

    @property
    def title(self) -> str:
        """Title of the sweep."""
        return str(self.whole.attrs.get("title") or "Sweep")

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimensions of the cells: axes of a grid, ``point``, or none."""
        return self.sweep.design.dims

    @property
    def is_grid(self) -> bool:
        """Whether each axis is a dimension."""
        return "point" not in self.dims

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each dimension."""
        return self.sweep.design.shape

    @property
    def has_patients(self) -> bool:
        """Whether there is more than a single patient."""
        return "patient" in self.whole.dims

    @cached_property
    def axes(self) -> list[Axis]:
        """What was varied, in the order of the sweep."""
        found = []
        for axis in self.sweep.design.axes:
            coordinate = self.whole[axis.name]
            about = coordinate.attrs
            words, unit = str(about.get("long_name", axis.name)), about.get("carsim_units", "")
            found.append(Axis(axis.name, words, str(unit), coordinate))
        return found

    def axis(self, name: str) -> Axis:
        """The axis of a name."""
        return next(axis for axis in self.axes if axis.name == name)

    @cached_property
    def kind(self) -> str | None:
        """What tells the kinds of patients apart: a dimension, or a label on the patients."""
        membership = self.sweep.membership
        if membership is not None:
            return membership.name if self.is_grid else None
        population = self.sweep.scenario.population
        if population is None or population.mixture is None:
            return None
        name = population.mixture.name
        on_patients = name in self.whole.coords and self.whole[name].dims == ("patient",)
        return name if on_patients else None

    @property
    def kind_words(self) -> str:
        """Words for what tells the kinds of patients apart."""
        from carsim.plots.theme import capital

        if self.kind is None:
            return ""
        return capital(str(self.whole[self.kind].attrs.get("long_name", self.kind)))

    @property
    def others(self) -> list[Axis]:
        """Axes of a grid that are not the kind of patient."""
        return [axis for axis in self.axes if axis.name != self.kind] if self.is_grid else []

    def cells(self) -> Iterator[tuple[int, ...]]:
        """Positions of all cells."""
        return iter(np.ndindex(*self.shape))

    def cell(self, name: str, at: tuple[int, ...]) -> NDArray[Any]:
        """Load one variable of one cell.

        Parameters
        ----------
        name : str
            Variable.
        at : tuple of int
            Position of the cell.

        Returns
        -------
        array, shape (n_patients,)
        """
        return np.atleast_1d(self.data[name].isel(dict(zip(self.dims, at, strict=True))).values)

    def patients_of(self, at: tuple[int, ...]) -> xr.Dataset:
        """One cell, with the patients that were simulated; nothing is loaded but their status."""
        cell = self.data.isel(dict(zip(self.dims, at, strict=True)))
        if not self.is_unfinished:
            return cell
        return cell.isel(patient=np.flatnonzero(cell["status"].values != Status.NOT_RUN))

    def labelled(self, dataset: xr.Dataset) -> xr.Dataset:
        """Leave out the patients of an unfinished store whose kind nobody has drawn yet."""
        kind = self.kind
        if kind is None or kind in self.dims or not self.is_unfinished:
            return dataset
        return dataset.isel(patient=np.flatnonzero(dataset[kind].values != ""))

    def parts(self, name: str, *, whole: bool = False) -> Iterator[NDArray[Any]]:
        """Load a variable of all cells, some patients at a time.

        Parameters
        ----------
        name : str
            Variable.
        whole : bool
            All patients, also beyond `MOST_PATIENTS`.

        Yields
        ------
        array, of the shape of the cells and, last, some patients
        """
        variable = (self.whole if whole else self.data)[name]
        if not self.has_patients:
            yield variable.values[..., np.newaxis]
            return
        for _, values in slabs(variable.transpose(..., "patient"), "patient"):
            yield values

    @cached_property
    def outcomes(self) -> Outcomes:
        """How the trajectories ended, of all patients."""
        codes: Counter[int] = Counter()
        failed = np.zeros(self.shape, dtype=np.int64)
        not_run = np.zeros_like(failed)
        for values in self.parts("status", whole=True):
            found, counts = np.unique(values, return_counts=True)
            codes.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
            waiting = values == Status.NOT_RUN
            not_run += waiting.sum(axis=-1)
            failed += ((values != Status.SUCCESS) & ~waiting).sum(axis=-1)
        return Outcomes(codes, failed, not_run)

    @property
    def is_unfinished(self) -> bool:
        """Whether some trajectories have not been simulated yet."""
        return bool(self.outcomes.not_run.any())

    def per_cell(self, name: str, number: Callable[[Array], Array]) -> Array:
        """Compute one number a cell.

        Parameters
        ----------
        name : str
            Variable.
        number : callable
            Takes the values of some cells, shape (..., n_patients), and returns shape (...).

        Returns
        -------
        float64 array, of the shape of the cells
        """
        found = np.full(self.shape, np.nan)
        variable = self.data[name]
        for slices in _slices(self.shape, variable.size):
            part = variable.isel(dict(zip(self.dims, slices, strict=True)))
            found[slices] = number(np.asarray(part.values, dtype=np.float64))
        return found

    def number(self, at: tuple[int, ...]) -> int:
        """Number of a cell in the sweep."""
        return int(np.ravel_multi_index(at, self.shape)) if at else 0

    def place(self, at: tuple[int, ...], *, without: str | None = None) -> str:
        """Where a cell is, in words; empty if nothing was varied."""
        parts = []
        for axis in self.axes:
            if axis.name == without:
                continue
            shown = axis.level(at[self.dims.index(axis.name)] if self.is_grid else at[0])
            if axis.name == self.kind:
                parts.append(shown)
            else:
                parts.append(f"{axis.words} {shown if axis.is_number else f'“{shown}”'}")
        return "; ".join(parts)

    @cached_property
    def events(self) -> dict[str, xr.Dataset]:
        """Risks of all yes-or-no variables by name, the main one first, see `risk`."""
        if not self.has_patients:
            return {}
        found = {}
        for name in self._candidates():
            try:
                table = self.risks(name)
            except ScenarioError:  # a number without unit, but not 1 or 0
                continue
            timed = f"{name}_time" in self.data
            if bool(np.isfinite(table["risk"].values).any()) or timed:
                found[name] = table
        return found

    @cached_property
    def infusions(self) -> Array:
        """Day of the infusion in each cell; one number if it is the same in all."""
        for axis in self.sweep.design.axes:
            if axis.path == INFUSION:
                column = self.data[axis.name]
                shape = [column.sizes.get(dim, 1) for dim in self.dims]
                return np.asarray(column.values, dtype=np.float64).reshape(shape)
        return np.asarray(self.sweep.scenario.infusion)

    @property
    def event(self) -> str | None:
        """The main event: the first reactivation, or else the first yes-or-no variable."""
        return next(iter(self.events), None)

    @property
    def numbers(self) -> list[str]:
        """Variables that are neither events nor facts of the solver."""
        return [name for name in self._kept if name not in self.events]

    def risks(self, event: str) -> xr.Dataset:
        """Risks of an event in all cells with their intervals, loaded piece by piece.

        Trajectories that nobody has simulated yet are not among those left out.
        """
        found = risk(self.data[event], level=LEVEL)
        if self.is_unfinished:
            waiting = np.zeros(self.shape)
            for values in self.parts("status"):
                waiting += (values == Status.NOT_RUN).sum(axis=-1)
            found["excluded"] = found["excluded"].copy(data=found["excluded"].values - waiting)
        return found

    def risks_by_kind(self, event: str) -> xr.Dataset:
        """As `risks`, with one more dimension if the kinds are labels on the patients."""
        kind = self.kind
        if kind is None or kind in self.dims:
            return self.events[event]
        found = risk(self.data[event], by=kind, level=LEVEL)
        return found.isel({kind: np.flatnonzero(found[kind].values != "")})  # "": not drawn yet

    @property
    def _kept(self) -> list[str]:
        """Numbers of each course, in the order of the sweep: a store has them in its own."""
        names = dict.fromkeys((*self.sweep.keep.numbers, *map(str, self.data.data_vars)))
        return [name for name in names if name in self.data and self._is_kept(self.data[name])]

    def _is_kept(self, variable: xr.DataArray) -> bool:
        """Whether a variable is a number of each course."""
        dims = (*self.dims, "patient") if self.has_patients else self.dims
        return variable.dtype.kind == "f" and variable.dims == dims and variable.name not in SOLVER

    def _candidates(self) -> list[str]:
        first = [
            endpoint.name
            for endpoint in self.sweep.scenario.endpoints.values()
            if isinstance(endpoint, HBVReactivation)
        ]
        plain = [name for name in self._kept if self.data[name].attrs.get("carsim_units") == "1"]
        return [name for name in dict.fromkeys([*first, *plain]) if name in self.data]


def _slices(shape: tuple[int, ...], size: int) -> Iterator[Slices]:
    """Cut cells so that no piece has more than `AT_A_TIME` of `size` values, if it can be done."""
    long = [k for k, n in enumerate(shape) if n > 1]
    if size <= AT_A_TIME or not long:
        yield tuple(slice(0, n) for n in shape)
        return
    axis = long[0]
    step = max(1, AT_A_TIME * shape[axis] // size)
    for first in range(0, shape[axis], step):
        last = min(first + step, shape[axis])
        within = (*shape[:axis], last - first, *shape[axis + 1 :])
        for piece in _slices(within, size * (last - first) // shape[axis]):
            part = slice(first + piece[axis].start, first + piece[axis].stop)
            yield (*piece[:axis], part, *piece[axis + 1 :])

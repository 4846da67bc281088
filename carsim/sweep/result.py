"""The result of a sweep: arrays that blocks are written into, and their names."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim._version import __version__
from carsim.engine.status import Status
from carsim.model import Cited
from carsim.sweep.axes import unit_of, words_of
from carsim.sweep.block import BlockResult
from carsim.sweep.sweep import Sweep
from carsim.sweep.variables import label_dims, sampled_dims, variables_of
from carsim.units import udunits

if TYPE_CHECKING:
    import xarray as xr

Variables = dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]]


class Collector:
    """Takes up blocks in any order.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.about = variables_of(sweep)
        total = sweep.n_trajectories
        self.values = {name: np.full(total, np.nan) for name in self.about}
        self.status = np.full(total, int(Status.NOT_RUN), dtype=np.int16)
        self.n_steps = np.zeros(total, dtype=np.int32)
        self.n_rejected = np.zeros(total, dtype=np.int32)
        self.dims = sampled_dims(sweep)
        self.sampled = {
            name: np.full(self._slots(dims), np.nan) for name, dims in self.dims.items()
        }
        self.label_dims = label_dims(sweep)
        labelled = 0 if self.label_dims is None else self._slots(self.label_dims)
        self.component = np.full(labelled, -1, dtype=np.int16)
        self.failures: Counter[int] = Counter()
        self.failure: tuple[int, str] | None = None

    def add(self, block: BlockResult) -> None:
        """Take up one block.

        Parameters
        ----------
        block : BlockResult
            Result of `compute_block`.
        """
        here = slice(block.trajectories.start, block.trajectories.stop)
        for name, values in block.values.items():
            self.values[name][here] = values
        self.status[here] = block.status
        self.n_steps[here] = block.n_steps
        self.n_rejected[here] = block.n_rejected
        for name, values in block.sampled.items():
            self.sampled[name][self._places(block.trajectories, self.dims[name])] = values
        if self.label_dims is not None:
            self.component[self._places(block.trajectories, self.label_dims)] = block.component
        failed = block.status != Status.SUCCESS
        self.failures.update(block.status[failed].tolist())
        if block.failure and (self.failure is None or here.start < self.failure[0]):
            self.failure = here.start, block.failure

    def dataset(self) -> xr.Dataset:
        """Put names and units to the arrays.

        Returns
        -------
        xarray.Dataset
        """
        import xarray as xr

        return xr.Dataset(self._variables(), self._coordinates(), self._attributes())

    def _variables(self) -> Variables:
        dims, shape = self.sweep.design.dims, self.sweep.design.shape
        if self.sweep.scenario.is_ensemble:
            dims, shape = (*dims, "patient"), (*shape, self.sweep.n_patients)
        variables: Variables = {}
        for name, about in self.about.items():
            attributes = described(about.unit, about.long_name)
            variables[name] = dims, self.values[name].reshape(shape), attributes
        codes = sorted(Status)
        flags = {
            "long_name": "how the integration ended",
            "flag_values": np.array([int(code) for code in codes], dtype=np.int16),
            "flag_meanings": " ".join(code.name.lower() for code in codes),
        }
        variables["status"] = dims, self.status.reshape(shape), flags
        steps = {"units": "1", "long_name": "accepted steps"}
        variables["n_steps"] = dims, self.n_steps.reshape(shape), steps
        rejected = {"units": "1", "long_name": "rejected steps"}
        variables["n_rejected"] = dims, self.n_rejected.reshape(shape), rejected
        return variables

    def _coordinates(self) -> Variables:
        sweep = self.sweep
        coordinates: Variables = {}
        columns = sweep.design.columns(np.arange(sweep.n_cells)) if not self._is_grid else {}
        for axis in sweep.design.axes:
            unit = unit_of(sweep.scenario, axis.path)
            about = {"long_name": words_of(sweep.scenario, axis), "path": axis.path}
            if unit:
                about = {**described(unit, about["long_name"]), "path": axis.path}
            values = axis.levels if self._is_grid else columns[axis.path]
            dim = axis.name if self._is_grid else "point"
            coordinates[axis.name] = (dim,), values, about
        if not self._is_grid:
            coordinates["point"] = ("point",), np.arange(sweep.n_cells), {"long_name": "point"}
        if not sweep.scenario.is_ensemble:
            return coordinates
        number = np.arange(sweep.n_patients)
        coordinates["patient"] = ("patient",), number, {"long_name": "virtual patient"}
        model = sweep.scenario.model
        for name, values in self.sampled.items():
            shape = (*self._sizes(self.dims[name]), sweep.n_patients)
            taken = name in self.about or name in coordinates
            attributes = described(model.unit_of(name), model.words_of(name))
            key = f"parameter:{name}" if taken else name
            coordinates[key] = (*self.dims[name], "patient"), values.reshape(shape), attributes
        if self.label_dims is not None:
            population = sweep.scenario.population
            assert population is not None
            assert population.mixture is not None
            # Objects: a million references to a few texts, instead of a million texts.
            labels = np.array(population.mixture.labels, dtype=object)[self.component]
            name, shape = population.mixture.name, self._sizes(self.label_dims)
            dims = (*self.label_dims, "patient")
            about = {"long_name": name.replace("_", " ")}
            coordinates[name] = dims, labels.reshape(*shape, sweep.n_patients), about
        return coordinates

    def _attributes(self) -> dict[str, Any]:
        sweep = self.sweep
        attributes = provenance(sweep)
        if self.failures and self.failure is not None:
            kinds = ", ".join(
                f"{count} {Status(code).name.lower()}" for code, count in self.failures.items()
            )
            failed = sum(self.failures.values())
            attributes["failures"] = (
                f"{failed} of {sweep.n_trajectories} trajectories failed ({kinds}). "
                f"The first: {self.failure[1]}"
            )
        return attributes

    @property
    def _is_grid(self) -> bool:
        return self.sweep.design.dims != ("point",)

    def _sizes(self, dims: tuple[str, ...]) -> tuple[int, ...]:
        sizes = dict(zip(self.sweep.design.dims, self.sweep.design.shape, strict=True))
        return tuple(sizes[dim] for dim in dims)

    def _slots(self, dims: tuple[str, ...]) -> int:
        return int(np.prod([*self._sizes(dims), self.sweep.n_patients], dtype=np.int64))

    def _places(self, trajectories: range, dims: tuple[str, ...]) -> NDArray[np.int64]:
        """Where trajectories stand in an array that has only some of the design's dimensions."""
        numbers = np.arange(trajectories.start, trajectories.stop, dtype=np.int64)
        cells, patients = np.divmod(numbers, self.sweep.n_patients)
        design = self.sweep.design
        place = np.zeros_like(numbers)
        positions = {}
        if dims:
            positions = dict(zip(design.dims, np.unravel_index(cells, design.shape), strict=True))
        for dim, size in zip(dims, self._sizes(dims), strict=True):
            place = place * size + positions[dim]
        return place * self.sweep.n_patients + patients


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
        "model_hash": model.source_hash(),
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


def described(unit: str, words: str) -> dict[str, Any]:
    """Attributes of a variable: UDUNITS, the model's own spelling, words."""
    return {"units": udunits(unit), "carsim_units": unit, "long_name": words}

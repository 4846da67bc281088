"""What a result holds: names, dimensions and words of its arrays, and where blocks go in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from carsim.dataset.schema import (
    NUMBER,
    SOLVER_FACTS,
    describe_fact,
    describe_label,
    describe_number,
    described,
    given_coordinates,
)
from carsim.scenario import result_names
from carsim.sweep.axes import is_instant, unit_of, words_of
from carsim.sweep.block import BlockResult
from carsim.sweep.plan import Plan
from carsim.sweep.sweep import Sweep
from carsim.sweep.variables import label_dims, sampled_dims

Field: TypeAlias = Literal["values", "sampled", "component", "status", "n_steps", "n_rejected"]
#: Folders of a store that hold what is not an array: its records, and what is drawn of it.
RECORDS, FIGURES = "carsim", "figures"


@dataclass(frozen=True)
class Variable:
    """One array of a result that blocks are written into.

    Attributes
    ----------
    name : str
        Its name in the result.
    part, key : str
        Field of a `BlockResult` that it comes from, and entry there if that is a mapping.
    dims : tuple of str
        Its dimensions, in the order of the result's.
    dtype : numpy.dtype
        float64, int16, int32, or object for text.
    fill : float, int or str
        What is there before a block is.
    attributes : dict
        Unit, words, flags.
    coordinate : bool
        Whether it describes the patients rather than what happened to them.
    labels : tuple of str
        Texts by number, for the component of a mixture.
    """

    name: str
    part: Field
    key: str
    dims: tuple[str, ...]
    dtype: np.dtype[Any]
    fill: float | int | str
    attributes: dict[str, Any] = field(hash=False)
    coordinate: bool = False
    labels: tuple[str, ...] = ()

    def of(self, block: BlockResult) -> NDArray[Any]:
        """Numbers or texts of all trajectories of a block, shape (n,)."""
        found = getattr(block, self.part)
        values: NDArray[Any] = found[self.key] if self.key else found
        # References to a few texts, instead of as many texts as patients.
        return np.array(self.labels, dtype=object)[values] if self.labels else values


@dataclass(frozen=True)
class Layout:
    """The arrays of a result.

    Attributes
    ----------
    dims : tuple of str
        Dimensions of the result.
    shape : tuple of int
        Their sizes.
    variables : tuple of Variable
        Everything that blocks fill.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    variables: tuple[Variable, ...]

    @property
    def arrays(self) -> dict[str, tuple[str, ...]]:
        """Dimensions of each array, by name."""
        return {variable.name: variable.dims for variable in self.variables}

    def of(self, variable: Variable, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Those of some numbers, one for each dimension, that belong to a variable."""
        by_name = dict(zip(self.dims, sizes, strict=True))
        return tuple(by_name[dim] for dim in variable.dims)

    def pieces(self, plan: Plan, number: int, block: BlockResult) -> dict[str, NDArray[Any]]:
        """What a block writes into each of the arrays that it fills."""
        shape = tuple(part.stop - part.start for part in plan.box(number))
        found = {}
        filled = {name for name, _ in regions(self.dims, self.arrays, plan, number)}
        for variable in self.variables:
            if variable.name in filled:
                first = tuple(slice(None) if dim in variable.dims else 0 for dim in self.dims)
                found[variable.name] = variable.of(block).reshape(shape)[first]
        return found


def regions(
    dims: tuple[str, ...], arrays: Mapping[str, tuple[str, ...]], plan: Plan, number: int
) -> Iterator[tuple[str, tuple[slice, ...]]]:
    """Arrays that a block fills, and where.

    An array without some of the dimensions (a parameter drawn once for all cells) is filled by the
    blocks that stand first along these, so that every chunk has one writer.

    Parameters
    ----------
    dims : tuple of str
        Dimensions of the result.
    arrays : mapping of str to tuple of str
        Dimensions of each array, by name.
    plan : Plan
        The blocks.
    number : int
        Number of one.
    """
    box = dict(zip(dims, plan.box(number), strict=True))
    for name, own in arrays.items():
        if all(box[dim].start == 0 for dim in dims if dim not in own):
            yield name, tuple(box[dim] for dim in own)


def layout_of(sweep: Sweep) -> Layout:
    """Work out the arrays of a sweep's result, without simulating.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    """
    model = sweep.scenario.model
    found = [
        Variable(name, "values", name, sweep.dims, NUMBER, np.nan, describe_number(each))
        for name, each in sweep.keep.numbers.items()
    ]
    found += [
        Variable(name, cast(Field, name), "", sweep.dims, kind, fill, describe_fact(name))
        for name, (kind, fill) in SOLVER_FACTS.items()
    ]
    taken = {*result_names(sweep.scenario, sweep.keep, courses=False), *sweep.dims}
    taken |= {axis.name for axis in sweep.design.axes}
    for name, dims in sampled_dims(sweep).items():
        key = f"parameter:{name}" if name in taken else name
        words = described(model.unit_of(name), model.words_of(name))
        whole = (*dims, "patient")
        found.append(Variable(key, "sampled", name, whole, NUMBER, np.nan, words, coordinate=True))
    labelled = label_dims(sweep)
    if labelled is not None:
        population = sweep.scenario.population
        assert population is not None
        assert population.mixture is not None
        name, whole = population.mixture.name, (*labelled, "patient")
        words = describe_label(name)
        labels = tuple(population.mixture.labels)
        text = np.dtype(object)
        found.append(Variable(name, "component", "", whole, text, "", words, True, labels))
    return Layout(sweep.dims, sweep.shape, tuple(found))


def axis_coordinates(sweep: Sweep) -> dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]]:
    """Values of the axes, and what is given one a patient: known before anything is simulated.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.

    Returns
    -------
    dict of str to (dims, values, attributes)
    """
    coordinates: dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]] = {}
    varied = {axis.path for axis in sweep.design.axes}
    is_grid = sweep.design.dims != ("point",)
    columns = sweep.design.columns(np.arange(sweep.n_cells)) if not is_grid else {}
    for axis in sweep.design.axes:
        unit = unit_of(sweep.scenario, axis.path)
        about: dict[str, Any] = {
            "long_name": words_of(sweep.scenario, axis),
            "path": axis.path,
        }
        if unit:
            instant = is_instant(axis.path)
            about |= described(unit, about["long_name"], is_instant=instant)
            if instant and "infusion" not in varied:
                about["infusion"] = sweep.scenario.infusion
        values = axis.levels if is_grid else columns[axis.path]
        dim = axis.name if is_grid else "point"
        coordinates[axis.name] = (dim,), values, about
    if not is_grid:
        coordinates["point"] = ("point",), np.arange(sweep.n_cells), {"long_name": "point"}
    for name, (values, about) in given_coordinates(sweep.scenario).items():
        if name not in varied and (name != "simulation_stop" or "stop" not in varied):
            coordinates[name] = ("patient",), values, about
    return coordinates

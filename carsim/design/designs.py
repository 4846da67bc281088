"""Which cells of the space of assumptions are simulated: grids, lists, random designs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.design.axis import Axis, Column
from carsim.errors import ScenarioError, unknown

Cells: TypeAlias = NDArray[np.int64]


def check_distinct(axes: Sequence[Axis], who: str) -> None:
    """Refuse two axes with one path or one name.

    Parameters
    ----------
    axes : sequence of Axis
        What is varied.
    who : str
        Who asks, for the message.
    """
    for what in ("path", "name"):
        given = [getattr(axis, what) for axis in axes]
        twice = sorted(item for item, count in Counter(given).items() if count > 1)
        if twice:
            advice = "Keep one axis." if what == "path" else "Give one of them another name."
            raise ScenarioError(f"{who}: two axes have the {what} '{twice[0]}'. {advice}")


@dataclass(frozen=True)
class Design(ABC):
    """Cells of a sweep over axes.

    Parameters
    ----------
    axes : sequence of Axis
        At least one, with different paths and names.
    """

    axes: Sequence[Axis]
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(self.axes))
        if not self.axes:
            raise ScenarioError(
                f"{self.kind} design: there is no axis. Give at least one, for example "
                f"Axis('therapy.entecavir.stop', values=[90, 180, 365])."
            )
        check_distinct(self.axes, f"{self.kind} design")

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each dimension."""

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions: the axes of a grid, else ``point``."""
        return ("point",)

    @property
    def size(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)

    @abstractmethod
    def columns(self, cells: Cells) -> dict[str, Column]:
        """Values of the axes in some cells.

        Parameters
        ----------
        cells : int64 array, shape (n,)
            Indices from 0 to `size`, in C order for a grid.

        Returns
        -------
        dict of str to array, shape (n,)
            By path.
        """


@dataclass(frozen=True)
class Single(Design):
    """One cell and nothing varied: what a simulation without a sweep is."""

    axes: Sequence[Axis] = ()
    kind: ClassVar[str] = "single"

    def __post_init__(self) -> None:
        if self.axes:
            raise ScenarioError("single design: it has no axes. Use a grid.")

    @property
    def shape(self) -> tuple[int, ...]:
        """No dimension."""
        return ()

    @property
    def dims(self) -> tuple[str, ...]:
        """No dimension."""
        return ()

    def columns(self, cells: Cells) -> dict[str, Column]:
        """Nothing is varied."""
        return {}


@dataclass(frozen=True)
class Grid(Design):
    """Every value of each axis with every value of the others: one dimension an axis."""

    kind: ClassVar[str] = "grid"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._levels  # an axis without values is refused here, and not in the middle of a run

    @cached_property
    def _levels(self) -> tuple[Column, ...]:
        return tuple(axis.levels for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each axis."""
        return tuple(len(levels) for levels in self._levels)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(axis.name for axis in self.axes)

    def columns(self, cells: Cells) -> dict[str, Column]:
        """Values of the axes in some cells (see `Design.columns`)."""
        positions = np.unravel_index(cells, self.shape)
        return {
            axis.path: levels[position]
            for axis, levels, position in zip(self.axes, self._levels, positions, strict=True)
        }


@dataclass(frozen=True)
class List(Design):
    """A list of cells: the first values of all axes, the second values of all axes, and so on."""

    kind: ClassVar[str] = "list"

    def __post_init__(self) -> None:
        super().__post_init__()
        lengths = {axis.name: len(axis.levels) for axis in self.axes}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ScenarioError(
                f"list design: the axes have different numbers of values ({counts}). Give each "
                f"the same number, or use a grid for all combinations."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of any axis."""
        return (len(self.axes[0].levels),)

    def columns(self, cells: Cells) -> dict[str, Column]:
        """Values of the axes in some cells (see `Design.columns`)."""
        return {axis.path: axis.levels[cells] for axis in self.axes}


@dataclass(frozen=True)
class Sampled(Design):
    """A design that chooses its own points; the same seed gives the same points.

    Parameters
    ----------
    axes : sequence of Axis
        Axes with `low` and `high`, or with values to choose from.
    points : int
        Number of points.
    seed : int, optional
        Seed of the design; 0 is a seed like any other.
    """

    points: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value, least in (("points", self.points, 1), ("seed", self.seed, 0)):
            if not _is_whole(value) or not least <= value < 2**63:
                raise ScenarioError(
                    f"{self.kind} design: {name} = {value!r} must be a whole number, "
                    f"{least} or more."
                )
        for axis in self.axes:
            if axis.points is not None:
                raise ScenarioError(
                    f"axis '{axis.path}': points = {axis.points} is for grids. A {self.kind} "
                    f"design has one number of points for all its axes: give it there."
                )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points."""
        return (int(self.points),)

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Points of the unit cube, shape (points, n_axes)."""
        return self._draw(len(self.axes))

    @abstractmethod
    def _draw(self, dimension: int) -> NDArray[np.float64]: ...

    def columns(self, cells: Cells) -> dict[str, Column]:
        """Values of the axes in some cells (see `Design.columns`)."""
        shares = self.shares[cells]
        return {axis.path: axis.at(shares[:, k]) for k, axis in enumerate(self.axes)}


@dataclass(frozen=True)
class Random(Sampled):
    """Independent points; more points keep the first ones."""

    kind: ClassVar[str] = "random"

    def _draw(self, dimension: int) -> NDArray[np.float64]:
        return np.random.Generator(np.random.Philox(self.seed)).random((self.points, dimension))


@dataclass(frozen=True)
class LatinHypercube(Sampled):
    """Points of which each axis sees one in each of as many equal shares.

    The shares follow from the number of points, so another number is another design: its points
    are not those of a smaller one and some more.
    """

    kind: ClassVar[str] = "latin_hypercube"

    def _draw(self, dimension: int) -> NDArray[np.float64]:
        from scipy.stats import qmc  # takes seconds to import

        points: NDArray[np.float64] = qmc.LatinHypercube(dimension, rng=self.seed).random(
            self.points
        )
        return points


@dataclass(frozen=True)
class Sobol(Sampled):
    """A scrambled Sobol sequence: fills the space more evenly than chance; best at powers of 2.

    More points keep the first ones.
    """

    kind: ClassVar[str] = "sobol"

    def _draw(self, dimension: int) -> NDArray[np.float64]:
        from scipy.stats import qmc  # takes seconds to import

        exponent = max(0, math.ceil(math.log2(self.points)))
        points: NDArray[np.float64] = qmc.Sobol(dimension, rng=self.seed).random_base2(exponent)
        return points[: self.points]


DESIGNS: dict[str, type[Design]] = {
    kind.kind: kind for kind in (Grid, List, Random, LatinHypercube, Sobol)
}


def make_design(kind: str, axes: Sequence[Axis], points: int | None, seed: int) -> Design:
    """Build a design by its name in config files.

    Parameters
    ----------
    kind : {"grid", "list", "random", "latin_hypercube", "sobol"}
        Which design.
    axes : sequence of Axis
        What is varied.
    points : int or None
        Number of points; for the designs that choose their own, and for these only.
    seed : int
        Seed of those designs.
    """
    if kind not in DESIGNS:
        raise ScenarioError(unknown("design", kind, DESIGNS, "a sweep"))
    chosen = DESIGNS[kind]
    if issubclass(chosen, Sampled):
        if points is None:
            raise ScenarioError(f"{kind} design: say how many points, for example points = 64.")
        return chosen(tuple(axes), points, seed)
    if points is not None:
        raise ScenarioError(
            f"{kind} design: points = {points} is for random, latin_hypercube and sobol designs. "
            f"Remove it, or give it to an axis beside low and high."
        )
    return chosen(tuple(axes))


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)

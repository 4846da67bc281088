"""Points at which a model is evaluated for Sobol indices and for elementary effects."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.design import Sampled
from carsim.errors import CarsimError, ScenarioError

Array = NDArray[np.float64]
#: What was computed at the points: a function of the table of factors, one output, or several.
Values: TypeAlias = Callable[[Array], Array] | Array | Mapping[str, Array]

LEVELS = 4
OUTPUT = "output"


@dataclass(frozen=True)
class Saltelli(Sampled):
    """Two independent tables A and B, and A with one column of B for each factor.

    A and B are the two halves of a scrambled Sobol sequence in twice as many dimensions as there
    are factors. The order is A, B, A with the first column of B, A with the second, and so on:
    ``points * (n_factors + 2)`` evaluations.

    Parameters
    ----------
    axes : sequence of Axis
        The factors, two or more.
    points : int
        Rows of A; a power of two, at which the sequence is balanced.
    seed : int, optional
        Seed of the scrambling.

    References
    ----------
    A. Saltelli et al. (2010). Variance based sensitivity analysis of model output. Design and
    estimator for the total sensitivity index. Computer Physics Communications 181:259-270.
    doi:10.1016/j.cpc.2009.09.018
    """

    kind: ClassVar[str] = "saltelli"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.axes) < 2:
            raise ScenarioError(
                "sobol: there is one factor, to which all variance is due. Give two or more."
            )
        if self.points & (self.points - 1):
            below = 2 ** int(math.log2(self.points))
            raise ScenarioError(
                f"sobol: samples = {self.points} is not a power of two, at which the sequence is "
                f"balanced. Give {below} or {2 * below}."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of evaluations."""
        return (self.points * (len(self.axes) + 2),)

    def _draw(self, dimension: int) -> Array:
        from scipy.stats import qmc  # takes seconds to import

        # The exponent, not the number: exact also for one point.
        exponent = self.points.bit_length() - 1
        both = qmc.Sobol(2 * dimension, rng=self.seed).random_base2(exponent)
        a, b = both[:, :dimension], both[:, dimension:]
        tables = [a, b]
        for k in range(dimension):
            mixed = a.copy()
            mixed[:, k] = b[:, k]
            tables.append(mixed)
        return np.concatenate(tables)


@dataclass(frozen=True)
class MorrisTrajectories(Sampled):
    """Random walks on a grid that change one factor at a time: ``points * (n_factors + 1)``.

    Parameters
    ----------
    axes : sequence of Axis
        The factors.
    points : int
        Number of walks, two or more.
    seed : int, optional
        Seed of the walks.
    levels : int, optional
        Values of each factor; an even number. A step is ``levels / (2 * (levels - 1))`` of the
        range.

    References
    ----------
    M. D. Morris (1991). Factorial sampling plans for preliminary computational experiments.
    Technometrics 33:161-174. doi:10.1080/00401706.1991.10484804
    """

    levels: int = LEVELS
    kind: ClassVar[str] = "morris"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.points < 2:
            raise ScenarioError(
                f"morris: samples = {self.points}. The spread of the elementary effects needs two "
                f"trajectories or more."
            )
        if not _is_even(self.levels):
            raise ScenarioError(
                f"morris: levels = {self.levels!r} must be an even number, 2 or more."
            )
        for axis in self.axes:
            if axis.values is not None and isinstance(axis.values[0], str):
                raise ScenarioError(
                    f"morris: factor '{axis.path}' has labels, which are no distance apart. Give "
                    f"numbers, or use Sobol indices."
                )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of evaluations."""
        return (self.points * (len(self.axes) + 1),)

    def problem(self) -> dict[str, object]:
        """Describe the unit cube to SALib; values are made of its points by the axes."""
        n = len(self.axes)
        return {"num_vars": n, "names": [f"x{k}" for k in range(n)], "bounds": [[0.0, 1.0]] * n}

    def _draw(self, dimension: int) -> Array:
        require_salib()
        from SALib.sample import morris

        points: Array = morris.sample(
            self.problem(), self.points, num_levels=self.levels, seed=self.seed
        )
        # Sums of steps may miss the ends of the unit interval by one bit.
        return np.clip(points, 0.0, 1.0)


def _is_even(value: object) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and int(value) >= 2 and int(value) % 2 == 0  # type: ignore[call-overload]


def require_salib() -> str:
    """Return the version of SALib, or say how to install it."""
    import importlib.metadata

    try:
        return importlib.metadata.version("SALib")
    except importlib.metadata.PackageNotFoundError:
        raise CarsimError(
            "Morris' elementary effects need the package SALib, which is not installed. Install "
            "it with: pip install 'carsim[sensitivity]'"
        ) from None


def design_hash(shares: Array) -> str:
    """Digest of the points, so that two studies can be seen to have used the same.

    Parameters
    ----------
    shares : float64 array, shape (n_points, n_factors)
        Points of the unit cube, or the values themselves.

    Returns
    -------
    str
        64 hexadecimal digits (SHA-256 of the shape and the little-endian numbers).
    """
    digest = hashlib.sha256(repr(shares.shape).encode())
    digest.update(np.ascontiguousarray(shares, dtype="<f8").tobytes())
    return digest.hexdigest()


def evaluated(design: Sampled, values: Values) -> dict[str, Array]:
    """Outputs at all points of a design, by name.

    Parameters
    ----------
    design : Sampled
        Whose points.
    values : callable, array or mapping
        See `carsim.sensitivity.sobol`.

    Raises
    ------
    ScenarioError
        A wrong number of values, or one that is not finite.
    """
    if callable(values):
        columns = design.columns(np.arange(design.size))
        for path, column in columns.items():
            if column.dtype.kind not in "iuf":
                raise ScenarioError(
                    f"{design.kind}: factor '{path}' has labels, which are no numbers for a "
                    f"function. Evaluate it yourself, and give the values."
                )
        values = values(np.column_stack(list(columns.values())).astype(np.float64))
    outputs = values if isinstance(values, Mapping) else {OUTPUT: values}
    found = {}
    for name, given in outputs.items():
        column = np.asarray(given, dtype=np.float64)
        if column.shape != (design.size,):
            raise ScenarioError(
                f"{design.kind}: output '{name}' has the shape {column.shape}. The design has "
                f"{design.size} points: give one number for each, in its order."
            )
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise ScenarioError(
                f"{design.kind}: output '{name}' is {column[bad[0]]} at point {bad[0]} (and at "
                f"{bad.size - 1} more). The indices need a number at every point."
            )
        found[str(name)] = column
    return found

"""A model as the engine sees it: compiled kernels and sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from carsim.engine.plan import FloatArray

Kernel = Callable[..., None]


@dataclass(frozen=True, eq=False)
class Program:
    """Compiled kernels (see `carsim.engine.signatures`) and the sizes of their arrays.

    Attributes
    ----------
    lanes : int
        Patients that one call advances.
    n_states, n_parameters, n_observables : int
        As the model declares them.
    n_derived : int
        Functions of parameters only, stored last.
    n_leaves : int
        Values behind the observables that change their sign where one of them has a kink or jumps.
    leaves : tuple of tuple of int
        By observable, the numbers of its own among these; they count on from the observables.
    reads : tuple of tuple of int
        By observable and leaf, the states that it is a function of.
    inclusive : tuple of bool
        By switch, whether it holds where it changes. Their modes are stored behind the parameters
        and the factor on the tolerances.
    n_jacobian, n_factors : int
        Structurally nonzero entries of the Jacobian and of its LU factors.
    autonomous : bool
        No equation mentions the time.
    jacobian_positions : tuple of (row, column)
    observing : callable
        Gives the kernel ``observe`` of some observables and leaves, by their numbers, ascending.
    """

    lanes: int
    n_states: int
    n_parameters: int
    n_derived: int
    n_observables: int
    n_leaves: int
    n_jacobian: int
    n_factors: int
    autonomous: bool
    leaves: tuple[tuple[int, ...], ...]
    reads: tuple[tuple[int, ...], ...]
    inclusive: tuple[bool, ...]
    jacobian_positions: tuple[tuple[int, int], ...]
    derive: Kernel
    rhs: Kernel
    jacobian: Kernel
    time_derivative: Kernel
    observing: Callable[[tuple[int, ...]], Kernel]
    switch: Kernel
    factor: Kernel
    solve: Kernel

    @property
    def n_all_parameters(self) -> int:
        """Parameters, factor on the tolerances, modes and functions of parameters."""
        return self.n_parameters + 1 + len(self.inclusive) + self.n_derived

    def evaluate_rhs(self, t: FloatArray, y: FloatArray, p: FloatArray) -> FloatArray:
        """The derivatives at many points, shape (n, n_states).

        Parameters
        ----------
        t : float64 array, shape (n,)
        y : float64 array, shape (n, n_states)
        p : float64 array, shape (n, n_parameters)
        """
        return self._evaluate(self.rhs, self.n_states, t, y, p)

    def evaluate_observables(self, t: FloatArray, y: FloatArray, p: FloatArray) -> FloatArray:
        """The observables at many points, shape (n, n_observables)."""
        observe = self.observing(tuple(range(self.n_observables)))
        return self._evaluate(observe, self.n_observables, t, y, p)

    def evaluate_jacobian(self, t: FloatArray, y: FloatArray, p: FloatArray) -> FloatArray:
        """The Jacobian at many points, dense, shape (n, n_states, n_states)."""
        entries = self._evaluate(self.jacobian, self.n_jacobian, t, y, p)
        dense = np.zeros((len(entries), self.n_states, self.n_states))
        for k, (i, j) in enumerate(self.jacobian_positions):
            dense[:, i, j] = entries[:, k]
        return dense

    def _set_modes(self, times: FloatArray, states: FloatArray, parameters: FloatArray) -> None:
        """Set the modes to what the comparisons are at these very times."""
        found = np.empty((2 * len(self.inclusive), self.lanes))
        for number, inclusive in enumerate(self.inclusive):
            flat: Any = parameters.reshape(-1)
            self.switch(self.lanes, times, states.reshape(-1), flat, found.reshape(-1))
            gap = found[2 * number] + found[2 * number + 1] * times
            holds = gap <= 0.0 if inclusive else gap < 0.0
            parameters[self.n_parameters + 1 + number] = holds

    def _evaluate(
        self, kernel: Kernel, n_out: int, t: FloatArray, y: FloatArray, p: FloatArray
    ) -> FloatArray:
        lanes = self.lanes
        result = np.empty((len(t), n_out))
        times = np.zeros(lanes)
        states = np.ones((self.n_states, lanes))
        parameters = np.ones((self.n_all_parameters, lanes))
        out = np.empty((max(n_out, 1), lanes))
        for first in range(0, len(t), lanes):
            last = min(first + lanes, len(t))
            n = last - first
            times[:n] = t[first:last]
            states[:, :n] = y[first:last].T
            parameters[: self.n_parameters, :n] = p[first:last].T
            flat: Any = parameters.reshape(-1)
            self.derive(lanes, flat)
            self._set_modes(times, states, parameters)
            kernel(lanes, times, states.reshape(-1), flat, out.reshape(-1))
            result[first:last] = out[:n_out, :n].T
        return result

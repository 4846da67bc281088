"""What a model conserves: weighted sums of states whose derivatives always cancel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from carsim.model import Model
from carsim.scenario import Scenario, Solver
from carsim.simulation import simulate

__all__ = ["Law", "conserved", "drift"]

Array = NDArray[np.float64]

POINTS_PER_STATE = 16
WIDTH = 7.0
"""Logarithm of the factor by which random states differ from the initial ones: each process of the
model outweighs the others somewhere, however slow it is."""
SMALLEST = 1e-11
"""Singular values below this part of the largest are zero: derivatives that cancel leave rounding
of 1e-16, and what does not cancel is larger by far in at least some of the random states."""
CANCELS = 1e-9
"""Sum of derivatives, relative to its terms, that counts as rounding."""
ROUNDED_OFF = (1e-6, 1e-9)
"""Weights below this part of the largest, in sizes of the states, are tried as rounding: first
boldly; a sum that does not cancel without them gets the smaller ones back."""
LARGEST_DENOMINATOR = 1000


@dataclass(frozen=True)
class Law:
    """A weighted sum of states that does not change.

    Attributes
    ----------
    weights : dict of str to float
        By state; the others do not take part. Rational numbers are exact.
    """

    weights: dict[str, float]

    def __str__(self) -> str:
        text = ""
        for name, weight in self.weights.items():
            sign = "-" if weight < 0.0 else "+"
            size = "" if abs(weight) == 1.0 else f"{abs(weight):.6g} "
            text += f" {sign} {size}{name}"
        return text.removeprefix(" + ").lstrip()


def conserved(
    model: Model,
    parameters: Mapping[str, float] | None = None,
    variants: Sequence[str] = (),
) -> list[Law]:
    """Find the weighted sums of states that the equations conserve, without therapy.

    They are the left null space of the derivatives at many random states: a weight vector that
    cancels all of them cancels the equations. A state whose derivative is always zero is one such
    sum; an empty pool that nothing fills is not looked for.

    Parameters
    ----------
    model : Model
        The model.
    parameters : mapping of str to float, optional
        Values in place of the model's; a sum may be conserved for some only.
    variants : sequence of str, optional
        Named parameter sets.

    Returns
    -------
    list of Law
        Independent, each with as few states as elimination leaves.
    """
    y0, p = model.initial_state(model.parameter_values(parameters or {}, variants))
    n = len(model.states)
    generator = np.random.default_rng(20260301)
    count = POINTS_PER_STATE * (n + 2)
    filled = np.abs(y0[0][y0[0] != 0.0])
    # A pool that starts empty is tried at the sizes of the others.
    usual = float(np.exp(np.log(filled).mean())) if filled.size else 1.0
    sizes = np.where(y0[0] != 0.0, np.abs(y0[0]), usual)
    y = sizes * np.exp(generator.uniform(-WIDTH, WIDTH, (count, n)))
    t = generator.uniform(0.0, 100.0, count)
    columns = model.derivatives(t, list(y.T), [np.full(count, value) for value in p[0]])
    table = np.stack([np.broadcast_to(np.asarray(c, np.float64), (count,)) for c in columns], 1)
    table = table[np.isfinite(table).all(axis=1)]
    spread = np.abs(table).max(axis=0, initial=0.0)
    scale = np.where(spread > 0.0, spread, 1.0)
    even = table / scale
    largest = np.abs(even).max(axis=1, keepdims=True)
    even = np.divide(even, largest, out=np.zeros_like(even), where=largest > 0.0)
    even = np.concatenate([even, np.zeros((n, n))])
    _, values, vectors = np.linalg.svd(even, full_matrices=False)
    null = vectors[values <= SMALLEST * max(values[0], 1.0)] / scale
    laws = []
    for row in _reduced(null * sizes):
        for smallest in ROUNDED_OFF:
            weights = _rational(
                np.where(np.abs(row) > smallest * np.abs(row).max(), row, 0.0) / sizes
            )
            terms = table * weights
            residual = np.abs(terms.sum(axis=1))
            if np.all(residual <= CANCELS * np.abs(terms).sum(axis=1)):
                kept = {
                    name: float(w)
                    for name, w in zip(model.state_names, weights, strict=True)
                    if w != 0.0
                }
                laws.append(Law(kept))
                break
    return laws


def drift(
    model: Model,
    laws: Sequence[Law],
    parameters: Mapping[str, float] | None = None,
    variants: Sequence[str] = (),
    *,
    stop: float = 100.0,
    solver: Solver | None = None,
) -> list[float]:
    """Largest change of conserved sums along a run, relative to the sizes of their terms.

    Parameters
    ----------
    model : Model
        The model.
    laws : sequence of Law
        Result of `conserved`.
    parameters : mapping of str to float, optional
        Values in place of the model's.
    variants : sequence of str, optional
        Named parameter sets.
    stop : float
        Length of the run, in the time unit of the model.
    solver : Solver, optional
        Method and tolerance.

    Returns
    -------
    list of float
        One number a law.
    """
    scenario = Scenario(
        model,
        parameters=dict(parameters or {}),
        variants=variants,
        stop=stop,
        outputs=model.state_names,
        solver=solver or Solver(),
    )
    result = simulate(scenario, on_failure="raise")
    found = []
    for law in laws:
        terms = np.array([w * result[name].values for name, w in law.weights.items()])
        total = terms.sum(axis=0)
        size = float(np.abs(terms).sum(axis=0).max())
        found.append(float(np.abs(total - total[0]).max()) / size if size else 0.0)
    return found


def _reduced(rows: Array) -> Array:
    """Reduced row echelon form, with the largest entry of each column as pivot."""
    rows = rows.copy()
    done = 0
    for column in range(rows.shape[1]):
        if done == len(rows):
            break
        pivot = done + int(np.argmax(np.abs(rows[done:, column])))
        if abs(rows[pivot, column]) <= 1e-9 * np.abs(rows[done:]).max():
            continue
        rows[[done, pivot]] = rows[[pivot, done]]
        rows[done] /= rows[done, column]
        others = np.arange(len(rows)) != done
        rows[others] -= np.outer(rows[others, column], rows[done])
        done += 1
    return rows


def _rational(row: Array) -> Array:
    """Weights relative to the first, as fractions where they are close to simple ones."""
    row = row / row[np.flatnonzero(row)[0]]
    near = np.array([float(Fraction(w).limit_denominator(LARGEST_DENOMINATOR)) for w in row])
    return np.where(np.abs(near - row) <= 1e-8 * np.abs(row), near, row)

"""A benchmark problem as the peers see it: equations, patients, stops and a reference solution.

Standard library and numpy only: it is read in the environments of the peers.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.equations import Equations

Array = NDArray[np.float64]

ARRAYS = ("times", "y0", "p", "scale", "reference")
FLOOR = 1e-6
"""Part of a state's largest value below which its relative error does not count."""


@dataclass(frozen=True)
class Segment:
    """A stretch of time between two stops.

    Attributes
    ----------
    start, stop : float
    add : dict of int to float
        Added to these states at `start`.
    set : dict of int to float
        Value of these parameters from `start` on.
    """

    start: float
    stop: float
    add: dict[int, float]
    set: dict[int, float]


@dataclass(frozen=True)
class Problem:
    """One problem with its patients.

    Attributes
    ----------
    name : str
    equations : Equations
    segments : list of Segment
    times : array, shape (n_times,)
        Saved points; the first is the start.
    y0 : array, shape (n_patients, n_states), scaled
        Before the first segment's additions.
    scale : array, shape (n_states,)
        Model units of one unit of a state in the equations above. Equations are scaled so that
        states are of order one, because some peers know one absolute tolerance for all states.
    p : array, shape (n_patients, n_parameters)
    reference : array, shape (n_reference, n_times, n_states)
        Solutions of the first patients; empty before they are computed.
    """

    name: str
    equations: Equations
    segments: list[Segment]
    times: Array
    y0: Array
    p: Array
    scale: Array
    reference: Array

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.equations.states)

    def pieces(self) -> list[tuple[Segment, slice]]:
        """Segments and their saved points; a point on a stop shows the state after the stop."""
        edges = [int(np.searchsorted(self.times, s.start)) for s in self.segments]
        edges.append(len(self.times))
        return [(s, slice(edges[i], edges[i + 1])) for i, s in enumerate(self.segments)]

    def errors(self, solution: Array) -> Array:
        """Error of each patient's solution against the reference.

        The largest over states and times of ``|y - ref| / (|ref| + FLOOR * max_t |ref|)``;
        infinite where the solution is not finite.
        """
        reference = self.reference[: len(solution)]
        solution = solution[: len(reference)]
        scale = np.abs(reference) + FLOOR * np.abs(reference).max(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.abs(solution - reference) / scale
        error[(scale == 0.0) & (solution == 0.0)] = 0.0
        error[~np.isfinite(error)] = np.inf
        largest: Array = error.max(axis=(1, 2))
        return largest

    def save(self, folder: Path) -> None:
        """Write the problem to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        text = {
            "name": self.name,
            "equations": asdict(self.equations),
            "segments": [asdict(s) for s in self.segments],
        }
        (folder / "problem.json").write_text(json.dumps(text))
        np.savez(
            folder / "arrays.npz",
            **{name: getattr(self, name) for name in ARRAYS},
        )

    @classmethod
    def load(cls, folder: Path) -> Problem:
        """Read a problem that `save` wrote."""
        text = json.loads((folder / "problem.json").read_text())
        with np.load(folder / "arrays.npz") as arrays:
            return cls(
                name=text["name"],
                equations=Equations(**text["equations"]),
                segments=[
                    Segment(
                        s["start"],
                        s["stop"],
                        {int(k): v for k, v in s["add"].items()},
                        {int(k): v for k, v in s["set"].items()},
                    )
                    for s in text["segments"]
                ],
                **{name: arrays[name] for name in ARRAYS},
            )

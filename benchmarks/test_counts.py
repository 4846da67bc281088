"""Work that the engine does, in counts: the same on every machine, so a change can be gated on it.

Speed is measured by `benchmarks.run`; this fails when a change makes the solver take more steps,
waste lanes or lose accuracy on the same problems. Improve a number, and lower its bound.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest

from benchmarks.cases import CASES
from carsim.engine.plan import Trajectories
from carsim.kernels.compile import compile_model
from carsim.scenario import Solver, prepare
from carsim.simulation import solve

PATIENTS = 96


class Bound(NamedTuple):
    """What a method may need at most, at rtol 1e-5."""

    problem: str
    method: str
    steps: float  # mean number of accepted steps a patient
    rejected: float  # part of the tries
    error: float  # median achieved error


BOUNDS = (
    Bound("stiff18", "rodas5p", steps=420, rejected=0.1, error=6e-5),
    Bound("nonstiff5", "dormand_prince", steps=260, rejected=0.1, error=6e-4),
    Bound("leon_triana_2021", "dormand_prince", steps=400, rejected=0.15, error=1e-3),
)


def run(problem: str, method: str, rtol: float, patients: int = PATIENTS) -> Trajectories:
    """Solve the first patients of a benchmark problem."""
    case = CASES[problem]
    prepared = prepare(case.scenario(patients, solver=Solver(method=method, rtol=rtol, threads=1)))
    scale = case.scale if case.scale is not None else 1.0
    atol = np.full(len(prepared.atol), 1e-6 * rtol * scale)
    floors = np.full(len(prepared.floors), -np.inf)
    return solve(dataclasses.replace(prepared, atol=atol, floors=floors))


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda b: f"{b.problem}-{b.method}")
def test_steps_and_accuracy(bound: Bound) -> None:
    found = run(bound.problem, bound.method, 1e-5)
    exact = run(bound.problem, "rodas5p", 1e-9).saved
    assert np.all(found.status == 0)
    steps = float(found.n_steps.mean())
    rejected = float(found.n_rejected.sum() / (found.n_steps + found.n_rejected).sum())
    scale = np.abs(exact) + 1e-6 * np.abs(exact).max(axis=2, keepdims=True)
    error = float(np.median((np.abs(found.saved - exact) / scale).max(axis=(0, 2))))
    measured = f"{steps:.0f} steps, {rejected:.2f} rejected, error {error:.1e}"
    assert steps <= bound.steps, measured
    assert rejected <= bound.rejected, measured
    assert error <= bound.error, measured


@pytest.mark.parametrize("problem", ["stiff18", "nonstiff5"])
def test_lanes_are_kept_busy(problem: str) -> None:
    found = run(problem, "rodas5p", 1e-5, patients=512)
    busy = float((found.n_steps + found.n_rejected).sum() / found.lane_steps)
    # What is lost is the end, when no patient is left to fill a lane.
    assert busy >= 0.97, f"lane efficiency {busy:.4f}"


def test_factors_have_little_fill_in() -> None:
    program = compile_model(CASES["stiff18"].load())
    assert program.n_jacobian <= 58
    assert program.n_factors <= 72

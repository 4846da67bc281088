"""Write a benchmark problem in the form that the peers read, with its reference solution."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from pathlib import Path

import numpy as np

from benchmarks.cases import Case
from benchmarks.equations import Equations, Operation
from benchmarks.problem import Array, Problem, Segment
from carsim.engine.plan import Action, CourseKind, Courses
from carsim.model import Model
from carsim.scenario import prepare
from carsim.symbolic.derivative import derivative
from carsim.symbolic.expression import Expression, Graph

REFERENCE_RTOL = 1e-12


def export(case: Case, folder: Path) -> Problem:
    """Write `case` to `folder`; a reference that is there already and still fits is kept."""
    prepared = prepare(case.scenario())
    model = prepared.model
    inputs = _input_states(prepared.block(0, 1).therapy.courses)
    shape = len(model.state_names)
    scale = np.full(shape, case.scale) if case.scale is not None else _largest_values(case)
    extra = np.zeros((prepared.n_patients, len(inputs)))
    problem = Problem(
        name=case.name,
        equations=equations(model, scale, inputs),
        segments=_segments(case, model, scale, inputs),
        times=np.asarray(prepared.save.times),
        y0=prepared.y0 / scale,
        p=np.hstack([prepared.p, extra]),
        scale=scale,
        reference=np.empty((0, len(prepared.save.times), shape)),
    )
    digest = _digest(problem, case.references)
    mark = folder / "reference.digest"
    if mark.is_file() and mark.read_text() == digest:
        return Problem.load(folder)
    problem = dataclasses.replace(problem, reference=_reference(problem, case))
    problem.save(folder)
    mark.write_text(digest)
    return problem


def equations(model: Model, scale: Array, inputs: list[int]) -> Equations:
    """The model's equations for scaled states, with one more parameter for each infused state."""
    graph = Graph()
    states = [graph.symbol(f"y.{name}") for name in model.state_names]
    parameters = [graph.symbol(f"p.{name}") for name in model.parameter_names]
    rates = {i: graph.symbol(f"p.input.{model.state_names[i]}") for i in inputs}
    y = model.state_record([s * float(scale[i]) for i, s in enumerate(states)])
    p = model.parameter_record(parameters)
    flat = model.flatten(model.rhs(graph.symbol("t"), y, p))
    derivatives: list[Expression] = []
    for i, equation in enumerate(flat):
        total = graph.lift(equation)
        if i in rates:
            total = total + rates[i]
        derivatives.append(total * (1.0 / float(scale[i])))
    jacobian = []
    for i, equation in enumerate(derivatives):
        for j, symbol in enumerate(states):
            entry = derivative(equation, symbol)
            if entry.constant != 0.0:
                jacobian.append((i, j, entry.index))
    operations: list[Operation] = [
        (
            node.operation,
            node.payload
            if node.operation in ("constant", "symbol")
            else [a.index for a in node.arguments],
        )
        for node in graph.nodes
    ]
    names = [*model.parameter_names, *(f"input.{model.state_names[i]}" for i in inputs)]
    return Equations(
        list(model.state_names), names, operations, [d.index for d in derivatives], jacobian
    )


def _input_states(courses: Courses) -> list[int]:
    """States with a constant input at any time."""
    return sorted({int(i) for i in courses.target[courses.kind == CourseKind.INPUT]})


def _segments(case: Case, model: Model, scale: Array, inputs: list[int]) -> list[Segment]:
    """The stops of all patients, who must have the same ones."""
    therapy = prepare(case.scenario()).block().therapy
    stops, courses = therapy.stops, therapy.courses
    rows = int(stops.offsets[1])
    for column in (stops.time, stops.kind, stops.index, stops.value):
        assert np.array_equal(column, np.tile(column[:rows], len(column) // max(rows, 1))), (
            f"{case.name}: patients differ in their stops; the peers' form has no place for that"
        )
    level = courses.level[0]
    assert (courses.level == level).all(), f"{case.name}: patients differ in their rates or windows"
    scenario = case.scenario(1)
    end = float(np.ravel(scenario.stop)[0])
    edges = sorted({scenario.start, *(float(t) for t in stops.time[:rows]), end})
    segments = []
    running = np.zeros(len(level))
    for start, stop in itertools.pairwise(edges):
        add: dict[int, float] = {}
        values: dict[int, float] = {}
        for k in np.flatnonzero(stops.time[:rows] == start):
            kind, index, value = stops.kind[k], int(stops.index[k]), float(stops.value[k])
            if kind == Action.ADD_STATE:
                add[index] = add.get(index, 0.0) + value / float(scale[index])
            elif kind == Action.SET_PARAMETER:
                values[index] = value
            elif kind == Action.SET_RUNNING:
                running[index] = value
                target = int(courses.target[index])
                if courses.kind[index] == CourseKind.INPUT:
                    alike = (courses.kind == CourseKind.INPUT) & (courses.target == target)
                    total = float((running * level)[alike].sum())
                    values[len(model.parameter_names) + inputs.index(target)] = total
                else:
                    # Where a window ends each patient has a value of its own again.
                    assert courses.kind[index] == CourseKind.VALUE, f"{case.name}: a factor"
                    assert value > 0.0, f"{case.name}: a window ends"
                    values[target] = float(level[index])
            elif kind != Action.RESTART:
                raise AssertionError(f"{case.name}: no place for {Action(kind).name}")
        segments.append(Segment(start, stop, add, values))
    return segments


def _largest_values(case: Case) -> Array:
    """A power of two near each state's largest value."""
    from carsim.simulation import solve

    saved = np.abs(solve(prepare(case.scenario(case.references))).saved)
    largest = np.nanmax(saved, axis=(1, 2))
    return np.exp2(np.round(np.log2(np.where(largest > 0.0, largest, 1.0))))


def _reference(problem: Problem, case: Case) -> Array:
    """Solutions of the first patients by SciPy, which shares no code with what is measured."""
    from benchmarks.peers.scipy_ivp import Solver

    solver = Solver(problem, "Radau" if case.stiff else "DOP853")
    n = case.references
    reference = solver.solve(problem.y0[:n], problem.p[:n], REFERENCE_RTOL)
    assert np.all(np.isfinite(reference)), f"{case.name}: the reference solution failed"
    return reference


def _digest(problem: Problem, references: int) -> str:
    text = repr((problem.equations, problem.segments, references, REFERENCE_RTOL)).encode()
    arrays = (problem.times, problem.y0, problem.p, problem.scale)
    return hashlib.sha256(text + b"".join(a.tobytes() for a in arrays)).hexdigest()

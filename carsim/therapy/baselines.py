"""What a model gives at the start of the simulation: the baseline that rules compare with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carsim.engine.plan import SAME_INSTANT, Action, CourseKind, Stops
from carsim.therapy.building import Builder
from carsim.therapy.values import FloatArray


def outputs_at_start(
    builder: Builder, scheduled: Stops, names: Sequence[str]
) -> dict[str, FloatArray]:
    """Outputs after all that is scheduled for the start, before any rule acts.

    Parameters
    ----------
    builder : Builder
        The patients, and the courses of what is scheduled.
    scheduled : Stops
        What is scheduled.
    names : sequence of str
        States and observables of the model.

    Returns
    -------
    dict of str to float64 array, shape (n_patients,)
    """
    model, start = builder.model, builder.start
    y, p = _at_start(builder, scheduled)
    found: dict[str, FloatArray] = {}
    observed = {o.name: o for o in model.observables}
    states = model.state_record(list(y[:, : len(model.states)].T))
    parameters = model.parameter_record(list(p.T))
    for name in names:
        with np.errstate(all="ignore"):  # what is not a number is never above anything
            value = (
                y[:, model.state_index[name]]
                if name in model.state_index
                else observed[name](start, states, parameters)
            )
        found[name] = np.broadcast_to(np.asarray(value, dtype=np.float64), (len(y),))
    return found


def _at_start(builder: Builder, scheduled: Stops) -> tuple[FloatArray, FloatArray]:
    """States, also those that the therapy adds, and parameters, of every patient."""
    people, sources = builder.people, builder.sources
    n, n_states = people.initial.shape
    base = people.parameters.copy()
    added = [base[:, builder.model.parameter_index[name]] for name in sources.driven]
    y = np.column_stack([people.initial, *added, np.zeros((n, len(sources.integrals)))])
    courses = builder.courses()
    running = np.zeros((n, len(courses.kind)))
    everybody = np.arange(n)
    now = builder.start + SAME_INSTANT * max(abs(builder.start), 1.0)
    first = np.broadcast_to(scheduled.offsets[:-1], (n,))
    last = np.broadcast_to(scheduled.offsets[1:], (n,))
    # Row by row of each patient, as the engine goes through them.
    row = first
    while True:
        due = everybody[row < last]
        due = due[scheduled.time[row[due]] <= now]
        if not due.size:
            break
        for kind in np.unique(scheduled.kind[row[due]]):
            who = due[scheduled.kind[row[due]] == kind]
            index, value = scheduled.index[row[who]], scheduled.value[row[who]]
            if kind == Action.ADD_STATE:
                y[who, index] += value
            elif kind in (Action.SET_STATE, Action.RESET_STATE):
                y[who, index] = value
            elif kind == Action.SET_PARAMETER:
                base[who, index] = value
            elif kind == Action.SET_RUNNING:
                running[who, index] = value
        going = np.zeros(n, dtype=bool)
        going[due] = True
        # Who has nothing more to do has come to the end of his rows.
        row, last = np.where(going, row + 1, row), np.where(going, last, row)
    p = base
    for course_kind in (CourseKind.VALUE, CourseKind.FACTOR):
        for c in np.flatnonzero(courses.kind == course_kind):
            level = np.broadcast_to(courses.level[:, c], (n,))
            target = courses.target[c]
            given = level if course_kind == CourseKind.VALUE else p[:, target] * level
            p[:, target] = np.where(running[:, c] > 0.0, given, p[:, target])
    for k, name in enumerate(sources.driven):
        p[:, builder.model.parameter_index[name]] = y[:, n_states + k]
    return y, p

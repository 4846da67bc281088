"""Which states and observables a run looks at: those of its rules, reductions and saved courses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carsim.engine.plan import Action, IntArray, Reductions, Rules, Save, Stops
from carsim.engine.program import Program


@dataclass(frozen=True)
class Looked:
    """What is looked at of the courses.

    Attributes
    ----------
    observables : tuple of int
        Observables, and leaves behind them, by number.
    states, sources : int64 arrays
        States, those included that the observables read; all sources.
    leaves : int64 array
        Leaves of every source: where those of each begin, and behind that the sources they are.
        None of any source unless one that is looked at between samples has some.
    n_values : int
        Length of the value vector of a patient.
    """

    observables: tuple[int, ...]
    states: IntArray
    sources: IntArray
    leaves: IntArray
    n_values: int


def looked_at(
    program: Program, stops: Stops, rules: Rules, save: Save, reductions: Reductions
) -> Looked:
    """What a run looks at; nothing else of the observables is computed.

    Parameters
    ----------
    program : Program
    stops, rules, save, reductions
        As of `carsim.engine.integrate.integrate`.
    """
    between = {*rules.source[rules.watched != 0].tolist(), *reductions.source.tolist()}
    wanted = {*between, *rules.source.tolist(), *save.sources.tolist()} - {-1}
    for schedule in (stops, rules.actions):
        wanted |= set(schedule.factors[schedule.kind == Action.CAPTURE].tolist())
    n_states = program.n_states
    of_sources: list[tuple[int, ...]] = [()] * (n_states + program.n_observables + program.n_leaves)
    for source in between:
        if source >= n_states:
            of_sources[source] = tuple(n_states + k for k in program.leaves[source - n_states])
            wanted |= set(of_sources[source])
    observables = tuple(sorted(source - n_states for source in wanted if source >= n_states))
    read = {i for k in observables for i in program.reads[k]}
    states = sorted({source for source in wanted if source < n_states} | read)
    places = len(of_sources) + 1 + np.cumsum([0, *map(len, of_sources)])
    return Looked(
        observables,
        np.array(states, dtype=np.int64),
        np.array([*states, *(n_states + k for k in observables)], dtype=np.int64),
        np.concatenate([places, [leaf for one in of_sources for leaf in one]]).astype(np.int64),
        n_states + (observables[-1] + 1 if observables else 0),
    )

"""Steady states of regimens: what the same interval, repeated for ever, leads to.

A regimen is given from the empty states on. Its intervals are not walked through one by one: what
many of them do is extrapolated (`carsim.scenario.repetition`) and looked at on the way, so that
where a nonlinear model has several steady states it is the regimen's own that is reached. For a
linear model the first extrapolation, over all intervals to come, is already exact.

A state is returned only if it has itself been carried over an interval, with finer tolerances than
those it was found with, and came back: what that interval changes is small beside what enters in
an interval, and what all further intervals would still change is small beside the states. All
tolerances are parts of what enters and of what it makes of the states, so that no unit matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from carsim.engine import warm
from carsim.engine.integrate import integrate
from carsim.engine.plan import Action, Courses, Reduction, Reductions, Stops
from carsim.engine.program import Program
from carsim.kernels.compile import compile_model
from carsim.model import Model
from carsim.scenario.repetition import MOST_DOUBLINGS, looks, product, repetition, trusted
from carsim.symbolic.trace import trace
from carsim.therapy.steady import Period, Solve, SteadyStates
from carsim.therapy.values import FloatArray

RTOL = np.array([1e-11, 1e-12, 1e-13])
"""Relative tolerances of an interval. What was found with one is tested with the next, and sought
again with that if it does not pass."""
RESOLVED = 1e-3
"""Absolute tolerance of a state, as a part of the relative one times its size."""
CLOSE = 1e-10
"""Part of the states that all further intervals may still change where a state is found,"""
TESTED = np.array([1e-9, 1e-6])
"""and where it is tested. With the finest tolerances rounding may be all that is left."""
ENTERING = 1e-6
"""Part of what enters that one interval may change."""
NOISE = 10.0
"""Changes below so many relative tolerances may be errors of the integration;"""
SHRINKING = 0.25
"""they are not as long as a leap leaves no more of them."""
LONGEST_MEMORY = 1e10
"""Intervals for which a change may last: what lasts longer drowns in rounding."""
STRAIGHT = 1e-4
"""Part of the first change up to which a first leap must end it, for the model to be linear."""
NUDGE = 1e-3
"""Size of the differences for the slopes; an interval of a linear model does not mind any size."""
MOST_LEAPS = 100
ACCUMULATED = 1e4
"""Times what one interval makes of the empty states: beyond it there is no end in sight."""
ENDLESS = 1e15
"""Beyond it, an interval is lost in the rounding of what is there."""
LENGTHEN = 3
"""Doublings of the time over which a constant rate is looked at, from one leap to the next."""


def solver(model: Model, y0: FloatArray) -> Solve:
    """Make the function that finds steady states of a model's regimens.

    Parameters
    ----------
    model : Model
        Model that is treated.
    y0 : float64 array, shape (n_patients, n_states), model units
        Initial states; those that a regimen does not determine stay as they are.

    Returns
    -------
    callable
        Of a `Period`. Patients without a steady state get NaN.
    """

    def solve(period: Period) -> SteadyStates:
        with warm.compiling(reductions=True):
            program = compile_model(model)
        found = determined(model, program, period)
        values = np.zeros((len(y0), len(found)))
        growing = np.zeros(len(y0), dtype=np.bool_)
        if len(found):
            search = _Search(_Interval(program, model, period, found, y0))
            values[period.patients], growing[period.patients] = search.run()
        facts = _facts(model)
        return SteadyStates(
            found,
            values,
            growing,
            tuple(int(state) for state in found if facts[state][0]),
            frozenset().union(*(facts[state][1] for state in found)),
        )

    return solve


@lru_cache(maxsize=64)
def _facts(model: Model) -> tuple[tuple[bool, frozenset[str]], ...]:
    """Of each state, whether its equation depends on the time, and the parameters it reads."""
    traced = trace(model)
    named = {
        symbol.index: name
        for symbol, name in zip(traced.parameters, model.parameter_names, strict=True)
    }
    found = []
    for equation in traced.derivatives:
        symbols = traced.graph.depends_on(equation)
        reads = frozenset(named[index] for index in symbols & named.keys())
        found.append((traced.time.index in symbols, reads))
    return tuple(found)


def determined(model: Model, program: Program, period: Period) -> NDArray[np.int64]:
    """States that a regimen alone determines, in order.

    Those that it enters, those that feed them (a depot, empty in the steady state of a dose into
    plasma), and those that follow from these alone. A virus that the drug acts on, but that also
    follows the immune system, is not among them; nor is an area under a curve, which has no steady
    state and acts on nothing.

    Parameters
    ----------
    model : Model
        Model that is treated.
    program : Program
        The model, compiled.
    period : Period
        One interval of the regimen.
    """
    pairs = program.jacobian_positions
    reached = _closure(period.states, pairs)
    feeding = _closure(period.states, [(column, row) for row, column in pairs]) - reached
    if feeding and _stay_empty(model, sorted(feeding), period.parameters):
        reached |= feeding
    while True:
        foreign = {row for row, column in pairs if row in reached and column not in reached}
        acting = {column for _, column in pairs}
        idle = {state for state in reached if state not in acting}
        if not foreign and not idle:
            return np.array(sorted(reached), dtype=np.int64)
        reached -= foreign | idle


def _closure(states: Iterable[int], pairs: Iterable[tuple[int, int]]) -> set[int]:
    """States, and what follows from them by pairs of (what follows, from what)."""
    found = set(states)
    while True:
        further = {one for one, other in pairs if other in found} - found
        if not further:
            return found
        found |= further


def _stay_empty(model: Model, states: Sequence[int], p: FloatArray) -> bool:
    """Whether nothing enters some states by itself; nothing outside of them acts on them."""
    y = np.ones((len(model.states), len(p)))
    y[states] = 0.0
    derivatives = model.derivatives(0.0, list(y), list(p.T))
    return all(np.all(np.asarray(derivatives[state]) == 0.0) for state in states)


def _of_owners(stops: Stops, owners: NDArray[np.int64]) -> Stops:
    """The rows of some owners, which may come several times."""
    lengths = np.diff(stops.offsets)[owners]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    moved = np.repeat(stops.offsets[owners] - offsets[:-1], lengths)
    rows = np.arange(offsets[-1]) + moved
    return Stops(
        offsets,
        *(
            getattr(stops, name)[rows]
            for name in ("time", "kind", "index", "value", "item", "counted")
        ),
    )


@dataclass
class _Interval:
    """One interval of a regimen as a function of the states that it determines."""

    program: Program
    model: Model
    period: Period
    found: NDArray[np.int64]
    y0: FloatArray

    def __post_init__(self) -> None:
        signed = np.array([self.model.states[state].signed for state in self.found])
        self.signed = signed
        self.floors = np.full(self.y0.shape[1], -np.inf)
        self.floors[self.found[~signed]] = 0.0
        m = len(self.found)
        kinds = [Reduction.MAXIMUM] * m + [Reduction.MINIMUM] * m
        bound = np.full(2 * m, np.inf)
        self.extremes = Reductions(
            np.array(kinds, dtype=np.int64), np.tile(self.found, 2), -bound, bound, bound
        )

    def lengths(self) -> FloatArray:
        """Time of an interval; of a constant rate, the shortest of the empty states' own times."""
        period = self.period
        length = period.length[period.patients].copy()
        constant = np.flatnonzero(np.isinf(length))
        if constant.size:
            rows = period.patients[constant]
            y = self.y0[rows].copy()
            y[:, self.found] = 0.0
            slopes = self.program.evaluate_jacobian(np.zeros(len(rows)), y, period.parameters[rows])
            slopes = slopes[:, self.found[:, None], self.found]
            slopes[~np.isfinite(slopes)] = 0.0
            fastest = np.abs(np.linalg.eigvals(slopes)).max(axis=1)
            length[constant] = np.where(fastest > 0.0, 1.0 / fastest, 1.0)
        return length

    def entering(self, length: FloatArray) -> FloatArray:
        """Amounts that enter each state in an interval, shape (n, m)."""
        period = self.period
        n, n_courses = len(length), len(period.courses.kind)
        alike = period.stops.n_owners == 1
        owners = np.zeros(n, dtype=np.int64) if alike else period.patients
        stops = _of_owners(period.stops, owners)
        owner = np.repeat(np.arange(n), np.diff(stops.offsets))
        amounts = np.zeros((n, len(self.y0[0])))
        dose = stops.kind == Action.ADD_STATE
        np.add.at(amounts, (owner[dose], stops.index[dose]), np.abs(stops.value[dose]))
        level = np.broadcast_to(period.courses.level, (len(self.y0), n_courses))[period.patients]
        for course, state in enumerate(period.courses.target):
            edges = np.flatnonzero((stops.kind == Action.SET_RUNNING) & (stops.index == course))
            whose, until = owner[edges], length[owner[edges]]
            follows = whose[1:] == whose[:-1]
            until[:-1] = np.where(follows, stops.time[edges][1:], until[:-1])
            given = stops.value[edges] * (until - stops.time[edges]) * level[whose, course]
            np.add.at(amounts, (whose, np.full(len(whose), state)), np.abs(given))
        return amounts[:, self.found]

    def sizes(self, length: FloatArray) -> FloatArray:
        """About what an interval can make of the empty states, for the first tolerances."""
        period = self.period
        size = self.entering(length)
        y = self.y0[period.patients].copy()
        p = period.parameters[period.patients]
        for _ in self.found:
            y[:, self.found] = size
            rates = self.model.derivatives(0.0, list(y.T), list(p.T))
            for k, state in enumerate(self.found):
                reached = np.abs(np.broadcast_to(rates[state], length.shape)) * length
                new = (size[:, k] == 0.0) & np.isfinite(reached)
                size[new, k] = reached[new]
        return size

    def carry(
        self, rows: NDArray[np.int64], starts: FloatArray, length: FloatArray, size: FloatArray,
        rtol: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:  # fmt: skip
        """What an interval makes of many starts, and the largest value of each state on the way.

        Parameters
        ----------
        rows : int64 array, shape (n,)
            Positions among the patients of the period.
        starts : float64 array, shape (n, n_starts, m)
        length : float64 array, shape (n,)
        size : float64 array, shape (n, m)
            Sizes of the states, from which the absolute tolerances follow.
        rtol : float64 array, shape (n,)

        Returns
        -------
        ends, largest : float64 arrays, shape (n, n_starts, m)
            NaN where the interval was not carried to its end.
        """
        # All patients of one call of the engine have the same tolerances. They are whole powers of
        # ten, each patient's own, so that who else is there changes nothing.
        with np.errstate(divide="ignore"):
            decades = np.ceil(np.log10(size)).clip(-280.0, 280.0)
        kinds, group = np.unique(np.column_stack([rtol, decades]), axis=0, return_inverse=True)
        ends, largest = np.empty_like(starts), np.empty_like(starts)
        for number, kind in enumerate(kinds):
            members = np.flatnonzero(group.reshape(-1) == number)
            atol = np.full(self.y0.shape[1], np.inf)
            # States that the regimen does not determine may do what they like: they are put aside
            # by a tolerance that never binds.
            atol[self.found] = RESOLVED * kind[0] * 10.0 ** kind[1:]
            ends[members], largest[members] = self._integrated(
                self.period.patients[rows[members]], starts[members], length[members], kind[0], atol
            )
        return ends, largest

    def _integrated(
        self, patients: NDArray[np.int64], starts: FloatArray, length: FloatArray, rtol: float,
        atol: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:  # fmt: skip
        period, m = self.period, len(self.found)
        n_starts = starts.shape[1]
        rows = np.repeat(patients, n_starts)
        y = self.y0[rows].copy()
        y[:, self.found] = starts.reshape(-1, m)
        stops, level = period.stops, period.courses.level
        courses = Courses(
            period.courses.kind,
            period.courses.target,
            period.courses.item,
            level[rows] if len(level) > 1 else level,
        )
        result = integrate(
            self.program,
            y,
            period.parameters[rows],
            0.0,
            np.repeat(length, n_starts),
            rtol=float(rtol),
            atol=atol,
            floors=self.floors,
            stops=_of_owners(stops, rows) if stops.n_owners > 1 else stops,
            courses=courses,
            n_items=1,
            reductions=self.extremes,
        )
        ends = result.final_state[:, self.found]
        largest = np.maximum(np.abs(result.metrics[:m]), np.abs(result.metrics[m:])).T
        ends[result.status != 0] = np.nan
        return ends.reshape(starts.shape), largest.reshape(starts.shape)


class _Search:
    """All patients of a period on their way to their steady states."""

    def __init__(self, interval: _Interval) -> None:
        n, m = len(interval.period.patients), len(interval.found)
        self.interval = interval
        self.constant = np.isinf(interval.period.length[interval.period.patients])
        self.length = interval.lengths()
        self.x = np.zeros((n, m))
        self.size = interval.sizes(self.length)
        self.stage = np.zeros(n, dtype=np.int64)
        self.most = np.full(n, LENGTHEN)
        """Doublings of the next leap."""
        self.searching = np.ones(n, dtype=np.bool_)
        self.found = np.zeros(n, dtype=np.bool_)
        _, largest = self._carried(np.arange(n), self.x[:, None])
        self.size = _known(largest[:, 0], self.size)
        self.first, self.shortest = self.size.copy(), self.length.copy()

    def run(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Steady states, shape (n, m), and whether there is none because the states only grow."""
        self._straight(np.arange(len(self.x)))
        for _ in range(MOST_LEAPS):
            rows = np.flatnonzero(self.searching)
            if rows.size == 0:
                break
            self._leap(rows)
        entered = self.interval.entering(self.length) > 0.0
        growing = (entered & (np.abs(self.x) > ACCUMULATED * self.first)).any(axis=1)
        self.x[~self.found] = np.nan
        return self.x, growing & ~self.found

    def _carried(
        self, rows: NDArray[np.int64], starts: FloatArray, later: int = 0
    ) -> tuple[FloatArray, FloatArray]:
        """Changes over an interval, and the largest values, at the stage of each or a `later`."""
        ends, largest = self.interval.carry(
            rows, starts, self.length[rows], self.size[rows], RTOL[self.stage[rows] + later]
        )
        return ends - starts, largest

    def _slopes(self, rows: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Change over an interval, shape (n, m), and the slopes of what becomes of the states."""
        m = self.x.shape[1]
        nudges = NUDGE * self.size[rows]
        starts = np.repeat(self.x[rows][:, None, :], m + 1, axis=1)
        for j in range(m):
            starts[:, j + 1, j] += nudges[:, j]
        changes, largest = self._carried(rows, starts)
        self.size[rows] = _known(largest[:, 0], self.size[rows])
        change = changes[:, 0]
        with np.errstate(all="ignore"):
            slopes = ((changes[:, 1:] - changes[:, :1]) / nudges[:, :, None]).transpose(0, 2, 1)
        slopes = np.where(nudges[:, None, :] > 0.0, slopes, 0.0) + np.eye(m)
        # Without slopes the interval is repeated as it is.
        slopes[~np.isfinite(slopes).all(axis=(1, 2))] = 0.0
        # A state that nothing moves stays what it is: an empty depot, a clearance of zero.
        others = (np.where(np.eye(m, dtype=np.bool_), 0.0, slopes) != 0.0).any(axis=2)
        patient, state = np.nonzero((change == 0.0) & ~others)
        slopes[patient, state, :] = 0.0
        slopes[patient, :, state] = 0.0
        return change, slopes

    def _straight(self, rows: NDArray[np.int64]) -> None:
        """Leap over all intervals to come: two corrections are exact if the model is linear."""
        change, slopes = self._slopes(rows)
        total = repetition(change, slopes).total
        for _ in range(2):
            new = self._allowed(self.x[rows] + _moved(total, change))
            after = self._carried(rows, new[:, None])[0][:, 0]
            size = np.maximum(self.size[rows], np.abs(new))
            ahead = _share(after, size) <= STRAIGHT * _share(change, size)
            rows, total, change = rows[ahead], total[ahead], after[ahead]
            self.x[rows] = new[ahead]
            self.most[rows] = MOST_DOUBLINGS
            there = self._there(rows, change, total, np.full(len(rows), CLOSE))
            self._test(rows[there], total[there])
            rows, total, change = rows[~there], total[~there], change[~there]
            if rows.size == 0:
                break

    def _leap(self, rows: NDArray[np.int64]) -> None:
        """Go on by as many intervals as the extrapolation can be trusted for."""
        change, slopes = self._slopes(rows)
        fine = np.isfinite(change).all(axis=1)
        self.searching[rows[~fine]] = False
        rows, change, slopes = rows[fine], change[fine], slopes[fine]
        repeated = repetition(change, slopes)
        doublings = looks(repeated, self.most[rows], self.size[rows])
        line = np.arange(len(rows))
        with np.errstate(invalid="ignore"):
            moves = repeated.moves[doublings, line[:, None]]
            starts = self._allowed(self.x[rows][:, None, :] + moves)
        changes, _ = self._carried(rows, starts)
        rtol = RTOL[self.stage[rows]]
        which = trusted(repeated, doublings, changes, self.size[rows], NOISE * rtol)
        before = _share(change, self.size[rows])
        self.x[rows] = starts[line, which]
        change, reached = changes[line, which], doublings[line, which]
        whole = which == doublings.shape[1] - 1
        self.most[rows] = np.minimum(reached + np.where(whole, LENGTHEN, 1), MOST_DOUBLINGS)
        there = self._there(rows, change, repeated.total, np.full(len(rows), CLOSE))
        self._test(rows[there], repeated.total[there])
        rows, change, rtol, reached = rows[~there], change[~there], rtol[~there], reached[~there]
        size = np.maximum(self.size[rows], np.abs(self.x[rows]))
        share = _share(change, size)
        lost = (share <= NOISE * rtol) & (share > SHRINKING * before[~there])
        self._test(rows[lost], repeated.total[~there][lost])
        rows, size, reached = (each[self.searching[rows]] for each in (rows, size, reached))
        self.searching[rows[(size > ENDLESS * self.first[rows]).any(axis=1)]] = False
        # Over a longer time a constant rate is seen to change more.
        longer = rows[self.constant[rows] & (reached >= LENGTHEN)]
        self.length[longer] *= 2.0**LENGTHEN
        self.most[longer] -= LENGTHEN
        self.searching[rows[self.length[rows] > 2.0**MOST_DOUBLINGS * self.shortest[rows]]] = False

    def _allowed(self, x: FloatArray) -> FloatArray:
        return np.where(self.interval.signed | ~(x < 0.0), x, 0.0)

    def _there(
        self, rows: NDArray[np.int64], change: FloatArray, total: FloatArray, limit: FloatArray
    ) -> NDArray[np.bool_]:
        """Whether an interval changes nothing of what enters, and all to come nothing more."""
        size = np.maximum(self.size[rows], np.abs(self.x[rows]))
        amounts = self.interval.entering(self.length)[rows]
        small = (np.abs(change) <= ENTERING * amounts) | (amounts == 0.0)
        with np.errstate(all="ignore"):
            small &= np.abs(_moved(total, change)) <= limit[:, None] * size
            memory = _moved(np.abs(total), size)
            small &= (memory <= LONGEST_MEMORY * size) | (size == 0.0)
        there: NDArray[np.bool_] = small.all(axis=1)
        return there

    def _test(self, rows: NDArray[np.int64], total: FloatArray) -> None:
        """Carry what was found over an interval with the next finer tolerance."""
        changes, largest = self._carried(rows, self.x[rows][:, None], later=1)
        self.size[rows] = _known(largest[:, 0], self.size[rows])
        passed = self._there(rows, changes[:, 0], total, TESTED[self.stage[rows]])
        self.found[rows[passed]] = True
        self.searching[rows[passed]] = False
        self._finer(rows[~passed])

    def _finer(self, rows: NDArray[np.int64]) -> None:
        """Go on with finer tolerances, where there are any."""
        self.stage[rows] += 1
        self.searching[rows[self.stage[rows] == len(RTOL) - 1]] = False


def _known(largest: FloatArray, before: FloatArray) -> FloatArray:
    """Sizes of states; where none was seen, that of before."""
    return np.where(largest > 0.0, largest, before)


def _share(change: FloatArray, size: FloatArray) -> FloatArray:
    """Largest change of a patient's states, as a part of their size; NaN if there is one."""
    share: FloatArray = np.abs(change / np.where(size > 0.0, size, 1.0)).max(axis=1)
    return share


def _moved(matrices: FloatArray, vectors: FloatArray) -> FloatArray:
    moved: FloatArray = product(matrices, vectors[:, :, None])[:, :, 0]
    return moved

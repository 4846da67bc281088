"""What the engine is told and what it answers: plain arrays with names only for their columns.

Nothing in here knows a model. States, observables and parameters are column numbers; a *source* is
an index into the concatenation ``[states..., observables...]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SAME_INSTANT = 1e-12
"""Two times are one instant if they differ by at most this times the larger of 1 and their size."""


class Action(IntEnum):
    """What a stop or a rule does to one patient."""

    ADD_STATE = 0
    SET_STATE = 1
    SCALE_STATE = 2
    SET_PARAMETER = 3
    SET_RUNNING = 4
    """From now on so many parts of a course run."""
    ADD_RUNNING = 5
    """So many parts of a course begin to run; end, if negative."""
    DISCONTINUE = 6
    """An item is given no longer, and what it started ends."""
    RESTART = 7
    """Nothing but a landing and a new first step."""
    RESET_STATE = 8
    """As SET_STATE, but before everything else of the same instant."""
    CAPTURE = 9
    """Keep what an observable is now, for rows to come that it multiplies."""


class CourseKind(IntEnum):
    """What runs while a course runs."""

    INPUT = 0
    """A constant rate into a state; parts that overlap add up."""
    VALUE = 1
    """A parameter has this value; the last of several wins."""
    FACTOR = 2
    """A parameter is multiplied by this; several multiply."""


class Reduction(IntEnum):
    """What is kept of a source's whole course."""

    MAXIMUM = 0
    TIME_OF_MAXIMUM = 1
    MINIMUM = 2
    TIME_OF_MINIMUM = 3
    AREA = 4
    FIRST_ABOVE = 5
    FIRST_BELOW = 6
    TIME_ABOVE = 7
    VALUE_AT = 8
    LAST = 9


@dataclass(frozen=True)
class Stops:
    """Scheduled actions of all owners (patients, or rules), one after the other.

    Owner ``i`` has rows ``offsets[i]:offsets[i + 1]``, sorted by time; rows of equal time are
    applied in the order in which they stand. A stop is landed on exactly and the step size starts
    anew behind it. If there is only one owner, its rows are those of every patient.

    Attributes
    ----------
    offsets : int64 array, shape (n_owners + 1,)
    time : float64 array, shape (n_rows,), model time unit
    kind : int64 array, shape (n_rows,), values of `Action`
    index : int64 array, shape (n_rows,), column of the state, parameter, course or item
    value : float64 array, shape (n_rows,), state or parameter unit, or number of parts
    item : int64 array, shape (n_rows,), item that the action belongs to; -1 for none
    counted : int64 array, shape (n_rows,), doses of the item that the row stands for
    factor : int64 array, shape (n_rows,), or (0,) if no row has one
        Slot that multiplies the value, in units of what is captured; -1 for none. Of a CAPTURE,
        whose slot is its index, the source that is captured. Slots are the owner's own.
    """

    offsets: IntArray
    time: FloatArray
    kind: IntArray
    index: IntArray
    value: FloatArray
    item: IntArray
    counted: IntArray
    factor: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @classmethod
    def none(cls, n_owners: int = 1) -> Stops:
        """No action for any of `n_owners`."""
        empty = np.empty(0, dtype=np.int64)
        offsets = np.zeros(n_owners + 1, dtype=np.int64)
        return cls(offsets, np.empty(0), empty, empty, np.empty(0), empty, empty)

    @classmethod
    def joined(cls, parts: Sequence[Stops]) -> Stops:
        """The owners of all parts, one after the other."""
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        names = ["time", "kind", "index", "value", "item", "counted"]
        if any(part.factor.size for part in parts):
            names.append("factors")
        return cls(
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            *(np.concatenate([getattr(part, name) for part in parts]) for name in names),
        )

    @property
    def factors(self) -> IntArray:
        """Slots of all rows, shape (n_rows,); -1 for none."""
        return self.factor if self.factor.size else np.full(len(self.time), -1, dtype=np.int64)

    @property
    def n_slots(self) -> int:
        """Slots that the rows of an owner capture into, at most."""
        return int(np.max(self.index[self.kind == Action.CAPTURE], initial=-1)) + 1

    @property
    def n_owners(self) -> int:
        """Owners of rows."""
        return len(self.offsets) - 1

    def take(self, first: int, last: int) -> Stops:
        """The rows of owners ``first`` to ``last - 1``; of the only owner, if there is one."""
        if self.n_owners == 1:
            return self
        low, high = int(self.offsets[first]), int(self.offsets[last])
        return Stops(
            self.offsets[first : last + 1] - low,
            self.time[low:high],
            self.kind[low:high],
            self.index[low:high],
            self.value[low:high],
            self.item[low:high],
            self.counted[low:high],
            self.factor[low:high],
        )


@dataclass(frozen=True)
class Courses:
    """What runs for a time: inputs into states, values and factors of parameters.

    Attributes
    ----------
    kind : int64 array, shape (n_courses,), values of `CourseKind`
    target : int64 array, shape (n_courses,), column of the state or parameter
    item : int64 array, shape (n_courses,), item that it belongs to
    level : float64 array, shape (1 or n_patients, n_courses), state unit per time unit for an
        input, parameter unit for a value, 1 for a factor
    """

    kind: IntArray
    target: IntArray
    item: IntArray
    level: FloatArray

    @classmethod
    def none(cls) -> Courses:
        """Nothing that runs for a time."""
        empty = np.empty(0, dtype=np.int64)
        return cls(empty, empty, empty, np.empty((1, 0)))


@dataclass(frozen=True)
class Rules:
    """Conditions on a source that act when they are true.

    A rule that is watched acts at the instant at which its condition becomes true. Another looks at
    its visits, and acts when the condition has held at enough of them in a row.

    Attributes
    ----------
    source : int64 array, shape (n_rules,); -1 for a rule that acts at every visit
    direction : int64 array, shape (n_rules,), +1 for at or above the threshold, -1 for at or below
    watched : int64 array, shape (n_rules,), 1 for a rule without visits
    limit : int64 array, shape (n_rules,), firings after which the rule is spent
    consecutive : int64 array, shape (n_rules,), visits in a row at which the condition must hold
    after : int64 array, shape (n_rules,), rule that must have fired before; -1 for none
    wait : float64 array, shape (n_rules,), time since its last firing
    spacing : float64 array, shape (n_rules,), least time between two firings
    idle : int64 array, shape (n_rules,), 1 for a rule that does not act while what it started runs
    during : int64 array, shape (n_rules,), rule that must have something running; -1 for none
    unless : int64 array, shape (n_rules, n_rules), 1 where the rule of the column must have nothing
        running for that of the row to act
    visits : int64 array, shape (n_rules + 1,), rows of `visit_time` by rule
    visit_time : float64 array, shape (n_visits,), ascending within a rule
    detection : float64 array, shape (n_rules,), readings below are zero
    log_sd, sd : float64 arrays, shape (n_rules,), error of a reading: of its logarithm, added
    stream : int64 array, shape (n_rules,), key of the random numbers of the readings
    threshold : float64 array, shape (n_patients, n_rules), unit of the source
    actions : Stops
        What each rule does, in time since its firing; owners are the rules, or the rules of
        patient after patient.
    """

    source: IntArray
    direction: IntArray
    watched: IntArray
    limit: IntArray
    consecutive: IntArray
    after: IntArray
    wait: FloatArray
    spacing: FloatArray
    idle: IntArray
    during: IntArray
    unless: IntArray
    visits: IntArray
    visit_time: FloatArray
    detection: FloatArray
    log_sd: FloatArray
    sd: FloatArray
    stream: IntArray
    threshold: FloatArray
    actions: Stops

    @classmethod
    def none(cls, n_patients: int) -> Rules:
        """No rule for any of `n_patients`."""
        whole, number = np.empty(0, dtype=np.int64), np.empty(0)
        return cls(
            source=whole,
            direction=whole,
            watched=whole,
            limit=whole,
            consecutive=whole,
            after=whole,
            wait=number,
            spacing=number,
            idle=whole,
            during=whole,
            unless=np.empty((0, 0), dtype=np.int64),
            visits=np.zeros(1, dtype=np.int64),
            visit_time=number,
            detection=number,
            log_sd=number,
            sd=number,
            stream=whole,
            threshold=np.empty((n_patients, 0)),
            actions=Stops.none(0),
        )

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class Save:
    """Sources to keep on a common time grid.

    Attributes
    ----------
    times : float64 array, shape (n_times,), strictly increasing
    sources : int64 array, shape (n_sources,)
    """

    times: FloatArray
    sources: IntArray

    @classmethod
    def nothing(cls) -> Save:
        """Keep no course at all."""
        return cls(np.empty(0), np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Reductions:
    """Numbers to keep of a source's course between two times.

    Attributes
    ----------
    kind : int64 array, shape (n_reductions,), values of `Reduction`
    source : int64 array, shape (n_reductions,)
    start, stop : float64 arrays, shape (n_reductions,); for ``VALUE_AT`` `start` is the time
    threshold : float64 array, shape (n_reductions,), used by ``FIRST_ABOVE``, ``FIRST_BELOW`` and
        ``TIME_ABOVE``
    """

    kind: IntArray
    source: IntArray
    start: FloatArray
    stop: FloatArray
    threshold: FloatArray

    @classmethod
    def nothing(cls) -> Reductions:
        """Keep no number."""
        empty = np.empty(0, dtype=np.int64)
        return cls(empty, empty, np.empty(0), np.empty(0), np.empty(0))


@dataclass(frozen=True)
class Trajectories:
    """What came out, by patient.

    Attributes
    ----------
    saved : float64 array, shape (n_sources, n_patients, n_times)
        NaN from a failure on.
    metrics : float64 array, shape (n_reductions, n_patients)
        NaN for a failed patient.
    status : int64 array, shape (n_patients,)
        Values of `carsim.engine.status.Status`.
    n_steps, n_rejected : int64 arrays, shape (n_patients,)
        A step that is taken anew, up to where a rule acts, counts as rejected.
    final_time : float64 array, shape (n_patients,)
    final_state : float64 array, shape (n_patients, n_states)
    doses : int64 array, shape (n_patients, n_items)
        Doses given and infusions begun, by item; rules are the last items.
    log_count : int64 array, shape (n_patients,)
        Rules that fired and pools that went extinct; may exceed the log's capacity.
    log_time, log_value : float64 arrays, shape (n_patients, capacity)
    log_event : int64 array, shape (n_patients, capacity)
        ``k >= 0`` is rule k, ``-1 - i`` means that state i went extinct.
    lane_steps : int
        Lane slots used by all steps together, idle ones included; ``(n_steps + n_rejected).sum() /
        lane_steps`` is the lane efficiency.
    """

    saved: FloatArray
    metrics: FloatArray
    status: IntArray
    n_steps: IntArray
    n_rejected: IntArray
    final_time: FloatArray
    final_state: FloatArray
    doses: IntArray
    log_count: IntArray
    log_time: FloatArray
    log_event: IntArray
    log_value: FloatArray
    lane_steps: int

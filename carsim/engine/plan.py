"""What the engine is told and what it answers: plain arrays with names only for their columns.

Nothing in here knows a model. States, observables and parameters are column numbers; a *source* is
an index into the concatenation ``[states..., observables...]``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Progress = Callable[[int, int], None]


class Action(IntEnum):
    """What a stop or an event does to one patient."""

    ADD_STATE = 0
    SET_STATE = 1
    SCALE_STATE = 2
    SET_INPUT = 3
    SET_PARAMETER = 4
    RESTART = 5


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
    """Scheduled actions of all patients, one after the other.

    Patient ``i`` owns rows ``offsets[i]:offsets[i + 1]``, sorted by time; rows of equal time are
    applied in the order in which they stand. A stop is landed on exactly and the step size starts
    anew behind it.

    Attributes
    ----------
    offsets : int64 array, shape (n_patients + 1,)
    time : float64 array, shape (n_rows,), model time unit
    kind : int64 array, shape (n_rows,), values of `Action`
    index : int64 array, shape (n_rows,), column of the state or parameter
    value : float64 array, shape (n_rows,), state or parameter unit (per time for ``SET_INPUT``)
    """

    offsets: IntArray
    time: FloatArray
    kind: IntArray
    index: IntArray
    value: FloatArray

    @classmethod
    def none(cls, n_patients: int) -> Stops:
        """No scheduled action for any of `n_patients`."""
        empty = np.empty(0, dtype=np.int64)
        return cls(
            np.zeros(n_patients + 1, dtype=np.int64),
            np.empty(0),
            empty,
            empty,
            np.empty(0),
        )

    def take(self, first: int, last: int) -> Stops:
        """The rows of patients ``first`` to ``last - 1``."""
        low, high = int(self.offsets[first]), int(self.offsets[last])
        return Stops(
            self.offsets[first : last + 1] - low,
            self.time[low:high],
            self.kind[low:high],
            self.index[low:high],
            self.value[low:high],
        )


@dataclass(frozen=True)
class Events:
    """Conditions on a source that act when they become true.

    Attributes
    ----------
    source : int64 array, shape (n_events,)
    threshold : float64 array, shape (n_patients, n_events), unit of the source
    direction : int64 array, shape (n_events,), +1 when the source rises through, -1 when it falls
    limit : int64 array, shape (n_events,), firings after which the event is spent
    action_offsets : int64 array, shape (n_events + 1,)
    action_kind, action_index : int64 arrays, shape (n_actions,)
    action_value : float64 array, shape (n_actions,)
    """

    source: IntArray
    threshold: FloatArray
    direction: IntArray
    limit: IntArray
    action_offsets: IntArray
    action_kind: IntArray
    action_index: IntArray
    action_value: FloatArray

    @classmethod
    def none(cls, n_patients: int) -> Events:
        """No event for any of `n_patients`."""
        empty = np.empty(0, dtype=np.int64)
        return cls(
            empty,
            np.empty((n_patients, 0)),
            empty,
            empty,
            np.zeros(1, dtype=np.int64),
            empty,
            empty,
            np.empty(0),
        )


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

    Attributes ---------- saved : float64 array, shape (n_sources, n_patients, n_times); NaN from a
    failure on metrics : float64 array, shape (n_reductions, n_patients); NaN for a failed patient
    status : int64 array, shape (n_patients,), values of `carsim.engine.status.Status` n_steps,
    n_rejected : int64 arrays, shape (n_patients,) final_time : float64 array, shape (n_patients,)
    final_state : float64 array, shape (n_patients, n_states) log_count : int64 array, shape
    (n_patients,), events that fired (may exceed the log's capacity) log_time, log_value : float64
    arrays, shape (n_patients, capacity) log_event : int64 array, shape (n_patients, capacity); ``k
    >= 0`` is event k, ``-1 - i`` means that
        state i went extinct
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
    log_count: IntArray
    log_time: FloatArray
    log_event: IntArray
    log_value: FloatArray
    lane_steps: int

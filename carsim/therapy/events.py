"""Events: actions taken when an observable or a state crosses a threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from carsim.errors import ScenarioError
from carsim.therapy.doses import check_name, store
from carsim.therapy.values import Item, PerPatient, number

MOST_FIRINGS = 10_000


@dataclass(frozen=True)
class AddTo:
    """Add an amount to a state, or through a route whose fractions are the same for everybody.

    Parameters
    ----------
    state : str
        State or route.
    amount : float
        Amount in its unit; may be negative for a state.
    """

    state: str
    amount: float

    def __post_init__(self) -> None:
        check_name("AddTo", "state", self.state)
        store(self, amount=_plain(f"AddTo {self.state!r}", "amount", self.amount))


@dataclass(frozen=True)
class SetState:
    """Set a state to a value in its unit.

    Parameters
    ----------
    state : str
        State.
    value : float
        New value.
    """

    state: str
    value: float

    def __post_init__(self) -> None:
        check_name("SetState", "state", self.state)
        store(self, value=_plain(f"SetState {self.state!r}", "value", self.value))


@dataclass(frozen=True)
class SetParameter:
    """Set a parameter to a value in its unit, from then on.

    Parameters
    ----------
    parameter : str
        Parameter that the model does not compute.
    value : float
        New value.
    """

    parameter: str
    value: float

    def __post_init__(self) -> None:
        check_name("SetParameter", "parameter", self.parameter)
        store(self, value=_plain(f"SetParameter {self.parameter!r}", "value", self.value))


EventAction: TypeAlias = AddTo | SetState | SetParameter


@dataclass(frozen=True, eq=False)
class Event(Item):
    """Actions taken when an output rises above, or falls below, a threshold.

    The instant is located exactly. It is written into the event log of the result, also when `do`
    is empty.

    Parameters
    ----------
    when : str
        Observable or state that is watched.
    above : float or array, optional
        Threshold that is crossed from below, in the unit of `when`.
    below : float or array, optional
        Threshold that is crossed from above, in place of `above`.
    do : sequence of AddTo, SetState or SetParameter, optional
        Actions, taken in this order.
    limit : int, optional
        How often the event may fire for one patient.
    """

    when: str
    above: PerPatient | None = None
    below: PerPatient | None = None
    do: EventAction | Sequence[EventAction] = ()
    limit: int = 1

    def __post_init__(self) -> None:
        where = f"Event when {self.when!r}"
        check_name(where, "when", self.when)
        if (self.above is None) == (self.below is None):
            given = "neither above nor below" if self.above is None else "both above and below"
            raise ScenarioError(f"{where}: {given}. Give one threshold.")
        if self.above is not None:
            store(self, above=number(where, "above", self.above))
        if self.below is not None:
            store(self, below=number(where, "below", self.below))
        single = isinstance(self.do, AddTo | SetState | SetParameter)
        actions = (self.do,) if single else tuple(self.do)  # type: ignore[arg-type]
        for action in actions:
            if not isinstance(action, AddTo | SetState | SetParameter):
                raise ScenarioError(
                    f"{where}: do holds {action!r}. Give AddTo, SetState or SetParameter."
                )
        store(self, do=actions)
        limit: object = self.limit
        whole = isinstance(limit, int | np.integer) and not isinstance(limit, bool)
        if not whole or not 1 <= self.limit <= MOST_FIRINGS:
            raise ScenarioError(
                f"{where}: limit = {self.limit!r}. Give a whole number from 1 to {MOST_FIRINGS}."
            )
        store(self, limit=int(self.limit))

    @property
    def actions(self) -> tuple[EventAction, ...]:
        """The actions as a tuple."""
        return self.do  # type: ignore[return-value]

    @property
    def threshold(self) -> PerPatient:
        """The threshold, whichever way it is crossed."""
        found = self.below if self.above is None else self.above
        assert found is not None
        return found


def _plain(where: str, name: str, value: object) -> float:
    plain = number(where, name, value)
    if isinstance(plain, np.ndarray):
        raise ScenarioError(f"{where}: {name} is an array. Give one number for all patients.")
    assert math.isfinite(plain)
    return plain

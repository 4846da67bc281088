"""Actions and courses that scheduled items and rules have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from carsim.engine.plan import Action, CourseKind, Courses
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import Administration, People, narrow, recorded
from carsim.therapy.history import Entry, History, changed_by_rules
from carsim.therapy.routes import given_into, states_of
from carsim.therapy.rules import Hazard, Rule
from carsim.therapy.sources import Sources
from carsim.therapy.timeline import Actions, Order, changed_only, running
from carsim.therapy.values import FloatArray, Item
from carsim.therapy.windows import Reset

if TYPE_CHECKING:
    from carsim.model import Model


def item_names(therapy: Mapping[str, Item]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the items that are not rules, and of the rules and hazards.

    Parameters
    ----------
    therapy : mapping of str to items
        Items by name, bundles taken apart.
    """
    rules = tuple(name for name, item in therapy.items() if isinstance(item, Rule | Hazard))
    return tuple(name for name in therapy if name not in rules), rules


class Builder:
    """The tables of one therapy under construction."""

    def __init__(
        self,
        model: Model,
        therapy: Mapping[str, Item],
        people: People,
        start: float,
        stop: FloatArray,
        sources: Sources,
    ) -> None:
        self.model, self.therapy, self.people = model, therapy, people
        self.start, self.stop = start, stop
        self.sources = sources
        self.history = History(model, people, therapy, start, stop, changed_by_rules(therapy))
        scheduled, rules = item_names(therapy)
        self.number = {name: k for k, name in enumerate((*scheduled, *rules))}
        self.scheduled, self.rules = scheduled, rules
        self.kinds: list[int] = []
        self.targets: list[int] = []
        self.owners: list[int] = []
        self.levels: list[FloatArray] = []
        self.slots = 0

    def course(self, kind: CourseKind, target: int, name: str, level: FloatArray) -> int:
        """A new course, by number."""
        self.kinds.append(int(kind))
        self.targets.append(target)
        self.owners.append(self.number[name])
        self.levels.append(level)
        return len(self.kinds) - 1

    def courses(self) -> Courses:
        """All courses so far."""
        if not self.kinds:
            return Courses.none()
        return Courses(
            np.array(self.kinds, dtype=np.int64),
            np.array(self.targets, dtype=np.int64),
            np.array(self.owners, dtype=np.int64),
            np.concatenate(np.broadcast_arrays(*self.levels), axis=1),
        )

    def edges(
        self,
        order: Order,
        course: int,
        name: str,
        begins: FloatArray,
        ends: FloatArray,
        level: FloatArray | None = None,
        *,
        counted: bool = False,
    ) -> Actions:
        """Edges of a scheduled course: how much of it runs from then on."""
        if level is not None:
            begins, ends, level = np.broadcast_arrays(begins, ends, level)
        time, total, begun = running(begins, ends, level)
        time = np.where(time < self.stop, time, np.inf)
        kept = begun > 0 if counted else None
        time = changed_only(time, total, np.zeros((1, 1)), kept)
        return Actions(
            order,
            Action.SET_RUNNING,
            course,
            time,
            total,
            self.number[name],
            begun if counted else np.zeros((1, 1), dtype=np.int64),
        )

    def emptied(self, reset: Reset, time: FloatArray, item: int) -> list[Actions]:
        """States of a reset return to their initial values."""
        return [
            Actions(
                Order.RESET,
                Action.RESET_STATE,
                state,
                time,
                narrow(self.people.initial[:, state]),
                item,
            )
            for state in sorted(self.states_of(reset))
        ]

    def ended(
        self, reset: Reset, time: FloatArray, item: int, names: Sequence[str]
    ) -> list[Actions]:
        """Discontinue the items among `names` that give into a reset's states."""
        states = self.states_of(reset)
        return [
            Actions(
                Order.DISCONTINUE,
                Action.DISCONTINUE,
                self.number[name],
                time,
                np.zeros((1, 1)),
                item,
            )
            for name in names
            if self.reached(name) & states
        ]

    def states_of(self, reset: Reset) -> set[int]:
        """Columns of the states that a reset empties."""
        return states_of(self.model, reset)

    def reached(self, name: str) -> set[int]:
        """Columns of the states that an item gives into."""
        return given_into(self.therapy[name], self.history)

    def entering(
        self,
        name: str,
        item: Dose | Infusion,
        given: Administration,
        *,
        counted: bool,
        latest: FloatArray | None = None,
    ) -> list[Actions]:
        """Doses into states, or the edges of infusions; `counted` in the doses given.

        What rules change, and so is read while the simulation runs, multiplies parts that begin
        and end. An infusion that is over within an instant is a dose; for `latest` see
        `Administration.at_once`.
        """
        if isinstance(item, Dose):
            return self.entering_as(name, item, given, counted=counted, sudden=True)
        lasting, sudden = given.at_once(latest)
        actions = self.entering_as(name, item, lasting, counted=counted, sudden=False)
        if np.isfinite(sudden.enters).any():
            actions += self.entering_as(name, item, sudden, counted=counted, sudden=True)
        return actions

    def entering_as(
        self,
        name: str,
        item: Dose | Infusion,
        given: Administration,
        *,
        counted: bool,
        sudden: bool,
    ) -> list[Actions]:
        """The same, of what is `sudden` and enters at once, or lasts."""
        actions = []
        for entry in given.entries:
            state, fraction = entry.state, entry.factor
            if entry.reading is not None:
                actions += self._entering_as_read(
                    name, item, given, entry, counted=counted, sudden=sudden
                )
            elif sudden:
                ones = np.full((1, 1), int(counted), dtype=np.int64)
                amount = given.level * fraction
                actions.append(
                    Actions(
                        Order.DOSE,
                        Action.ADD_STATE,
                        state,
                        given.enters,
                        amount,
                        self.number[name],
                        ones,
                    )
                )
            elif given.level.shape[1] == fraction.shape[1] == 1:
                course = self.course(CourseKind.INPUT, state, name, given.level * fraction)
                actions.append(
                    self.edges(
                        Order.INFUSION, course, name, given.enters, given.ends, counted=counted
                    )
                )
            else:
                level = given.level
                if fraction.shape[1] > 1:
                    level, fraction = level * fraction, np.ones((1, 1))
                course = self.course(CourseKind.INPUT, state, name, fraction)
                actions.append(
                    self.edges(
                        *(Order.INFUSION, course, name, given.enters, given.ends, level),
                        counted=counted,
                    )
                )
            # A dose through a route of several states is one dose.
            counted = False
        return actions

    def _entering_as_read(
        self,
        name: str,
        item: Dose | Infusion,
        given: Administration,
        entry: Entry,
        *,
        counted: bool,
        sudden: bool,
    ) -> list[Actions]:
        """Doses, or parts of a course, times what is read at their records.

        One slot a record: its repeats, and what enters later, find the value there.
        """
        assert entry.reading is not None
        number, own = self.number[name], recorded(item)
        first, self.slots = self.slots, self.slots + own.shape[1]
        source = np.full((1, 1), self.sources.reading(entry.reading), dtype=np.int64)
        actions = []
        for column in range(own.shape[1]):
            # A record of which nothing is left is no reason to land.
            left = (np.isfinite(given.enters) & (given.record == column)).any(axis=1)
            time = np.where(left[:, None], own[:, column : column + 1], np.inf)
            actions.append(
                Actions(
                    *(Order.CAPTURE, Action.CAPTURE, first + column, time, np.zeros((1, 1))),
                    *(number, np.zeros((1, 1), dtype=np.int64), source),
                )
            )
        slot = first + given.record
        one = np.full((1, 1), int(counted), dtype=np.int64)
        none = np.zeros((1, 1), dtype=np.int64)
        if sudden:
            dose = (Order.DOSE, Action.ADD_STATE, entry.state)
            actions.append(Actions(*dose, given.enters, given.level, number, one, slot))
            return actions
        course = self.course(CourseKind.INPUT, entry.state, name, np.ones((1, 1)))
        part = (Order.INFUSION, Action.ADD_RUNNING, course)
        # What ends at an instant ends before what begins then.
        actions.append(Actions(*part, given.ends, -given.level, number, none, slot))
        actions.append(Actions(*part, given.enters, given.level, number, one, slot))
        return actions

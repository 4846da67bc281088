"""States that a therapy adds to its model, and where the engine finds every output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carsim.therapy.history import Reading, readings_of
from carsim.therapy.rules import Hazard
from carsim.therapy.values import Item
from carsim.therapy.windows import Covariate

if TYPE_CHECKING:
    from carsim.model import Model


@dataclass(frozen=True)
class Sources:
    """Columns of what is saved, reduced and looked at: states, added states, observables.

    Attributes
    ----------
    model : Model
        Model that is treated.
    driven : tuple of str
        Parameters that are states of their own, because a covariate is interpolated.
    integrals : tuple of str
        Outputs whose integrals are states, because they are hazards; "" stands for 1.
    readings : tuple of tuple
        What items read at their records while the simulation runs; hidden behind the observables.
    """

    model: Model
    driven: tuple[str, ...] = ()
    integrals: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()

    @classmethod
    def of(cls, model: Model, therapy: Mapping[str, Item]) -> Sources:
        """What a therapy needs; its bundles have been taken apart."""
        driven = [
            item.parameter
            for item in therapy.values()
            if isinstance(item, Covariate) and item.interpolation == "linear"
        ]
        rates = [
            item.rate if isinstance(item.rate, str) else ""
            for item in therapy.values()
            if isinstance(item, Hazard)
        ]
        readings = readings_of(model, therapy)
        return cls(model, tuple(driven), tuple(dict.fromkeys(rates)), readings)

    @property
    def n_added(self) -> int:
        """Number of states that the therapy adds."""
        return len(self.driven) + len(self.integrals)

    def column(self, name: str) -> int:
        """Column of a state or observable that the model has."""
        if name in self.model.state_index:
            return self.model.state_index[name]
        first = len(self.model.states) + self.n_added
        return first + self.model.observable_names.index(name)

    def reading(self, reading: Reading) -> int:
        """Column of what is read at a record."""
        first = len(self.model.states) + self.n_added + len(self.model.observables)
        return first + self.readings.index(reading)

    def driven_state(self, parameter: str) -> int:
        """Column of the state that stands for a parameter."""
        return len(self.model.states) + self.driven.index(parameter)

    def integral_state(self, output: str) -> int:
        """Column of the state that is the integral of an output."""
        return len(self.model.states) + len(self.driven) + self.integrals.index(output)

"""Windows: a parameter holds another value for a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carsim.errors import ScenarioError
from carsim.therapy.doses import check_name, store
from carsim.therapy.values import FloatArray, Item, PerPatient, columns, number


@dataclass(frozen=True, eq=False)
class Window(Item):
    """A parameter holds `value`, or `scale` times its own value, on ``[start, stop)``.

    Parameters
    ----------
    parameter : str
        Parameter of the model; not one that the model computes.
    start : float or array, model time unit
        Beginning; before the start of the simulation it holds from there on.
    stop : float or array, optional
        End (exclusive), where the patient's own value returns; None means to the end of the
        simulation. ``stop <= start`` means that the window does not exist.
    value : float or array, optional
        Value in the unit of the parameter.
    scale : float or array, optional
        Factor, in place of `value`.

    Notes
    -----
    Windows of one parameter may overlap: factors multiply, also onto a value; two values at the
    same time are an error. Initial states follow from the values outside of all windows.
    """

    parameter: str
    start: PerPatient
    stop: PerPatient | None = None
    value: PerPatient | None = None
    scale: PerPatient | None = None

    def __post_init__(self) -> None:
        where = f"Window of {self.parameter!r}"
        check_name(where, "parameter", self.parameter)
        store(self, start=number(where, "start", self.start))
        if self.stop is not None:
            store(self, stop=number(where, "stop", self.stop, infinite=True))
        if (self.value is None) == (self.scale is None):
            given = "neither value nor scale" if self.value is None else "both value and scale"
            raise ScenarioError(f"{where}: {given}. Give one of them.")
        if self.value is not None:
            store(self, value=number(where, "value", self.value))
        if self.scale is not None:
            store(self, scale=number(where, "scale", self.scale, at_least=0.0))

    def span(self, start: float, stop: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Beginning and end inside the simulation, infinite where the window does not exist.

        Parameters
        ----------
        start : float
            Start of the simulation.
        stop : float64 array, shape (1 or n_patients, 1)
            Stop of the simulation.

        Returns
        -------
        tuple of two float64 arrays, shape (1 or n_patients, 1)
        """
        begins = columns(self.start)
        ends = stop if self.stop is None else columns(self.stop)
        begins, ends, last = np.broadcast_arrays(begins, ends, stop)
        exists = (begins < ends) & (ends > start) & (begins < last)
        return (
            np.where(exists, np.maximum(begins, start), np.inf),
            np.where(exists, ends, np.inf),
        )

"""A local study: exact derivatives of one patient's outputs, in the shape of the global ones."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.errors import ScenarioError, unknown
from carsim.scenario import Scenario
from carsim.sensitivity.frame import Label, frame, versions

if TYPE_CHECKING:
    import xarray as xr

INITIAL = "initial."


@dataclass(frozen=True)
class Moment:
    """An observable or a state at a time.

    Parameters
    ----------
    variable : str
        Its name in the model.
    time : float, optional
        In the model's time unit; the end by default.
    name, label : str, optional
        As of `carsim.sensitivity.Output`.
    """

    variable: str
    time: float | None = None
    name: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            when = "" if self.time is None else f"_at_{self.time:g}"
            object.__setattr__(self, "name", f"{self.variable}{when}")


@dataclass(frozen=True)
class LocalStudy:
    """Local sensitivity of the patient with the scenario's own values.

    Parameters
    ----------
    scenario : Scenario
        Of a population the patient with the scenario's own values is taken.
    outputs : sequence of Moment
        What is differentiated.
    parameters : sequence of str, optional
        As for `carsim.credibility.local_sensitivity`; all by default.
    title, config, overrides
        As of a `Sweep`.
    """

    scenario: Scenario
    outputs: Sequence[Moment]
    parameters: Sequence[str] = ()
    title: str = ""
    config: str = field(default="", repr=False)
    overrides: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", tuple(self.outputs))
        object.__setattr__(self, "parameters", tuple(self.parameters))
        object.__setattr__(self, "overrides", tuple(self.overrides))
        model, scenario = self.scenario.model, self.scenario
        if not self.outputs:
            raise ScenarioError(
                f"sensitivity: there is no output. Name an observable or a state, for example "
                f"Moment({[*model.observable_names, *model.state_names][0]!r})."
            )
        outputs = (*model.observable_names, *model.state_names)
        for number, output in enumerate(self.outputs):
            where = f"sensitivity.outputs[{number}]"
            if output.variable not in outputs:
                hint = unknown("observable or state", output.variable, outputs, "the model")
                raise ScenarioError(
                    f"{where}.variable: {hint} Endpoints have no derivative; use another method "
                    f"for them."
                )
            time = output.time
            if time is not None and not scenario.start <= time <= scenario.last_stop:
                raise ScenarioError(
                    f"{where}.time: {time:g} is outside the simulation, {scenario.start:g} to "
                    f"{scenario.last_stop:g} {model.time_unit}."
                )
        settable = [each.name for each in model.parameters if not each.computed]
        known = [*settable, *(f"{INITIAL}{name}" for name in model.state_names)]
        for number, name in enumerate(self.parameters):
            if name not in known:
                raise ScenarioError(
                    f"sensitivity.factors[{number}]: "
                    f"{unknown('parameter or initial value', name, known, 'the model')}"
                )

    @property
    def method(self) -> str:
        """Name of the method in config files."""
        return "local"

    def run(self, progress: Callable[[int, int], None] | None = None) -> xr.Dataset:
        """Differentiate.

        Parameters
        ----------
        progress : callable, optional
            For the signature of the other studies; there is nothing to count.

        Returns
        -------
        xarray.Dataset
            Over ``factor`` and ``output``: ``elasticity`` (percent of the output per percent of
            the factor), ``sensitivity`` (unit of the output per unit of the factor), ``why``.
            Over ``output``: ``value``.
        """
        from carsim.credibility import local_sensitivity  # compiles

        stop = self.scenario.last_stop
        times = np.array([stop if each.time is None else each.time for each in self.outputs])
        names = tuple(dict.fromkeys(each.variable for each in self.outputs))
        scenario = dataclasses.replace(
            self.scenario,
            population=None,
            metrics={},
            endpoints={},
            outputs=names,
            save_at=np.unique(times),
        )
        found = local_sensitivity(scenario, self.parameters or None)
        picked = [
            found.sel(output=each.variable, time=time)
            for each, time in zip(self.outputs, times, strict=True)
        ]
        labels = [
            Label(each.name, each.label or self._words(each, one), str(one.output_unit.values))
            for each, one in zip(self.outputs, picked, strict=True)
        ]
        factors = [
            Label(str(name), str(words), str(unit), _path(str(name)))
            for name, words, unit in zip(
                found.parameter.values,
                found.parameter_words.values,
                found.parameter_unit.values,
                strict=True,
            )
        ]
        why = np.column_stack([found.why.values.astype(object)] * len(labels))
        for column, one in enumerate(picked):
            if float(one.value) == 0.0:
                why[:, column] = np.where(
                    why[:, column] == "", "the output is zero", why[:, column]
                )
        dataset = frame(
            {
                "elasticity": (
                    np.column_stack([one.elasticity.values for one in picked]),
                    "percent of the output per percent of the factor",
                ),
                "sensitivity": (
                    np.column_stack([one.sensitivity.values for one in picked]),
                    "change of the output per factor_unit of the factor",
                ),
            },
            factors,
            labels,
            self._attributes(found),
            why=why,
            in_output_unit=("sensitivity",),
        )
        value = np.array([float(one.value) for one in picked])
        about = {"long_name": "value of the output, in output_unit"}
        return dataset.assign(value=("output", value, about))

    def to_json(self) -> str:
        """Return what the scenario does not say, for the attributes of the result."""
        from carsim.scenario.encoding import encode

        described = {
            "method": self.method,
            "outputs": encode(self.outputs),
            "parameters": list(self.parameters),
        }
        return json.dumps(described, allow_nan=False)

    def _words(self, output: Moment, found: xr.Dataset) -> str:
        unit = self.scenario.model.time_unit
        return f"{found.output_words.values} at t = {float(found.time):g} {unit}"

    def _attributes(self, found: xr.Dataset) -> dict[str, Any]:
        attributes = {
            **found.attrs,
            "title": f"{found.attrs['title']}" + (f": {self.title}" if self.title else ""),
            "method": self.method,
            "simulations": 1,
            "scenario": self.scenario.to_json(),
            "sensitivity": self.to_json(),
            "config": self.config,
            "config_overrides": json.dumps(list(self.overrides)) if self.overrides else "",
            "versions": versions("numpy", "numba", "xarray"),
        }
        return {name: value for name, value in attributes.items() if value != ""}


def _path(name: str) -> str:
    return name if name.startswith(INITIAL) else f"parameters.{name}"

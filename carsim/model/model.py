"""The model: records, equations, and everything that is known about them by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carsim.errors import ModelError, unknown
from carsim.model import checks, dimensions, files, identity, values
from carsim.model.declarations import Observable, Route, Variant
from carsim.model.fields import ParameterField, StateField
from carsim.model.recording import Recording
from carsim.model.records import Parameters, Record, State, leaves

__all__ = ["Model"]

Y = TypeVar("Y", bound=State)
P = TypeVar("P", bound=Parameters)


class Model:
    """Equations with their states, parameters, observables, routes and variants.

    The equations are run once when the model is built, so that a forgotten derivative, a misspelt
    name, a Python branch on a state or a number without a source is an error at import and not in
    the middle of a sweep.

    Parameters
    ----------
    name : str
        Name of the model, the same as its file.
    rhs : callable
        ``rhs(t, y, p)`` returns the record of derivatives, state units per `time_unit`.
    states : type
        The `State` record class.
    parameters : type
        The `Parameters` record class.
    time_unit : str
        Unit of every time of this model.
    observables : iterable of Observable
        What the model reports.
    routes : iterable of Route
        What doses and infusions may be given into, beside the states.
    variants : iterable of Variant
        Named sets of parameter values.
    initial : callable, optional
        ``initial(p)`` returns the record of initial values; works on floats and arrays. Without it
        the values of the declarations are taken.
    initialise : callable, optional
        ``initialise(p)`` takes a record of arrays, shape (n,), with NaN in computed parameters, and
        returns the state record and the parameter record with these filled in. Excludes `initial`.
    reference : str
        Publication of the model.
    populations : str
        Dotted name of the module with a mapping ``POPULATIONS`` of the virtual populations that
        come with the model (`carsim.population.NamedPopulation` by name).
    area : str
        Section of the catalogue that the model belongs to, such as ``"virus"``.

    Attributes
    ----------
    states : tuple of StateField
        All states with dotted names, in the order of their indices.
    parameters : tuple of ParameterField
        All parameters with dotted names, in the order of their indices.
    observables : tuple of Observable
        What the model reports.
    routes : mapping of str to Route
        Routes by name.
    variants : mapping of str to Variant
        Variants by name.
    doc, file : str
        Docstring and path of the file that defines `rhs`.
    equations : Recording
        What `rhs` and the observables computed when the model was built, from the time, the
        states and the parameters to derivatives and observables. Kernels are made from it.
    recorded_start : Recording or None
        What `initial` or `initialise` computed, from the parameters to the states (and, of
        `initialise`, the parameters); None if they look at values, or there are none.
    parts : mapping
        All that changes a number, part by part; see `carsim.model.identity.parts_of`.
    hash : str
        SHA-256 of `parts`, 64 hexadecimal digits, made when the model is built. Comments, words,
        sources and folders are not in it; a helper, a constant, a variant, a tolerance is.

    Raises
    ------
    ModelError
        If anything above is wrong, with file and line.
    """

    def __init__(
        self,
        name: str,
        rhs: Callable[[float, Y, P], Y],
        states: type[Y],
        parameters: type[P],
        *,
        time_unit: str = "day",
        observables: Iterable[Observable] = (),
        routes: Iterable[Route] = (),
        variants: Iterable[Variant] = (),
        initial: Callable[[P], Y] | None = None,
        initialise: Callable[[P], tuple[Y, P]] | None = None,
        reference: str = "",
        populations: str = "",
        area: str = "",
    ) -> None:
        checks.require_arguments(name, rhs, states, parameters)
        module = sys.modules.get(rhs.__module__)
        self.name = name
        self.time_unit = time_unit
        self.reference = reference
        self.populations = populations
        self.area = area
        self.doc = (getattr(module, "__doc__", None) or "").strip()
        self.file = str(Path(rhs.__code__.co_filename))
        self.rhs: Callable[[Any, Any, Any], Any] = rhs
        self.state_class: type[State] = states
        self.parameter_class: type[Parameters] = parameters
        self.initial: Callable[[Any], Any] | None = initial
        self.initialise: Callable[[Any], tuple[Any, Any]] | None = initialise

        self.states: tuple[StateField, ...] = tuple(
            replace(field, name=dotted)
            for dotted, field in leaves(states)
            if isinstance(field, StateField)
        )
        self.parameters: tuple[ParameterField, ...] = tuple(
            replace(field, name=dotted)
            for dotted, field in leaves(parameters)
            if isinstance(field, ParameterField)
        )
        self.observables: tuple[Observable, ...] = tuple(observables)
        all_routes, all_variants = tuple(routes), tuple(variants)
        checks.require_items(name, self.observables, all_routes, all_variants)
        self.routes: Mapping[str, Route] = MappingProxyType({r.name: r for r in all_routes})
        self.variants: Mapping[str, Variant] = MappingProxyType({v.name: v for v in all_variants})

        self.state_names: tuple[str, ...] = tuple(s.name for s in self.states)
        self.parameter_names: tuple[str, ...] = tuple(q.name for q in self.parameters)
        self.observable_names: tuple[str, ...] = tuple(o.name for o in self.observables)
        self.state_index: Mapping[str, int] = MappingProxyType(
            {state: index for index, state in enumerate(self.state_names)}
        )
        self.parameter_index: Mapping[str, int] = MappingProxyType(
            {parameter: index for index, parameter in enumerate(self.parameter_names)}
        )
        checks.check_declarations(self, all_routes, all_variants)
        self.equations: Recording
        self.recorded_start: Recording | None = None
        checks.trial_run(self)
        self.parts: Mapping[str, Any] = MappingProxyType(identity.parts_of(self))
        self.hash: str = identity.digest_of(dict(self.parts))

    def __repr__(self) -> str:
        return (
            f"<Model {self.name!r}: {len(self.states)} states, {len(self.parameters)} parameters, "
            f"{len(self.observables)} observables>"
        )

    def __copy__(self) -> Model:
        return self

    def __deepcopy__(self, memo: object) -> Model:
        return self

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[str, dict[str, str], str]]:
        """Travel to another process as the file or module that holds the model, and its hash."""
        place = files.place_of(self)
        if not place:
            raise ModelError(
                f"model {self.name!r} cannot be sent to another process: it is not the MODEL in "
                "its file. Write its equations into a file that ends with MODEL = Model(...), and "
                f"load that with load_model('./{self.name}.py')."
            )
        return _sent, (self.name, place, self.hash)

    def state_record(self, values: Iterable[Any]) -> Any:
        """Nested state record from its leaves.

        Parameters
        ----------
        values : iterable
            One value per state, in the order of `state_names`: floats, arrays or symbols.

        Returns
        -------
        record
            Record of the `State` class that the model was built with.
        """
        return self._record(self.state_class, values, len(self.states), "states")

    def parameter_record(self, values: Iterable[Any]) -> Any:
        """Nested parameter record from its leaves.

        Parameters
        ----------
        values : iterable
            One value per parameter, in the order of `parameter_names`.

        Returns
        -------
        record
            Record of the `Parameters` class that the model was built with.
        """
        return self._record(self.parameter_class, values, len(self.parameters), "parameters")

    def _record(self, record: Any, values: Iterable[Any], expected: int, what: str) -> Any:
        flat = list(values)
        if len(flat) != expected:
            raise ModelError(
                f"model {self.name!r} has {expected} {what}; {len(flat)} values were given."
            )
        return record._from_leaves(flat)

    def flatten(self, record: Record) -> list[Any]:
        """Leaves of a state or parameter record of this model, in the order of their indices.

        Parameters
        ----------
        record : State or Parameters
            Record of the class that the model was built with.

        Returns
        -------
        list
            One value per state or parameter.
        """
        if type(record) not in (self.state_class, self.parameter_class):
            raise ModelError(
                f"model {self.name!r}: expected a {self.state_class.__name__} or a "
                f"{self.parameter_class.__name__} record, got {type(record).__name__}."
            )
        return record._leaves()

    def derivatives(
        self, t: float | NDArray[np.float64], y: Sequence[Any], p: Sequence[Any]
    ) -> list[Any]:
        """Right-hand side in plain Python: the readable twin of the compiled kernels.

        Follows IEEE arithmetic, as the kernels do: a division by zero gives infinity or NaN.

        Parameters
        ----------
        t : float or array
            Time, in `time_unit`.
        y : sequence, length n_states
            States in model units: floats, or arrays of one shape.
        p : sequence, length n_parameters
            Parameters in model units.

        Returns
        -------
        list
            One derivative per state, state unit per `time_unit`.
        """
        with np.errstate(all="ignore"):
            derivative = self.rhs(
                _ieee(t), self.state_record(map(_ieee, y)), self.parameter_record(map(_ieee, p))
            )
        return self.flatten(derivative)

    def observe(
        self, t: float | NDArray[np.float64], y: Sequence[Any], p: Sequence[Any]
    ) -> dict[str, Any]:
        """All observables at one state, in plain Python.

        Parameters
        ----------
        t : float or array
            Time, in `time_unit`.
        y : sequence, length n_states
            States in model units.
        p : sequence, length n_parameters
            Parameters in model units.

        Returns
        -------
        dict of str to float
            Values by name, each in the unit of its observable.
        """
        states = self.state_record(map(_ieee, y))
        parameters = self.parameter_record(map(_ieee, p))
        with np.errstate(all="ignore"):
            return {o.name: o(_ieee(t), states, parameters) for o in self.observables}

    def unit_of(self, name: str) -> str:
        """Return the unit of a state, observable, parameter or route, as declared."""
        return str(self._declaration(name).unit)

    def dose_unit(self, into: str) -> str:
        """Return the unit of what is given into a route or a state.

        A route may bear the name of what is measured of it, in another unit: tocilizumab is given
        in mg and seen in ug/mL.
        """
        return str(self.routes[into].unit) if into in self.routes else self.unit_of(into)

    def words_of(self, name: str) -> str:
        """Return the description of a state, observable, parameter or route."""
        return str(self._declaration(name).words)

    def _declaration(self, name: str) -> Any:
        for fields in (self.states, self.observables, self.parameters, self.routes.values()):
            for declaration in fields:
                if declaration.name == name:
                    return declaration
        known = (*self.observable_names, *self.state_names, *self.parameter_names)
        raise ModelError(
            unknown("state, observable or parameter", name, known, f"model {self.name!r}")
        )

    def parameter_values(
        self,
        overrides: Mapping[str, ArrayLike] | None = None,
        variants: Sequence[str] = (),
        n: int | None = None,
    ) -> NDArray[np.float64]:
        """Parameter values of n patients: defaults, then variants in order, then overrides.

        Parameters
        ----------
        overrides : mapping of str to float or array, shape (n,)
            Values by dotted name, in the unit of the parameter.
        variants : sequence of str
            Names of variants, not two of one group.
        n : int, optional
            Number of patients; the length of the arrays (or 1) unless given.

        Returns
        -------
        float64 array, shape (n, n_parameters)
            NaN in computed parameters; `initial_state` fills them.

        Raises
        ------
        ScenarioError
            If a name is unknown or computed, or a value is not finite, out of bounds or of a
            wrong length.
        """
        return values.parameter_values(self, overrides or {}, variants, n)

    def initial_state(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute initial states of n patients, and their parameters with the computed ones filled.

        Parameters
        ----------
        parameters : float64 array, shape (n, n_parameters)
            As `parameter_values` returns them; not changed.

        Returns
        -------
        states : float64 array, shape (n, n_states)
            In model units. Not finite for a patient whose parameters admit no initial state.
        parameters : float64 array, shape (n, n_parameters)
            A copy with the computed parameters.
        """
        return values.initial_state(self, parameters)

    def check_units(self) -> list[str]:
        """Check the dimensions of every equation by running it on quantities.

        Returns
        -------
        list of str
            One sentence per problem, with file and line where possible; empty if all is well.
        """
        return dimensions.check_units(self)


def _sent(name: str, place: dict[str, str], expected: str) -> Model:
    """Find the model that another process has sent."""
    model: Model = files.found_again(place, expected)
    if model.hash != expected:
        raise ModelError(
            f"{place.get('file') or place['module']}: model {name!r} here is not the one that was "
            f"sent (hash {model.hash[:12]}, expected {expected[:12]}): the file, or what it "
            "imports, has changed since it was loaded there. Load it again there, or bring the "
            "same files here."
        )
    return model


def _ieee(value: Any) -> Any:
    """Numpy scalars divide by zero as compiled code does; Python floats raise.

    Their comparisons are numpy booleans, too, which ``~`` negates; ``~True`` is the number -2.
    """
    return np.float64(value) if isinstance(value, (int, float)) else value

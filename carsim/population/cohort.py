"""Virtual patients: a population is a description, a cohort is the drawn numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.names import RESULT_NAMES, free_name
from carsim.population.checks import is_whole
from carsim.population.correlation import Copula
from carsim.population.distribution import Distribution
from carsim.population.draw import check_sampling, draw
from carsim.population.fit import check_groups, check_support
from carsim.population.mixture import Mixture, as_distributions
from carsim.streams import check_seed

if TYPE_CHECKING:
    from carsim.model import Model

Array: TypeAlias = NDArray[np.float64]
Values: TypeAlias = Mapping[str, "float | Array"]

LARGEST_SIZE = 10**9


@dataclass(frozen=True)
class Cohort:
    """Drawn patients.

    Attributes
    ----------
    patients : int64 array, shape (n,)
        Index of each patient in the population.
    parameters : dict of str to float64 array, shape (n,)
        Every parameter in which the population may differ from the model, in its unit.
    labels : dict of str to str array, shape (n,)
        Component of each patient, under the name of the mixture.
    sampled : tuple of str
        The parameters that were drawn (the others follow from the component).
    """

    patients: NDArray[np.int64]
    parameters: dict[str, Array]
    labels: dict[str, NDArray[np.str_]]
    sampled: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.patients)


@dataclass(frozen=True)
class Population:
    """How patients differ.

    A parameter's value is the most specific that is given: the component's own distribution, the
    population's distribution, the component's variants, the scenario's parameters, its variants,
    the model.

    Parameters
    ----------
    size : int
        Number of patients.
    seed : int, optional
        Root of all random numbers; 0 is a seed like any other.
    parameters : mapping of str to Distribution or float, optional
        Distributions by parameter name, in the parameter's unit.
    correlations : mapping of (str, str) to float, optional
        Correlations of the normal scores (Gaussian copula): for lognormal parameters, of the
        logarithms.
    mixture : Mixture, optional
        Kinds of patients.
    component : str, optional
        Label of the component to which everybody belongs; set by an axis of a sweep.
    sampling : {"random", "sobol"}, optional
        How patients are drawn. Either way patient i is a function of the seed and i only: no size,
        block, order or thread changes them.

        ``"random"``: independently, each parameter from a stream of its own.

        ``"sobol"``: patient i is point i of a scrambled Sobol sequence. Its coordinates are the
        parameters in the order of their declaration (the population's, then those that only
        components vary) and last the number that chooses the component; in a stratified mixture
        each component has a sequence of its own instead. Means and shares over such patients come
        nearer to those of the population, most of all for sizes that are powers of 2.

    Raises
    ------
    ScenarioError
        A distribution, correlation, share or size that makes no sense.

    Notes
    -----
    Of ``sampling="sobol"``: a patient depends also on *how many* parameters vary and on their
    order, so one distribution more is another cohort; to compare two sets of distributions patient
    by patient, draw at random. Patients are not independent of each other: an interval that takes
    them for independent, such as a binomial one, is usually too wide and is no standard error of
    the estimate. Repeat with several seeds and take the spread of the estimates for that. Values
    that are given patient by patient must not repeat every 2, 4, 6, ... patients, because so do
    digits of the points. What therapy and assays draw stays random.
    """

    size: int
    seed: int = 0
    parameters: Mapping[str, Distribution | float] = field(default_factory=dict)
    correlations: Mapping[tuple[str, str], float] = field(default_factory=dict)
    mixture: Mixture | None = None
    component: str | None = None
    sampling: str = "random"

    def __post_init__(self) -> None:
        if not is_whole(self.size) or not 1 <= self.size <= LARGEST_SIZE:
            raise ScenarioError(
                f"population: size = {self.size!r}. It must be a whole number of patients from 1 "
                f"to {LARGEST_SIZE:,}."
            )
        check_seed(self.seed, "population")
        object.__setattr__(
            self, "parameters", as_distributions(self.parameters, "population parameters")
        )
        object.__setattr__(self, "correlations", dict(self.correlations))
        check_sampling(self.sampling, self.sampled, self.mixture)
        Copula(self.correlations, self.sampled)
        if self.component is not None:
            if self.mixture is None:
                raise ScenarioError(
                    f"population: component = {self.component!r}, but there is no mixture. "
                    f"Give mixture = Mixture(name, components)."
                )
            self.mixture.index(self.component)

    @property
    def distributions(self) -> Mapping[str, Distribution]:
        """The population's distributions; a component may have its own."""
        return self.parameters  # type: ignore[return-value]

    @property
    def sampled(self) -> tuple[str, ...]:
        """Names of the parameters that are drawn, for everybody or for one component."""
        random = (name for _, name, distribution in self._given() if distribution.random)
        return tuple(dict.fromkeys(random))

    def replace(self, path: str, value: object) -> Population:
        """Return a population with one thing changed.

        Parameters
        ----------
        path : str
            ``"size"``, ``"seed"``, ``"sampling"``, the name of the mixture (the value is then the
            label to which all patients shall belong) or
            ``"parameters.<parameter>.<field of its distribution>"``.
        value : object
            New value.
        """
        where = f"population.{path}"
        if path in ("size", "seed", "sampling"):
            return dataclasses.replace(self, **{path: value})  # type: ignore[arg-type]
        if self.mixture is not None and path == self.mixture.name:
            if not isinstance(value, str):
                raise ScenarioError(f"{where}: {value!r} is not a label. Give one as text.")
            return dataclasses.replace(self, component=value)
        kind, _, rest = path.partition(".")
        if kind == "parameters":
            name, _, setting = rest.rpartition(".")
            if name not in self.distributions:
                raise ScenarioError(
                    unknown("distribution for", name or rest, self.distributions, where)
                )
            old = self.distributions[name]
            settings = [item.name for item in dataclasses.fields(old)]  # type: ignore[arg-type]
            if setting not in settings:
                raise ScenarioError(unknown("setting", setting, settings, where))
            new = dataclasses.replace(old, **{setting: value})  # type: ignore[type-var]
            return dataclasses.replace(self, parameters={**self.parameters, name: new})
        raise ScenarioError(unknown("entry", path, self.paths(), "population"))

    def paths(self) -> tuple[str, ...]:
        """All paths that `replace` accepts."""
        own = [
            f"parameters.{name}.{item.name}"
            for name, distribution in self.distributions.items()
            for item in dataclasses.fields(distribution)  # type: ignore[arg-type]
        ]
        mixture = [] if self.mixture is None else [self.mixture.name]
        return ("size", "seed", "sampling", *mixture, *own)

    def validate(
        self,
        model: Model,
        parameters: Values | None = None,
        variants: Sequence[str] = (),
    ) -> None:
        """Check the population against a model: names, bounds, contradictions.

        Parameters
        ----------
        model : Model
            Model whose parameters vary.
        parameters : mapping of str to float or array, optional
            Values that the scenario gives to all patients.
        variants : sequence of str, optional
            Named parameter sets that the scenario gives to all patients.
        """
        if self.mixture is not None:
            taken = {*RESULT_NAMES, *model.state_names, *model.parameter_names}
            taken |= set(model.observable_names)
            if self.mixture.name in taken:
                raise ScenarioError(
                    f"population mixture '{self.mixture.name}': the name is taken by the result "
                    f"or by model '{model.name}'. Choose another, for example "
                    f"{free_name(self.mixture.name, taken)!r}."
                )
        fields = {item.name: item for item in model.parameters}
        copula = Copula(self.correlations, self.sampled)
        for where, name, distribution in self._given():
            if name not in fields:
                owner = f"{where}: model '{model.name}'"
                raise ScenarioError(unknown("parameter", name, fields, owner))
            centers = self._centers(model, parameters or {}, variants, name)
            reach = copula.largest_score(name)
            check_support(where, fields[name], distribution, centers, reach)
            if where == "population" and not distribution.relative and name in (parameters or {}):
                raise ScenarioError(
                    f"population: '{name}' has a distribution and also a fixed value in the "
                    f"scenario's parameters. Keep one, or leave out the distribution's median: "
                    f"then the spread is around the fixed value."
                )
        for component in () if self.mixture is None else self.mixture.components:
            where = f"population component '{component.label}'"
            for variant in component.variants:
                if variant not in model.variants:
                    owner = f"{where}: model '{model.name}'"
                    raise ScenarioError(unknown("variant", variant, model.variants, owner))
                check_groups(where, model, variant, variants)
                for name in model.variants[variant].values:
                    self._check_overruled(where, variant, name, component.distributions)
                    if name in (parameters or {}) and name not in component.distributions:
                        raise ScenarioError(
                            f"{where}: variant '{variant}' sets '{name}', and so do the "
                            f"scenario's parameters. Remove it there, or give it to the component."
                        )
        self._base(model, parameters or {}, variants, 1)

    def sample(
        self,
        model: Model,
        parameters: Values | None = None,
        variants: Sequence[str] = (),
        *,
        patients: NDArray[np.int64] | None = None,
        membership: NDArray[np.int64] | None = None,
    ) -> Cohort:
        """Draw patients.

        Parameters
        ----------
        model : Model
            Model whose parameters vary.
        parameters : mapping of str to float or float64 array, shape (n,), optional
            Values that the scenario gives, in model units; the center of a distribution without
            a median.
        variants : sequence of str, optional
            Named parameter sets of the scenario; later ones win.
        patients : int64 array, shape (n,), optional
            Which patients; all by default.
        membership : int64 array, shape (n,), optional
            Component of each patient, in place of the mixture's shares.

        Returns
        -------
        Cohort
        """
        if patients is None:
            patients = np.arange(self.size, dtype=np.int64)
        values, n = self._base(model, parameters or {}, variants, len(patients)), len(patients)
        labels: dict[str, NDArray[np.str_]] = {}
        mixture = self.mixture
        scores, drawn = draw(self.sampling, self.seed, self.sampled, mixture, patients)
        if mixture is not None:
            if membership is None:
                membership = drawn if self.component is None else self._everybody(n)
            labels[mixture.name] = np.array(mixture.labels)[membership]
        Copula(self.correlations, scores).correlate(scores)
        nobody = np.zeros(n)
        centers = dict(values)
        for k, component in enumerate(() if mixture is None else mixture.components):
            here = membership == k
            for variant in component.variants:
                for name, (value, _) in model.variants[variant].values.items():
                    centers[name] = np.where(here, value, centers[name])
        values = dict(centers)
        for name, distribution in self.distributions.items():
            values[name] = distribution.values(scores.get(name, nobody), centers[name])
        for k, component in enumerate(() if mixture is None else mixture.components):
            here = membership == k
            for name, distribution in component.distributions.items():
                own = distribution.values(scores.get(name, nobody)[here], centers[name][here])
                values[name] = values[name].copy()
                values[name][here] = own
        return Cohort(patients, values, labels, self.sampled)

    def membership(self, patients: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Component of each patient, as positions in the mixture; None without a mixture.

        Parameters
        ----------
        patients : int64 array, shape (n,)
            Which patients.
        """
        if self.component is not None:
            return self._everybody(len(patients))
        return draw(self.sampling, self.seed, self.sampled, self.mixture, patients)[1]

    def _everybody(self, n: int) -> NDArray[np.int64]:
        assert self.mixture is not None
        return np.full(n, self.mixture.index(self.component), dtype=np.int64)

    def _given(self) -> Iterator[tuple[str, str, Distribution]]:
        for name, distribution in self.distributions.items():
            yield "population", name, distribution
        for component in () if self.mixture is None else self.mixture.components:
            for name, distribution in component.distributions.items():
                yield f"population component '{component.label}'", name, distribution

    def _check_overruled(
        self, where: str, variant: str, name: str, own: Mapping[str, Distribution]
    ) -> None:
        everybody = self.distributions.get(name)
        if everybody is not None and not everybody.relative and name not in own:
            raise ScenarioError(
                f"{where}: variant '{variant}' sets '{name}', but the population's "
                f"{everybody.kind} distribution would overrule it. Leave out the median (the "
                f"spread is then around the variant's value) or give the component its own "
                f"distribution of '{name}'."
            )

    def _centers(
        self, model: Model, parameters: Values, variants: Sequence[str], name: str
    ) -> Array:
        """Own values that a parameter may have in any patient, shape (n,)."""
        found = [np.atleast_1d(_own_value(model, parameters, variants, name))]
        for component in () if self.mixture is None else self.mixture.components:
            for variant in component.variants:
                if variant in model.variants and name in model.variants[variant].values:
                    found.append(np.array([model.variants[variant].values[name][0]]))
        return np.concatenate(found)

    def _base(
        self, model: Model, parameters: Values, variants: Sequence[str], n: int
    ) -> dict[str, Array]:
        """Values before the population, for every parameter that it touches."""
        touched = [name for _, name, _ in self._given()]
        for component in () if self.mixture is None else self.mixture.components:
            for variant in component.variants:
                touched.extend(model.variants[variant].values)
        base: dict[str, Array] = {}
        for name in dict.fromkeys(touched):
            value = _own_value(model, parameters, variants, name)
            base[name] = np.array(np.broadcast_to(value, (n,)))
        return base


def _own_value(model: Model, parameters: Values, variants: Sequence[str], name: str) -> Array:
    """Value of a parameter before the population, shape () or (n,)."""
    value: float | Array = model.parameters[model.parameter_index[name]].value
    for variant in variants:
        if variant in model.variants and name in model.variants[variant].values:
            value = model.variants[variant].values[name][0]
    return np.asarray(parameters.get(name, value), dtype=np.float64)

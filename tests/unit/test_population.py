"""Populations: distributions, correlations, kinds of patients, reproducible draws."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from carsim.errors import ScenarioError
from carsim.model import Assumed, Model, Parameters, State, parameter, state, variant
from carsim.population import (
    DISTRIBUTIONS,
    Beta,
    Component,
    Constant,
    Distribution,
    LogitNormal,
    LogNormal,
    LogUniform,
    Mixture,
    Normal,
    Population,
    TruncatedNormal,
    Uniform,
    uniforms,
)
from carsim.streams import LARGEST_SCORE

TOY = Assumed("a test")


class Amounts(State):
    drug: float = state(1.0, "mg", "drug in the body")


class Rates(Parameters):
    k: float = parameter(0.5, "1/day", "elimination", TOY)
    source: float = parameter(2.0, "mg/day", "endogenous source", TOY)
    bound: float = parameter(0.25, "1", "bound fraction", TOY, upper=1.0)


def rhs(t: float, y: Amounts, p: Rates) -> Amounts:
    return Amounts(drug=p.source - p.k * (1 - p.bound) * y.drug)


MODEL = Model(
    "toy",
    rhs,
    Amounts,
    Rates,
    variants=[
        variant("slow", "slow elimination", {"k": (0.1, TOY)}, group="speed"),
        variant("fast", "fast elimination", {"k": (2.0, TOY)}, group="speed"),
    ],
)

KINDS: list[tuple[Distribution, Any]] = [
    (Normal(3.0, 0.5), stats.norm(3.0, 0.5)),
    (LogNormal(2.0, cv=0.4), stats.lognorm(math.sqrt(math.log(1.16)), scale=2.0)),
    (LogNormal(2.0, sigma=0.7), stats.lognorm(0.7, scale=2.0)),
    (LogitNormal(0.3, 0.8), None),
    (LogitNormal(-7.0, 1.3, lower=-10.0, upper=0.0), None),
    (Uniform(-1.0, 4.0), stats.uniform(-1.0, 5.0)),
    (LogUniform(1e-3, 10.0), stats.loguniform(1e-3, 10.0)),
    (Beta(2.0, 5.0, 1.0, 3.0), stats.beta(2.0, 5.0, 1.0, 2.0)),
    (TruncatedNormal(1.0, 2.0, lower=0.0), stats.truncnorm(-0.5, math.inf, 1.0, 2.0)),
    (TruncatedNormal(0.0, 1.0, 6.0, 7.0), stats.truncnorm(6.0, 7.0)),
    (
        TruncatedNormal(0.0, 1.0, -7.0, -6.0),
        stats.truncnorm(-7.0, -6.0),
    ),
]


def draw(distribution: Distribution, n: int = 4000) -> Any:
    scores = stats.norm.ppf(uniforms(1, "draw", np.arange(n)))
    return distribution.values(scores, np.full(n, 0.5))


@pytest.mark.parametrize(("distribution", "reference"), KINDS)
def test_a_distribution_draws_what_it_says(distribution: Distribution, reference: Any) -> None:
    drawn = draw(distribution)
    low, high = distribution.support
    assert np.all((drawn >= low) & (drawn <= high))
    if reference is not None:
        assert stats.kstest(drawn, reference.cdf).pvalue > 1e-3


def test_a_logit_normal_is_normal_on_the_logit_scale() -> None:
    drawn = draw(LogitNormal(0.3, 0.8))
    logit = np.log(drawn / (1 - drawn))
    assert stats.kstest(logit, stats.norm(math.log(0.3 / 0.7), 0.8).cdf).pvalue > 1e-3


def test_a_logit_normal_between_bounds_is_normal_on_the_logit_of_the_way_between_them() -> None:
    drawn = draw(LogitNormal(-7.0, 0.8, lower=-10.0, upper=0.0))
    logit = np.log((drawn + 10.0) / -drawn)
    assert stats.kstest(logit, stats.norm(math.log(0.3 / 0.7), 0.8).cdf).pvalue > 1e-3
    # Without a median it is around the parameter's own value, 0.5 in `draw`.
    assert np.median(draw(LogitNormal(sigma=0.8, upper=2.0))) == pytest.approx(0.5, rel=0.03)


def test_the_furthest_scores_stay_finite() -> None:
    furthest = np.array([-LARGEST_SCORE, LARGEST_SCORE])
    for distribution, _ in KINDS:
        low, high = distribution.values(furthest, np.full(2, 0.5))
        assert math.isfinite(low)
        assert math.isfinite(high)
        assert low < high
    half = TruncatedNormal(0.0, 1.0, lower=0.0)
    assert half.values(furthest, furthest)[1] == pytest.approx(8.29, abs=0.01)


def test_a_truncated_lognormal_stays_between_its_bounds() -> None:
    drawn = draw(LogNormal(1.0, cv=1.0, lower=0.5, upper=2.0))
    assert drawn.min() >= 0.5
    assert drawn.max() <= 2.0
    assert np.median(drawn) == pytest.approx(1.0, rel=0.05)


def test_without_a_median_the_spread_is_around_the_parameters_own_value() -> None:
    drawn = draw(LogNormal(cv=0.3))
    assert np.median(drawn) == pytest.approx(0.5, rel=0.03)
    assert np.all(LogNormal(cv=0.3).values(np.array([-1.0, 1.0]), np.zeros(2)) == 0)


def test_every_distribution_can_be_written_down_and_read_again() -> None:
    for distribution, _ in KINDS:
        written = dict(distribution.settings())
        kind = DISTRIBUTIONS[str(written.pop("distribution"))]
        assert kind(**written) == distribution


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normal(0.0, 0.0), r"normal distribution: sd = 0.0. sd must be above 0"),
        (lambda: Normal(math.nan, 1.0), r"mean = nan. Give mean a finite number"),
        (lambda: Normal(0.0, True), r"sd = True"),
        (lambda: Normal("1", 1.0), r"mean = '1'"),  # type: ignore[arg-type]
        (lambda: LogNormal(1.0), r"Give one of them: cv"),
        (lambda: LogNormal(1.0, cv=0.3, sigma=0.3), r"Give one of them: cv"),
        (lambda: LogNormal(-1.0, cv=0.3), r"median must be above 0"),
        (lambda: LogNormal(1.0, cv=0.3, lower=-1.0), r"never below 0"),
        (lambda: LogNormal(1.0, cv=0.01, lower=900.0, upper=1000.0), r"leaves nothing between"),
        (lambda: LogitNormal(1.5, 0.3), r"must lie between 0 and 1"),
        (lambda: LogitNormal(0.5), r"sigma = None"),
        (lambda: LogitNormal(1.0, 0.3, lower=2.0, upper=4.0), r"must lie between 2 and 4"),
        (lambda: LogitNormal(1.0, 0.3, upper=math.inf), r"Give upper a finite number"),
        (lambda: LogitNormal(1.0, 0.3, lower=2.0), r"lower must be below"),
        (lambda: Uniform(2.0, 2.0), r"low must be below"),
        (lambda: LogUniform(0.0, 2.0), r"low must be above 0"),
        (lambda: Beta(1.0, -1.0), r"beta must be above 0"),
        (lambda: TruncatedNormal(0.0, 1.0, 60.0, 61.0), r"leave nothing between"),
        (lambda: Constant(math.inf), r"value = inf"),
    ],
)
def test_a_senseless_distribution_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()


def test_uniforms_are_uniform_and_never_zero_or_one() -> None:
    drawn = uniforms(0, "k", np.arange(20_000))
    assert drawn.min() > 0
    assert drawn.max() < 1
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.02


def test_seed_zero_is_a_seed_and_streams_are_independent() -> None:
    patients = np.arange(5000)
    zero = uniforms(0, "k", patients)
    assert not np.array_equal(zero, uniforms(1, "k", patients))
    assert abs(np.corrcoef(zero, uniforms(0, "source", patients))[0, 1]) < 0.05


def test_the_random_numbers_do_not_change_between_versions() -> None:
    expected = [0.32085553647081755, 0.8688486924737785, 0.07293311503196198]
    assert uniforms(20261122, "k", np.arange(3)).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=40), st.integers(0, 2**64 - 1))
def test_a_patients_number_does_not_depend_on_its_neighbors(which: list[int], seed: int) -> None:
    everybody = uniforms(seed, "k", np.arange(3001))
    patients = np.array(which)
    assert np.array_equal(uniforms(seed, "k", patients), everybody[patients])


def whole_population(size: int = 1000) -> Population:
    return Population(
        size,
        seed=7,
        parameters={"k": LogNormal(cv=0.3), "source": LogNormal(2.0, cv=0.5), "bound": 0.1},
        correlations={("k", "source"): 0.6},
        mixture=Mixture(
            "speed",
            [
                Component("slow ones", 3, ("slow",)),
                Component("fast ones", 1, ("fast",), {"bound": Beta(2.0, 2.0)}),
            ],
        ),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 999), st.integers(0, 998))
def test_the_first_patients_of_many_are_the_same_patients(size: int, first: int) -> None:
    everybody = whole_population().sample(MODEL)
    some = whole_population(size).sample(MODEL)
    block = whole_population().sample(MODEL, patients=np.arange(first, 1000))
    for name, values in everybody.parameters.items():
        assert np.array_equal(some.parameters[name], values[:size])
        assert np.array_equal(block.parameters[name], values[first:])
    assert np.array_equal(some.labels["speed"], everybody.labels["speed"][:size])


def test_components_differ_in_variants_and_own_distributions() -> None:
    cohort = whole_population(4000).sample(MODEL)
    slow = cohort.labels["speed"] == "slow ones"
    assert slow.mean() == pytest.approx(0.75, abs=0.03)
    assert np.median(cohort.parameters["k"][slow]) == pytest.approx(0.1, rel=0.05)
    assert np.median(cohort.parameters["k"][~slow]) == pytest.approx(2.0, rel=0.05)
    assert np.all(cohort.parameters["bound"][slow] == 0.1)
    assert np.std(cohort.parameters["bound"][~slow]) > 0.1
    assert cohort.sampled == ("k", "source", "bound")
    assert len(cohort) == 4000


def test_correlations_hold_on_the_scale_of_the_scores() -> None:
    cohort = Population(
        20_000,
        parameters={"k": LogNormal(cv=0.3), "source": LogNormal(cv=0.5), "bound": Beta(2.0, 2.0)},
        correlations={("k", "source"): 0.6, ("source", "bound"): -0.5},
    ).sample(MODEL)
    logs = np.log([cohort.parameters["k"], cohort.parameters["source"]])
    assert np.corrcoef(logs)[0, 1] == pytest.approx(0.6, abs=0.02)
    # The rank correlation of a Gaussian copula is (6 / pi) asin(r / 2).
    ranks = stats.spearmanr(cohort.parameters["source"], cohort.parameters["bound"]).statistic
    assert ranks == pytest.approx(-6 / math.pi * math.asin(0.25), abs=0.02)


def test_the_scenarios_values_are_the_center_of_a_spread_without_median() -> None:
    population = Population(500, parameters={"k": LogNormal(sigma=0.01)})
    assert np.allclose(population.sample(MODEL, variants=["fast"]).parameters["k"], 2.0, rtol=0.1)
    swept = np.linspace(1.0, 5.0, 500)
    cohort = population.sample(MODEL, {"k": swept}, ["fast"])
    assert np.allclose(cohort.parameters["k"], swept, rtol=0.1)


def test_a_stratified_mixture_has_exact_shares_at_every_size() -> None:
    mixture = Mixture(
        "s", [Component("a", 0.6), Component("b", 0.3), Component("c", 0.1)], stratified=True
    )
    drawn = mixture.membership(0, np.arange(1000))
    for size in (10, 100, 1000):
        assert np.bincount(drawn[:size]).tolist() == [6 * size // 10, 3 * size // 10, size // 10]
    for size in range(1, 100):
        shares = np.bincount(drawn[:size], minlength=3)
        assert np.all(np.abs(shares - size * np.array([0.6, 0.3, 0.1])) < 1)


def test_odd_shares_are_exact_to_one_in_ten_thousand() -> None:
    mixture = Mixture("s", [Component("a", math.pi), Component("b", math.e)], stratified=True)
    share = (mixture.membership(0, np.arange(10_000)) == 0).mean()
    assert share == pytest.approx(math.pi / (math.pi + math.e), abs=1e-4)


def test_everybody_can_be_put_into_one_component() -> None:
    population = whole_population(10).replace("speed", "fast ones")
    cohort = population.sample(MODEL)
    assert set(cohort.labels["speed"]) == {"fast ones"}
    chosen = np.array([0, 1] * 5)
    mixed = whole_population(10).sample(MODEL, membership=chosen)
    # Common random numbers: the patient is the same, only the kind differs.
    assert np.array_equal(mixed.parameters["k"][1::2], cohort.parameters["k"][1::2])


def test_replace_changes_one_thing_and_leaves_the_original_alone() -> None:
    population = whole_population()
    assert population.replace("size", 5).size == 5
    assert population.replace("seed", 0).seed == 0
    wider = population.replace("parameters.k.cv", 0.9)
    assert wider.distributions["k"] == LogNormal(cv=0.9)
    assert population == whole_population()
    assert pickle.loads(pickle.dumps(population)) == population


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sise", 5, r"population has no entry 'sise'. Did you mean 'size'"),
        ("speed", "fast", r"no component 'fast'"),
        ("speed", 1, r"population.speed: 1 is not a label"),
        ("parameters.kk.cv", 1, r"no distribution for 'kk'"),
        ("parameters.k.medain", 1, r"no setting 'medain'. Did you mean 'median'"),
    ],
)
def test_replace_refuses_unknown_paths(path: str, value: object, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        whole_population().replace(path, value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Population(0), r"size = 0. It must be a whole number of patients"),
        (lambda: Population(2.0), r"size = 2.0"),  # type: ignore[arg-type]
        (lambda: Population(True), r"size = True"),
        (lambda: Population(10**400), r"size = 1000"),
        (lambda: Population(5, seed=-1), r"the seed is -1"),
        (lambda: Population(5, seed=1.5), r"the seed is 1.5"),  # type: ignore[arg-type]
        (lambda: Population(5, parameters={"k": "1"}), r"k is '1'. Give a number or a distrib"),  # type: ignore[dict-item]
        (lambda: Population(5, component="a"), r"there is no mixture"),
        (
            lambda: Population(5, parameters={"k": Normal(1, 1)}, correlations={("k", "q"): 0.5}),
            r"no parameter with a distribution 'q'",
        ),
        (
            lambda: Population(5, parameters={"k": Normal(1, 1)}, correlations={("k", "k"): 0.5}),
            r"always correlated with itself",
        ),
        (
            lambda: Population(
                5,
                parameters={"a": Normal(1, 1), "b": Normal(1, 1)},
                correlations={("a", "b"): 0.5, ("b", "a"): 0.5},
            ),
            r"b - a: the pair is given twice",
        ),
        (
            lambda: Population(
                5,
                parameters={"a": Normal(1, 1), "b": Normal(1, 1)},
                correlations={("a", "b"): 1.0},
            ),
            r"1.0 is not a number between -1 and 1",
        ),
        (
            lambda: Population(5, correlations={"ab": 0.5}),  # type: ignore[dict-item]
            r"'ab' is not a pair",
        ),
        (lambda: Component("", 1), r"the label is ''"),
        (lambda: Component("a", 0), r"'a': weight = 0"),
        (lambda: Component("a", math.nan), r"'a': weight = nan"),
        (lambda: Component("a", 1, "slow"), r"Give a list"),
        (lambda: Mixture("s s", [Component("a")]), r"the name is 's s'"),
        (lambda: Mixture("s", ()), r"at least one component"),
        (lambda: Mixture("s", (Component("a"), Component("a"))), r"label 'a' is used twice"),
    ],
)
def test_a_senseless_population_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()


def test_correlations_that_cannot_hold_together_are_named() -> None:
    varying = {name: Normal(1, 1) for name in "abcd"}
    impossible = {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9, ("c", "d"): 0.0}
    with pytest.raises(ScenarioError, match=r"a - b = 0.9, b - c = 0.9, a - c = -0.9 cannot") as e:
        Population(5, parameters=varying, correlations=impossible)
    assert "d" not in str(e.value).split("cannot")[0].split(":")[1]
    scale = float(str(e.value).split("all times ")[1].split(" ")[0])
    tame = {pair: scale * value for pair, value in impossible.items()}
    Population(5, parameters=varying, correlations=tame)


@pytest.mark.parametrize(
    ("population", "parameters", "variants", "message"),
    [
        (
            Population(5, parameters={"sorce": 1.0}),
            {},
            (),
            r"no parameter 'sorce'. Did you mean 'source'",
        ),
        (
            Population(5, parameters={"k": Normal(1.0, 0.2)}),
            {},
            (),
            r"'k' can draw values from -0.64.* to 2.64.*, below the parameter's bounds \(0 to inf",
        ),
        (
            Population(5, parameters={"bound": LogNormal(cv=0.4)}),
            {},
            (),
            r"above the parameter's bounds \(0 to 1 1\). Give it upper = 1",
        ),
        (Population(5, parameters={"bound": 2.0}), {}, (), r"bound = 2 lies outside its bounds"),
        (
            Population(5, parameters={"k": LogNormal(1.0, cv=0.2)}),
            {"k": 2.0},
            (),
            r"'k' has a distribution and also a fixed value",
        ),
        (
            Population(5, mixture=Mixture("k", (Component("a"),))),
            {},
            (),
            r"mixture 'k': the name is taken",
        ),
        (
            Population(5, mixture=Mixture("s", (Component("a", 1, ("slw",)),))),
            {},
            (),
            r"component 'a': model 'toy' has no variant 'slw'. Did you mean 'slow'",
        ),
        (
            Population(
                5,
                parameters={"k": LogNormal(1.0, cv=0.2)},
                mixture=Mixture("s", (Component("a", 1, ("slow",)),)),
            ),
            {},
            (),
            r"variant 'slow' sets 'k', but the population's lognormal distribution would overrule",
        ),
        (
            Population(5, mixture=Mixture("s", (Component("a", 1, ("slow",)),))),
            {"k": 1.0},
            (),
            r"variant 'slow' sets 'k', and so do the scenario's parameters",
        ),
        (
            Population(5, mixture=Mixture("s", (Component("a", 1, ("slow",)),))),
            {},
            ("fast",),
            r"'slow' and the scenario's variant 'fast' are both of the group 'speed'",
        ),
    ],
)
def test_a_population_that_does_not_fit_the_model_is_refused(
    population: Population, parameters: dict[str, float], variants: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        population.validate(MODEL, parameters, variants)


def test_a_distribution_that_cannot_leave_the_bounds_is_accepted() -> None:
    # No score is beyond 8.3: 1 - 8.3 * 0.1 is above 0.
    Population(5, parameters={"k": Normal(1.0, 0.1)}).validate(MODEL)
    correlated = Population(
        5,
        parameters={"k": Normal(1.0, 0.1), "source": Normal(9.0, 0.1)},
        correlations={("k", "source"): 0.5},
    )
    # A correlated score may be larger, by the root of the number of parameters.
    with pytest.raises(ScenarioError, match=r"'k' can draw values from -0.16"):
        correlated.validate(MODEL)

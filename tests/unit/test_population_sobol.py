"""Populations from a Sobol sequence: the same patients everywhere, and nearer to the population."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import kstest, qmc, spearmanr

from carsim import streams
from carsim.errors import ScenarioError
from carsim.model import Assumed, Model, Parameters, State, parameter, state, variant
from carsim.population import Beta, Component, LogNormal, Mixture, Population, Uniform
from carsim.streams import sobol_points

TOY = Assumed("a test")
N = 4096


class Amounts(State):
    drug: float = state(1.0, "mg", "drug in the body")


class Rates(Parameters):
    k: float = parameter(0.5, "1/day", "elimination", TOY)
    source: float = parameter(2.0, "mg/day", "endogenous source", TOY)
    bound: float = parameter(0.25, "1", "bound fraction", TOY, upper=1.0)


def rhs(t: float, y: Amounts, p: Rates) -> Amounts:
    return Amounts(drug=p.source - p.k * (1 - p.bound) * y.drug)


MODEL = Model(
    "toy_sobol",
    rhs,
    Amounts,
    Rates,
    variants=[
        variant("slow", "slow elimination", {"k": (0.1, TOY)}, group="speed"),
        variant("fast", "fast elimination", {"k": (2.0, TOY)}, group="speed"),
    ],
)


def kinds(stratified: bool, slow: float = 3.0) -> Mixture:
    components = [
        Component("slow ones", slow, ("slow",)),
        Component("fast ones", 1.0, ("fast",), {"bound": Beta(2.0, 2.0)}),
    ]
    return Mixture("speed", components, stratified)


def population(size: int = 1000, *, stratified: bool = False, seed: int = 7) -> Population:
    return Population(
        size,
        seed,
        {"k": LogNormal(cv=0.3), "source": LogNormal(2.0, cv=0.5), "bound": 0.1},
        {("k", "source"): 0.6},
        kinds(stratified),
        sampling="sobol",
    )


def independent(size: int, seed: int, sampling: str) -> dict[str, Any]:
    """Draw three parameters without correlation."""
    varying = {
        "k": LogNormal(0.5, cv=0.3),
        "source": LogNormal(2.0, cv=0.5),
        "bound": Uniform(0, 1),
    }
    return Population(size, seed, varying, sampling=sampling).sample(MODEL).parameters


def mean_error(size: int, seed: int, sampling: str) -> float:
    """Relative error of the mean of source * (1 + bound) / k, whose mean is known."""
    drawn = independent(size, seed, sampling)
    truth = 2.0 * math.sqrt(1.25) * 1.5 * math.sqrt(1.09) / 0.5
    found = float(np.mean(drawn["source"] * (1 + drawn["bound"]) / drawn["k"]))
    return found / truth - 1


@pytest.fixture(scope="module", params=[False, True], ids=["by weight", "stratified"])
def stratified(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def assert_same(one: Any, other: Any, rows: Any, of: Any = slice(None)) -> None:
    for name, values in other.parameters.items():
        assert np.array_equal(one.parameters[name][rows], values[of])
    assert np.array_equal(one.labels["speed"][rows], other.labels["speed"][of])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 999), st.integers(0, 998), st.booleans())
def test_the_first_patients_of_many_are_the_same_patients(
    size: int, first: int, stratified: bool
) -> None:
    everybody = population(stratified=stratified).sample(MODEL)
    some = population(size, stratified=stratified).sample(MODEL)
    assert_same(everybody, some, slice(size))
    chosen = np.arange(first, 1000)
    assert_same(everybody, population(stratified=stratified).sample(MODEL, patients=chosen), chosen)


@pytest.mark.parametrize("block", [1, 7, 256])
def test_patients_do_not_depend_on_the_blocks(block: int, stratified: bool) -> None:
    drawn = population(600, stratified=stratified)
    everybody = drawn.sample(MODEL)
    starts = list(range(0, 600, block))
    # In order, as a sweep does, and in any order, as many processes do.
    for order in (starts, list(np.random.default_rng(0).permutation(starts))):
        for start in order:
            patients = np.arange(start, min(start + block, 600))
            assert_same(everybody, drawn.sample(MODEL, patients=patients), patients)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2000), max_size=40), st.integers(0, 2**64 - 1), st.booleans())
def test_patients_can_be_asked_for_in_any_order(
    which: list[int], seed: int, stratified: bool
) -> None:
    drawn = population(2001, stratified=stratified, seed=seed)
    patients = np.array(which, dtype=np.int64)
    assert_same(drawn.sample(MODEL), drawn.sample(MODEL, patients=patients), patients)


def test_many_threads_draw_the_same_patients(stratified: bool) -> None:
    drawn = population(2000, stratified=stratified)
    everybody = drawn.sample(MODEL)
    blocks = [np.arange(start, start + 50) for start in range(0, 2000, 50)] * 3
    with ThreadPoolExecutor(8) as pool:
        cohorts = list(pool.map(lambda patients: drawn.sample(MODEL, patients=patients), blocks))
    for patients, cohort in zip(blocks, cohorts, strict=True):
        assert_same(everybody, cohort, patients)


def test_a_block_that_begins_the_next_cell_does_not_send_the_sequence_back() -> None:
    streams._sequences.clear()
    sobol_points(0, "cells", 2, np.arange(950))
    sobol_points(0, "cells", 2, np.concatenate([np.arange(950, 1000), np.arange(50)]))
    (sequence,) = streams._sequences.values()
    assert sequence.num_generated == 50


def test_no_more_sequences_are_kept_than_a_few() -> None:
    first = sobol_points(0, "first", 2, np.arange(5))
    for number in range(2 * streams.MOST_SEQUENCES):
        sobol_points(number, "another", 1, np.arange(1))
    assert len(streams._sequences) == streams.MOST_SEQUENCES
    assert np.array_equal(sobol_points(0, "first", 2, np.arange(5)), first)


def test_the_points_do_not_change_between_versions() -> None:
    expected = [[0.4016108517535031, 0.9261986394412816], [0.7364881248213351, 0.4897591727785766]]
    assert sobol_points(20261122, "sobol", 2, np.arange(2)).tolist() == expected


def test_points_are_never_zero_or_one() -> None:
    # The last digit of every coordinate is the half step; without scrambling point 0 is 0.
    points = sobol_points(0, "edges", 4, np.arange(2**14))
    steps = points * 2.0**31
    assert np.array_equal(steps, np.floor(steps))
    assert np.all(steps % 2 == 1)
    assert points.min() > 0
    assert points.max() < 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_of_n_equal_shares_of_a_parameter_has_one_of_n_patients(seed: int) -> None:
    drawn = independent(N, seed, "sobol")
    shares = {
        "bound": drawn["bound"],
        "k": ndtr(np.log(drawn["k"] / 0.5) / math.sqrt(math.log(1.09))),
        "source": ndtr(np.log(drawn["source"] / 2.0) / math.sqrt(math.log(1.25))),
    }
    for share in shares.values():
        assert sorted(np.floor(share * N).astype(int).tolist()) == list(range(N))
        # So have the later beginnings of a power of 2.
        assert sorted(np.floor(share[512:768] * 256).astype(int).tolist()) == list(range(256))


def test_parameters_fill_their_space_more_evenly_than_chance() -> None:
    def discrepancy(seed: int, sampling: str) -> float:
        drawn = independent(1024, seed, sampling)
        cube = [
            ndtr(np.log(drawn["k"] / 0.5) / math.sqrt(math.log(1.09))),
            ndtr(np.log(drawn["source"] / 2.0) / math.sqrt(math.log(1.25))),
            drawn["bound"],
        ]
        return float(qmc.discrepancy(np.array(cube).T, method="L2-star"))

    chance = np.median([discrepancy(seed, "random") for seed in range(5)])
    worst = max(discrepancy(seed, "sobol") for seed in range(5))
    assert worst < chance / 5


def test_the_mean_of_a_smooth_function_comes_nearer_and_faster() -> None:
    def typical(size: int, sampling: str) -> float:
        return float(np.median([abs(mean_error(size, seed, sampling)) for seed in range(40)]))

    assert typical(N, "sobol") < typical(N, "random") / 5
    # 16 times the patients: 4 times nearer by chance, at least 8 times here.
    assert typical(N, "sobol") < typical(N // 16, "sobol") / 8


def test_estimates_are_unbiased_over_scrambles() -> None:
    errors = np.array([mean_error(32, seed, "sobol") for seed in range(400)])
    assert abs(errors.mean()) < 4 * errors.std(ddof=1) / math.sqrt(len(errors))


def test_seeds_and_strata_have_sequences_of_their_own() -> None:
    cohorts = [population(4, stratified=True, seed=seed).sample(MODEL) for seed in range(300)]
    slow = cohorts[0].labels["speed"] == "slow ones"
    firsts = [int(np.argmax(slow)), int(np.argmin(slow))]
    sources = np.array([cohort.parameters["source"][firsts] for cohort in cohorts])
    shares = ndtr(np.log(sources / 2.0) / math.sqrt(math.log(1.25)))
    # The first patient of each kind is any patient, and one says nothing of the other.
    for share in shares.T:
        assert kstest(share, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(shares.T)[0, 1]) < 0.2
    drawn = population(512, stratified=True).sample(MODEL)
    slow = drawn.labels["speed"] == "slow ones"
    assert not set(drawn.parameters["source"][slow]) & set(drawn.parameters["source"][~slow])


def test_correlations_hold_on_the_scale_of_the_scores() -> None:
    cohort = Population(
        N,
        parameters={"k": LogNormal(cv=0.3), "source": LogNormal(cv=0.5), "bound": Beta(2.0, 2.0)},
        correlations={("k", "source"): 0.6, ("source", "bound"): -0.5},
        sampling="sobol",
    ).sample(MODEL)
    logs = np.log([cohort.parameters["k"], cohort.parameters["source"]])
    # By chance the standard error is 0.01.
    assert np.corrcoef(logs)[0, 1] == pytest.approx(0.6, abs=0.002)
    ranks = spearmanr(cohort.parameters["source"], cohort.parameters["bound"]).statistic
    assert ranks == pytest.approx(-6 / math.pi * math.asin(0.25), abs=0.003)


@pytest.mark.parametrize("weight", [1.0, 3.0, math.pi])
def test_shares_of_a_mixture_are_exact_to_a_patient(weight: float, stratified: bool) -> None:
    drawn = Population(N, 3, {"k": LogNormal(cv=0.3)}, mixture=kinds(stratified, weight))
    slow = drawn.replace("sampling", "sobol").sample(MODEL).labels["speed"] == "slow ones"
    assert slow.sum() == pytest.approx(N * weight / (weight + 1), abs=1.0)


@pytest.mark.parametrize("weight", [1.0, 3.0, 9.0])
def test_every_component_sees_all_of_every_parameter(weight: float, stratified: bool) -> None:
    # A stratum of every 2nd, 4th or 10th patient of one sequence sees half of a parameter only.
    drawn = Population(
        10_240, 0, {"k": LogNormal(cv=0.3), "bound": Uniform(0.0, 1.0), "source": Uniform(0, 1)}
    )
    mixture = Mixture("speed", [Component("a", weight), Component("b", 1.0)], stratified)
    whole = Population(drawn.size, 0, drawn.parameters, mixture=mixture, sampling="sobol")
    cohort = whole.sample(MODEL)
    for label in mixture.labels:
        here = cohort.labels["speed"] == label
        for name in ("bound", "source"):
            values = np.sort(cohort.parameters[name][here])
            distance = np.abs(values - (np.arange(values.size) + 0.5) / values.size).max()
            assert distance < 0.6 / math.sqrt(values.size)  # what chance stays below in 14 %
            assert distance < 0.02


def test_everybody_can_be_put_into_one_component(stratified: bool) -> None:
    mixed = population(64, stratified=stratified)
    cohort, alone = mixed.sample(MODEL), mixed.replace("speed", "fast ones").sample(MODEL)
    fast = cohort.labels["speed"] == "fast ones"
    assert 0 < fast.sum() < 64
    assert set(alone.labels["speed"]) == {"fast ones"}
    # The patient is the same, only the kind differs.
    assert np.array_equal(alone.parameters["source"], cohort.parameters["source"])
    assert np.array_equal(alone.parameters["k"][fast], cohort.parameters["k"][fast])
    assert np.allclose(alone.parameters["k"][~fast] / 2.0, cohort.parameters["k"][~fast] / 0.1)


def test_coordinates_follow_the_order_of_declaration() -> None:
    cohort = population(16).sample(MODEL)
    assert cohort.sampled == ("k", "source", "bound")
    points = sobol_points(7, "sobol", 4, np.arange(16))
    fast = cohort.labels["speed"] == "fast ones"
    assert np.array_equal(points[:, 3] > 0.75, fast)
    center = np.where(fast, 2.0, 0.1)
    scores = np.log(cohort.parameters["k"] / center) / math.sqrt(math.log(1.09))
    assert np.allclose(ndtr(scores), points[:, 0])


def test_a_population_without_random_numbers_is_no_reason_to_fail() -> None:
    fixed = Population(3, parameters={"bound": 0.1}, sampling="sobol")
    assert fixed.sample(MODEL).parameters["bound"].tolist() == [0.1] * 3
    only_kinds = Population(N, mixture=kinds(True, 1.0), sampling="sobol").replace("size", 4)
    assert only_kinds.membership(np.arange(4)).tolist() == [0, 1, 0, 1]  # type: ignore[union-attr]
    nobody = population(5).sample(MODEL, patients=np.arange(0))
    assert nobody.parameters["k"].shape == (0,)


def test_a_senseless_sampling_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"no sampling 'sobel'. Did you mean 'sobol'"):
        Population(5, sampling="sobel")
    with pytest.raises(ScenarioError, match=r"no sampling '3'"):
        population().replace("sampling", 3)
    many = {f"p{number}": Uniform(0, 1) for number in range(21_202)}
    with pytest.raises(ScenarioError, match=r"21,202 random numbers .* at most 21,201 dimensions"):
        Population(5, parameters=many, sampling="sobol")
    assert Population(5, parameters=many).sampling == "random"

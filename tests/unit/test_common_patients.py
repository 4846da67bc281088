"""The same virtual patients in every cell of a sweep, whatever the design and the sampling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from carsim.config import read_config, read_text
from carsim.design import Axis, Design, Grid, LatinHypercube, List, Random, Sampled, Sobol
from carsim.errors import ConfigError
from carsim.metrics import Last, Maximum
from carsim.model import Assumed, Model, Parameters, State, parameter, route, state, variant
from carsim.population import Component, LogNormal, Mixture, Population
from carsim.scenario import Scenario, Solver
from carsim.simulation import simulate
from carsim.sweep import Sweep, examples, rebuild_sweep, run
from carsim.therapy import Hazard, Infusion, SetParameter

TOY = Assumed("a test")


class Amounts(State):
    drug: float = state(1.0, "mg", "drug in the body")


class Rates(Parameters):
    k: float = parameter(0.5, "1/day", "elimination", TOY)
    source: float = parameter(2.0, "mg/day", "endogenous source", TOY)
    leak: float = parameter(0.1, "1/day", "loss", TOY)


def rhs(t: float, y: Amounts, p: Rates) -> Amounts:
    return Amounts(drug=p.source - (p.k + p.leak) * y.drug)


MODEL = Model(
    "toy_common",
    rhs,
    Amounts,
    Rates,
    routes=[route("oral", "mg", "oral dose", {"drug": 1.0})],
    variants=[
        variant("slow", "slow elimination", {"k": (0.1, TOY)}, group="speed"),
        variant("fast", "fast elimination", {"k": (2.0, TOY)}, group="speed"),
    ],
)

RATE = Axis("therapy.pump.rate", low=1.0, high=9.0)
LEAK = Axis("parameters.leak", low=0.01, high=1.0, scale="log")
RATES = Axis("therapy.pump.rate", [1.0, 4.0, 9.0, 9.5])
LEAKS = Axis("parameters.leak", [0.01, 0.1, 0.5, 1.0])
DESIGNS: list[Design] = [
    Grid([RATES, LEAKS]),
    List([RATES, LEAKS]),
    Random([RATE, LEAK], 5, 3),
    LatinHypercube([RATE, LEAK], 5, 3),
    Sobol([RATE, LEAK], 5, 3),
]


def scenario(sampling: str = "sobol", size: int = 30, stratified: bool = False) -> Scenario:
    return Scenario(
        MODEL,
        therapy={
            "pump": Infusion("oral", 2.0, stop=4.0, rate=3.0),
            "loss": Hazard(rate=0.2, do=[SetParameter("leak", 0.4)]),
        },
        population=Population(
            size,
            11,
            {"k": LogNormal(cv=0.2), "source": LogNormal(2.0, cv=0.3)},
            {("k", "source"): 0.4},
            Mixture(
                "kind", [Component("s", 2, ("slow",)), Component("f", 1, ("fast",))], stratified
            ),
            sampling=sampling,
        ),
        stop=6.0,
        outputs=["drug"],
        metrics={"peak": Maximum("drug"), "at_end": Last("drug")},
        solver=Solver(threads=1),
    )


def run_design(design: Design, given: Scenario, **options: Any) -> xr.Dataset:
    return run(Sweep(given, design), **options)


@pytest.mark.parametrize("sampling", ["random", "sobol"])
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.kind)
def test_every_arm_has_the_patients_of_a_single_simulation(design: Design, sampling: str) -> None:
    given = scenario(sampling)
    alone = simulate(given)
    swept = run_design(design, given)
    for name in ("k", "source"):
        # One value a patient, without a dimension of the design: the same in all cells.
        assert swept[name].dims == ("patient",)
        assert np.array_equal(swept[name].values, alone[name].values)
    assert swept.kind.dims == ("patient",)
    assert swept.kind.values.tolist() == alone.kind.values.tolist()
    # And what was simulated in the cells are these patients, also what therapy draws for them.
    columns = design.columns(np.arange(design.size))
    for cell in (0, design.size - 1):
        there = given
        for path, values in columns.items():
            there = there.replace(path, float(values[cell]))
        place = dict(zip(design.dims, np.unravel_index(cell, design.shape), strict=True))
        assert np.array_equal(swept.isel(place).at_end.values, simulate(there).at_end.values)


@pytest.mark.parametrize("kind", [Random, LatinHypercube, Sobol])
def test_the_seed_of_a_design_does_not_touch_the_patients(kind: type[Sampled]) -> None:
    one, other = (run_design(kind([RATE], 4, seed), scenario()) for seed in (0, 1))
    assert not np.array_equal(one.pump_rate, other.pump_rate)
    assert np.array_equal(one.k, other.k)


@pytest.mark.parametrize("kind", [Random, LatinHypercube, Sobol])
def test_a_design_is_its_seed_and_its_number_of_points(kind: type[Sampled]) -> None:
    assert np.array_equal(kind([RATE, LEAK], 9, 5).shares, kind([RATE, LEAK], 9, 5).shares)
    prefix = np.array_equal(kind([RATE], 9, 5).shares, kind([RATE], 40, 5).shares[:9])
    # As its docstring says, a Latin hypercube of more points is another one.
    assert prefix == (kind is not LatinHypercube)


@pytest.mark.parametrize("stratified", [False, True], ids=["by weight", "stratified"])
@pytest.mark.parametrize("block_size", [1, 7, 256])
def test_sobol_patients_do_not_depend_on_the_blocks(block_size: int, stratified: bool) -> None:
    given = scenario(stratified=stratified)
    design = Grid([RATES, Axis("population.kind", ["f", "s"])])
    whole = run_design(design, given)
    blocks = run_design(design, given, block_size=block_size)
    for name in ("k", "source", "peak", "at_end", "n_steps"):
        assert np.array_equal(whole[name].values, blocks[name].values)
    fewer = run_design(design, given.replace("population.size", 9))
    for name in ("k", "source", "at_end"):
        assert np.array_equal(whole[name].isel(patient=slice(9)).values, fewer[name].values)
    # The same patient as another kind: the scores are those of the patient.
    assert whole.k.dims == ("kind", "patient")
    assert np.allclose(whole.k.sel(kind="f") / 2.0, whole.k.sel(kind="s") / 0.1, rtol=1e-12)


def test_sampling_can_be_an_axis() -> None:
    found = run_design(Grid([Axis("population.sampling", ["random", "sobol"])]), scenario())
    assert found.k.dims == ("sampling", "patient")
    assert found.kind.dims == ("sampling", "patient")
    for sampling in ("random", "sobol"):
        alone = simulate(scenario(sampling))
        assert np.array_equal(found.k.sel(sampling=sampling).values, alone.k.values)
        assert np.array_equal(found.at_end.sel(sampling=sampling).values, alone.at_end.values)
    assert "carsim_units" not in found.sampling.attrs


def test_a_result_rebuilds_its_sobol_patients() -> None:
    given = scenario(stratified=True)
    found = run_design(Grid([RATES]), given)
    again = run(rebuild_sweep(found.attrs, MODEL))
    assert np.array_equal(found.at_end.values, again.at_end.values)
    assert Scenario.from_dict(json.loads(given.to_json()), MODEL) == given
    # Results that were written before there was a choice are random.
    older = json.loads(scenario("random").to_json())
    del older["population"]["sampling"]
    assert Scenario.from_dict(older, MODEL) == scenario("random")


def test_example_patients_of_a_sobol_population_are_of_their_kind() -> None:
    given = scenario(stratified=True)
    chosen = examples(Sweep(given, Grid([RATES])))
    everybody = simulate(given)
    for kind, number in zip(chosen.kind.values, chosen.number.values, strict=True):
        assert everybody.kind.values[number] == kind


def test_a_config_says_how_patients_are_drawn(repository: Path) -> None:
    file = repository / "examples" / "prophylaxis_by_depletion.toml"
    population = read_config(file).scenario.population
    assert population is not None
    assert population.sampling == "random"
    chosen = read_config(file, ('population.sampling="sobol"',)).scenario
    assert chosen.population == population.replace("sampling", "sobol")
    assert "population: sobol, seed 20261122" in chosen.describe()
    with pytest.raises(
        ConfigError, match=r"population.sampling: 'halton' is not possible.*'random' or 'sobol'"
    ):
        read_text(file.read_text(), ('population.sampling="halton"',))

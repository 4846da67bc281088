"""Sweeps: the same patients in every cell, block by block, and one labelled result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from carsim import sweep as sweeping
from carsim.design import Axis, Design, Grid, List, Single, Sobol
from carsim.endpoints import Endpoint, EndpointValues, Kept, Requirements, Setting
from carsim.errors import CarsimError, ScenarioError
from carsim.metrics import Last, Maximum
from carsim.model import (
    Assumed,
    Model,
    Parameters,
    State,
    observable,
    parameter,
    route,
    state,
    variant,
)
from carsim.population import Component, LogNormal, Mixture, Population
from carsim.scenario import Scenario, Solver
from carsim.simulation import simulate
from carsim.sweep import Sweep, estimate, examples, make_plan, run
from carsim.sweep.plan import even_chunks
from carsim.therapy import (
    Assay,
    Dose,
    Hazard,
    Infusion,
    Item,
    Regimen,
    Rule,
    SetParameter,
    SetState,
)

TOY = Assumed("a test")


class Amounts(State):
    drug: float = state(1.0, "mg", "drug in the body")


class Rates(Parameters):
    k: float = parameter(0.5, "1/day", "elimination", TOY)
    source: float = parameter(2.0, "mg/day", "endogenous source", TOY)
    runaway: float = parameter(0.0, "1/mg/day", "self-amplification", TOY)


def rhs(t: float, y: Amounts, p: Rates) -> Amounts:
    return Amounts(drug=p.source - p.k * y.drug + p.runaway * y.drug * y.drug)


@observable("mg", "half of the drug")
def half(t: float, y: Amounts, p: Rates) -> float:
    return 0.5 * y.drug


MODEL = Model(
    "toy_sweep",
    rhs,
    Amounts,
    Rates,
    observables=[half],
    routes=[route("oral", "mg", "oral dose", {"drug": 1.0})],
    variants=[
        variant("slow", "slow elimination", {"k": (0.1, TOY)}, group="speed"),
        variant("fast", "fast elimination", {"k": (2.0, TOY)}, group="speed"),
    ],
)


@dataclass(frozen=True)
class Visits:
    """Whether the drug is above a threshold at a visit, and its peak."""

    days: tuple[float, ...] = (3.0, 6.0)
    threshold: float = 5.0
    name: str = "high"

    def requires(self, setting: Setting) -> Requirements:
        return Requirements(np.array(self.days), ("drug",), {"top": Maximum("half")})

    def evaluate(self, kept: Kept) -> dict[str, EndpointValues]:
        assert kept.times.tolist() == list(self.days)
        seen = (kept.saved["drug"] > self.threshold).any(axis=1)
        top = kept.metrics["top"]
        return {
            self.name: EndpointValues(seen.astype(float), "1", "above the threshold"),
            f"{self.name}_top": EndpointValues(top, "mg", "peak of half of the drug"),
        }


POPULATION = Population(
    40,
    seed=0,
    parameters={"k": LogNormal(cv=0.2), "source": LogNormal(2.0, cv=0.3)},
    correlations={("k", "source"): 0.4},
    mixture=Mixture(
        "speed_class",
        [Component("slow ones", 1, ("slow",)), Component("fast ones", 1, ("fast",))],
        stratified=True,
    ),
)
SCENARIO = Scenario(
    MODEL,
    therapy={
        "tablet": Dose("oral", 10.0, [0.0, 1.0]),
        "pump": Infusion("oral", 2.0, stop=4.0, rate=3.0),
    },
    population=POPULATION,
    stop=8.0,
    outputs=["half"],
    metrics={"peak": Maximum("drug"), "at_end": Last("drug")},
    solver=Solver(threads=1),
)
GRID = Grid(
    [
        Axis("therapy.pump.stop", [3.0, 5.0, 7.0], label="end of the pump"),
        Axis("population.speed_class", ["fast ones", "slow ones"]),
        Axis("therapy.tablet.amount", [0.0, 10.0]),
    ]
)


def make(
    design: Design = GRID,
    scenario: Scenario = SCENARIO,
    endpoints: Mapping[str, Endpoint] | None = None,
) -> Sweep:
    chosen = {"visits": Visits()} if endpoints is None else endpoints
    return Sweep(dataclasses.replace(scenario, endpoints=chosen), design)


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return run(make())


def stripped(dataset: xr.Dataset) -> xr.Dataset:
    """Drop what differs between two runs: the clock."""
    attributes = {k: v for k, v in dataset.attrs.items() if k not in ("created_at", "scenario")}
    return dataset.assign_attrs(attributes).drop_attrs(deep=False)


def test_a_grid_has_one_dimension_an_axis(result: xr.Dataset) -> None:
    assert result.high.dims == ("pump_stop", "speed_class", "tablet_amount", "patient")
    assert result.high.shape == (3, 2, 2, 40)
    assert result.pump_stop.values.tolist() == [3.0, 5.0, 7.0]
    assert result.pump_stop.attrs["carsim_units"] == "day"
    assert result.pump_stop.attrs["long_name"] == "end of the pump"
    assert result.pump_stop.attrs["path"] == "therapy.pump.stop"
    assert result.tablet_amount.attrs["carsim_units"] == "mg"
    assert result.speed_class.values.tolist() == ["fast ones", "slow ones"]
    assert result.peak.attrs["carsim_units"] == "mg"
    assert result.high.attrs["long_name"] == "above the threshold"
    assert bool((result.status == 0).all())


@pytest.mark.parametrize(
    ("stop", "kind", "amount"), [(3.0, "slow ones", 0.0), (7.0, "fast ones", 10.0)]
)
def test_a_cell_is_what_simulate_gives_bit_for_bit(
    result: xr.Dataset, stop: float, kind: str, amount: float
) -> None:
    scenario = SCENARIO.replace("therapy.pump.stop", stop)
    scenario = scenario.replace("therapy.tablet.amount", amount)
    alone = simulate(scenario.replace("population.speed_class", kind))
    cell = result.sel(pump_stop=stop, speed_class=kind, tablet_amount=amount)
    assert np.array_equal(alone.peak.values, cell.peak.values)
    assert np.array_equal(alone.at_end.values, cell.at_end.values)
    assert np.array_equal(alone.n_steps.values, cell.n_steps.values)
    assert np.array_equal(alone.k.values, cell.k.values)
    assert set(alone.speed_class.values) == {kind}


def test_all_cells_have_the_same_patients(result: xr.Dataset) -> None:
    assert result.source.dims == ("patient",)
    assert result.k.dims == ("speed_class", "patient")
    # The spread is around the variant's value: the same score in both components.
    assert np.allclose(result.k.sel(speed_class="fast ones") / 2.0, result.k[1] / 0.1, rtol=1e-12)


@pytest.mark.parametrize("block_size", [1, 7, 40, 479, 100_000])
def test_the_result_does_not_depend_on_the_blocks(result: xr.Dataset, block_size: int) -> None:
    xr.testing.assert_identical(stripped(run(make(), block_size=block_size)), stripped(result))


def test_the_result_does_not_depend_on_the_threads(result: xr.Dataset) -> None:
    many = dataclasses.replace(SCENARIO, solver=Solver(threads=3))
    xr.testing.assert_identical(stripped(run(make(scenario=many))), stripped(result))


def test_more_patients_keep_the_first_ones(result: xr.Dataset) -> None:
    fewer = run(make(scenario=SCENARIO.replace("population.size", 9)))
    xr.testing.assert_identical(stripped(fewer), stripped(result.isel(patient=slice(9))))


def test_axes_that_change_more_than_numbers_are_solved_apart() -> None:
    design = Grid(
        [
            Axis("solver.rtol", [1e-4, 1e-7]),
            Axis("population.seed", [0, 1]),
            Axis("stop", [5.0, 8.0]),
        ]
    )
    found = run(make(design, endpoints={}))
    assert found.k.dims == ("seed", "patient")
    assert found.speed_class.dims == ("seed", "patient")
    scenario = SCENARIO.replace("solver.rtol", 1e-7).replace("stop", 5.0)
    alone = simulate(scenario.replace("population.seed", 1))
    cell = found.sel(solver_rtol=1e-7, seed=1, stop=5.0)
    assert np.array_equal(alone.at_end.values, cell.at_end.values)
    assert np.array_equal(alone.source.values, cell.source.values)


def test_parts_of_rules_and_regimens_can_be_axes() -> None:
    """Solved side by side, and in each cell what `simulate` gives, chance included."""
    therapy: dict[str, Item] = {
        "tablet": Dose("oral", 10.0, 0.0, every=1.0, adherence=0.7),
        "rescue": Rule(
            "half",
            below=2.0,
            every=1.0,
            limit=None,
            assay=Assay(cv=0.3),
            do=[Dose("oral", 4.0), SetState("drug", 1.0)],
        ),
        "relapse": Hazard(0.3, do=SetParameter("source", 0.5)),
        "cure": Regimen({"drip": Infusion("oral", 2.0, duration=1.0, rate=3.0)}),
    }
    scenario = dataclasses.replace(SCENARIO, therapy=therapy, endpoints={"high": Visits()})
    axes = [
        Axis("therapy.rescue.do.0.amount", [2.0, 6.0]),
        Axis("therapy.rescue.below", [1.0, 3.0]),
        Axis("therapy.relapse.scale", [0.5, 2.0]),
        Axis("therapy.cure.items.drip.rate", [1.0, 5.0]),
        Axis("therapy.cure.scale", [1.0, 2.0]),
    ]
    sweep = Sweep(scenario, Grid(axes))
    assert sweep.vectors == tuple(sweep.design.axes)
    result = run(sweep)
    units = [result[axis.name].attrs["carsim_units"] for axis in sweep.design.axes]
    assert units == ["mg", "mg", "1", "mg/day", "1"]
    cell = (1, 0, 1, 1, 0)
    changed = scenario
    for axis, place in zip(axes, cell, strict=True):
        assert axis.values is not None
        changed = changed.replace(axis.path, axis.values[place])
    alone = simulate(changed)
    for name in ("peak", "at_end"):
        assert np.array_equal(result[name].values[cell], alone[name].values)


def test_variants_of_one_group_can_be_an_axis() -> None:
    scenario = dataclasses.replace(
        SCENARIO, population=Population(5, parameters={"k": LogNormal(cv=0.2)})
    )
    found = run(make(Grid([Axis("variants.speed", ["slow", "fast"])]), scenario))
    assert found.k.dims == ("speed", "patient")
    assert np.allclose(found.k.sel(speed="fast") / found.k.sel(speed="slow"), 20.0)
    alone = simulate(dataclasses.replace(scenario, variants=("fast",)))
    assert np.array_equal(alone.peak.values, found.peak.sel(speed="fast").values)


def test_a_list_has_points_and_keeps_its_axes_as_coordinates() -> None:
    design = List(
        [
            Axis("therapy.pump.stop", [3.0, 5.0, 7.0]),
            Axis("parameters.runaway", [0.0, 0.001, 0.002]),
        ]
    )
    found = run(make(design))
    assert found.peak.dims == ("point", "patient")
    assert found.pump_stop.dims == ("point",)
    assert found.runaway.values.tolist() == [0.0, 0.001, 0.002]
    # Kinds of patients are not varied here, so they are labels on the patients.
    assert found.speed_class.values[:2].tolist() == ["slow ones", "fast ones"]


def test_a_sampled_design_without_patients_has_points_only() -> None:
    scenario = dataclasses.replace(SCENARIO, population=None)
    design = Sobol([Axis("parameters.k", low=0.01, high=1.0, scale="log", name="rate")], 8)
    found = run(make(design, scenario))
    assert found.peak.dims == ("point",)
    alone = simulate(scenario.replace("parameters.k", float(found.rate[5])))
    assert float(alone.peak) == float(found.peak[5])


def test_values_by_patient_need_no_population() -> None:
    scenario = dataclasses.replace(
        SCENARIO,
        population=None,
        parameters={"k": np.array([0.1, 0.5, 2.0])},
        therapy={"tablet": Dose("oral", np.array([1.0, 2.0, 3.0]), 0.0)},
    )
    found = run(make(Grid([Axis("parameters.source", [1.0, 2.0])]), scenario), block_size=2)
    alone = simulate(scenario.replace("parameters.source", 2.0))
    assert np.array_equal(found.peak.sel(source=2.0).values, alone.peak.values)


def test_nothing_varied_is_one_cell() -> None:
    found = run(make(Single()))
    assert found.high.dims == ("patient",)
    lone = dataclasses.replace(SCENARIO, population=None)
    assert run(make(Single(), lone)).high.dims == ()


def test_a_patient_that_fails_is_nan_and_stops_nobody() -> None:
    design = Grid([Axis("parameters.runaway", [0.0, 1.0])])
    found = run(make(design))
    assert bool((found.status.sel(runaway=0.0) == 0).all())
    assert bool((found.status.sel(runaway=1.0) != 0).all())
    for name in ("high", "high_top", "peak", "at_end"):
        assert not bool(found[name].sel(runaway=0.0).isnull().any())
        assert bool(found[name].sel(runaway=1.0).isnull().all())
    assert found.attrs["failures"].startswith("40 of 80 trajectories failed (40 ")


def test_two_endpoints_share_what_both_need() -> None:
    one, two = Visits(), Visits(days=(6.0, 7.0), name="late")
    sweep = make(endpoints={"one": one, "two": two})
    keep = sweep.keep
    assert keep.save_at.tolist() == [3.0, 6.0, 7.0]
    assert list(keep.metrics) == ["peak", "at_end", "one.top"]
    assert [part.keys for part in keep.parts[2:]] == [{"top": "one.top"}] * 2
    assert [part.columns.tolist() for part in keep.parts[2:]] == [[0, 1], [1, 2]]


def test_the_result_survives_a_file(result: xr.Dataset, tmp_path: Path) -> None:
    labelled = run(make(Grid([Axis("therapy.pump.stop", [3.0])])))
    for number, dataset in enumerate((result, labelled)):
        path = tmp_path / f"{number}.nc"
        dataset.to_netcdf(path, engine="h5netcdf")
        with xr.open_dataset(path, engine="h5netcdf") as read:
            xr.testing.assert_identical(read.load(), dataset)


def test_the_attributes_say_how_it_was_made(result: xr.Dataset) -> None:
    from carsim.dataset import rebuild_scenario

    assert result.attrs["model"] == "toy_sweep"
    assert result.attrs["model_hash"] == MODEL.hash
    assert result.attrs["seed"] == "0"
    scenario = rebuild_scenario(result.attrs, MODEL, {"Visits": Visits})
    assert scenario == make().scenario
    assert '"therapy.pump.stop"' in result.attrs["sweep"]


def test_the_attributes_rebuild_the_sweep(result: xr.Dataset) -> None:
    again = sweeping.rebuild_sweep(result.attrs, MODEL, {"Visits": Visits})
    assert again == make()
    xr.testing.assert_identical(stripped(run(again)), stripped(result))
    lhs = make(Sobol([Axis("parameters.runaway", low=0.0, high=1e-3)], 4, 7))
    assert sweeping.rebuild_sweep(run(lhs).attrs, MODEL, {"Visits": Visits}) == lhs
    with pytest.raises(ScenarioError, match="has no class 'Visits'"):
        sweeping.rebuild_sweep(result.attrs, MODEL)
    with pytest.raises(CarsimError, match="there is no attribute 'sweep'"):
        sweeping.rebuild_sweep({})


def test_progress_counts_up_to_all_trajectories() -> None:
    calls: list[tuple[int, int]] = []
    run(make(), progress=lambda done, total: calls.append((done, total)), block_size=100)
    assert calls[-1] == (480, 480)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_an_interrupt_ends_it() -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(make(), progress=interrupt, block_size=100)


@pytest.mark.parametrize("block_size", [1, 7, 40, 100, 479, 480, 10_000])
def test_a_plan_covers_every_trajectory_once(block_size: int) -> None:
    plan = make_plan(make(), block_size)
    numbers = [number for block in plan for number in block]
    assert numbers == list(range(480))
    assert max(len(block) for block in plan) == plan.block_size <= block_size
    # A block is a box: one chunk of every array.
    cells = np.arange(480).reshape(plan.shape)
    for number, block in enumerate(plan):
        assert cells[plan.box(number)].ravel().tolist() == list(block)


def test_blocks_are_even_and_as_large_as_they_may_be() -> None:
    assert even_chunks((20_000,), 16_384) == (10_000,)
    assert even_chunks((90, 400), 16_384) == (30, 400)
    assert even_chunks((5, 6, 400), 2_000) == (1, 3, 400)
    assert even_chunks((), 7) == ()
    with pytest.raises(ScenarioError, match="block_size = 0 must be 1 or more"):
        make_plan(make(), 0)


def test_the_estimate_matches_the_result(result: xr.Dataset) -> None:
    sizes = estimate(make())
    assert (sizes.cells, sizes.patients, sizes.trajectories) == (12, 40, 480)
    assert sizes.variables == 4
    assert sizes.output == pytest.approx(result.nbytes, rel=0.05)
    assert "12 cells x 40 patients = 480 trajectories" in sizes.lines()[0]


def test_an_absurd_sweep_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ScenarioError, match=r"12,000,000,000 trajectories are more than 1,000,"):
        make(scenario=SCENARIO.replace("population.size", 10**9))
    monkeypatch.setattr("carsim.sweep.cost.available_memory", lambda: 1_000_000)
    large = make(scenario=SCENARIO.replace("population.size", 10_000))
    with pytest.raises(ScenarioError, match=r"memory, of which 1.0 MB are available. Write it"):
        run(large)


def test_examples_show_one_patient_of_each_kind_under_a_few_treatments(result: xr.Dataset) -> None:
    found = examples(make(), result, event="high")
    assert found.half.dims == ("patient", "time")
    assert found.sizes["patient"] == 6
    assert found.strategy.values[0] == "end of the pump: 3 day"
    assert set(found.speed_class.values) == {"fast ones", "slow ones"}
    slow = found.isel(patient=1)
    number = int(slow.number)
    cell = result.sel(pump_stop=3.0, speed_class="slow ones", tablet_amount=10.0)
    assert float(cell.high[number]) == 1.0
    assert 2 * float(slow.half.max()) <= float(cell.peak[number])


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (
            Axis("therapy.pumpe.stop", [1.0]),
            r"axis 'therapy.pumpe.stop' at 1.0.*Did you mean 'pump'",
        ),
        (Axis("therapy.pump.stpo", [1.0]), r"no field 'stpo'. Did you mean 'stop'"),
        (Axis("parameters.sorce", [1.0]), r"no parameter 'sorce'. Did you mean 'source'"),
        (Axis("parameters.runaway", [-1.0]), r"below the lower bound"),
        (Axis("parameters.source", [1.0]), r"'source' has a distribution and also a fixed value"),
        (Axis("parameters.k", [1.0]), r"variant 'slow' sets 'k', and so do the scenario's"),
        (Axis("population.size", [1.0]), r"'population.size' is the same in all cells"),
        (Axis("population.speed_clas", ["a"]), r"no entry 'speed_clas'. Did you mean 'speed_class"),
        (Axis("population.speed_class", ["slow one"]), r"no component 'slow one'"),
        (Axis("variants.sped", ["slow"]), r"no group of variants 'sped'. Did you mean 'speed'"),
        (Axis("variants.speed", ["slo"]), r"no variant of group 'speed' 'slo'"),
        (Axis("theraphy.pump.stop", [1.0]), r"no field 'theraphy'. Did you mean 'therapy'"),
        (Axis("therapy.pump.rate", [-1.0]), r"rate = -1 is negative"),
        (Axis("start", [0.0], name="speed_class"), r"the name 'speed_class' is taken"),
        (Axis("therapy.pump.stop", [1.0], name="peak"), r"the name 'peak' is taken"),
    ],
)
def test_an_axis_that_does_not_fit_is_refused(axis: Axis, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        make(Grid([axis]))


def test_a_sweep_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(ScenarioError, match="there is nothing to keep"):
        make(scenario=dataclasses.replace(SCENARIO, metrics={}), endpoints={})
    with pytest.raises(ScenarioError, match="check_tolerance belongs to a single simulation"):
        make(scenario=dataclasses.replace(SCENARIO, check_tolerance=True))


def test_two_variables_of_one_name_are_refused() -> None:
    with pytest.raises(
        ScenarioError, match=r"endpoints.two: the result has a variable 'high'.*high_2"
    ):
        run(make(endpoints={"one": Visits(), "two": Visits()}))
    with pytest.raises(
        ScenarioError, match=r"the name 'high' is taken by a variable of endp.*high_2"
    ):
        run(make(Grid([Axis("therapy.pump.stop", [1.0], name="high")])))


def test_a_variant_that_a_distribution_overrules_is_refused() -> None:
    scenario = dataclasses.replace(
        SCENARIO, population=Population(5, parameters={"k": LogNormal(1.0, cv=0.2)})
    )
    with pytest.raises(ScenarioError, match=r"the variant sets 'k', but the population's lognorm"):
        make(Grid([Axis("variants.speed", ["slow", "fast"])]), scenario)


def test_a_duration_in_months_says_so() -> None:
    from carsim import load_model
    from carsim.endpoints import optimal_duration
    from carsim.endpoints.reactivation import HBVReactivation
    from carsim.therapy.strategies import Prophylaxis

    scenario = Scenario(
        load_model("cart_hbv"),
        therapy={"antiviral": Prophylaxis(months=6.0)},
        population=Population(3),
        start=-14.0,
        stop=60.0,
        endpoints={"reactivation": HBVReactivation()},
    )
    axis = Axis("therapy.antiviral.months", values=[0.5, 1.0])
    found = run(Sweep(scenario, Grid([axis])))
    assert found.antiviral_months.attrs["carsim_units"] == "month"
    best = optimal_duration(found.hbv_reactivation, "antiviral_months", loss_per_event=1000.0)
    assert best.cost.values.tolist() == [0.5 * 30.4375, 30.4375]

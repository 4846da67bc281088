"""Simulations of a model with known answers: what is asked for comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carsim.dataset import rebuild_scenario, validate
from carsim.engine.status import Status
from carsim.errors import ScenarioError, SolverError
from carsim.metrics import AreaUnder, FirstAbove, Last, Maximum, TimeOfMaximum
from carsim.model import Model
from carsim.population import LogNormal, Population
from carsim.registry import load_model
from carsim.scenario import Scenario, Solver
from carsim.simulation import prepare, simulate, solve, solve_all
from carsim.therapy import Dose, Infusion, Rule, SetParameter, Window

MODEL: Model = load_model(str(Path(__file__).with_name("one_compartment.py")))
KA, CL, V, F = 1.5, 1.1, 20.0, 0.8
K = CL / V
TIGHT = Solver(rtol=1e-9)
TIMES = np.linspace(0.0, 10.0, 41)


def bolus(t: Any, amount: float = 1.0) -> Any:
    return np.where(t >= 0, amount * np.exp(-K * np.maximum(t, 0.0)), 0.0)


def infused(t: Any, rate: float, length: float) -> Any:
    ran = np.clip(t, 0.0, length)
    return rate / K * (1 - np.exp(-K * ran)) * np.exp(-K * np.maximum(t - length, 0.0))


def absorbed(t: Any, amount: float) -> Any:
    t = np.maximum(t, 0.0)
    return amount * KA / (KA - K) * (np.exp(-K * t) - np.exp(-KA * t))


def central(**fields: Any) -> Any:
    fields = {"stop": 10.0, "save_at": TIMES, "solver": TIGHT, **fields}
    return simulate(MODEL, outputs=["central"], **fields)["central"].values


def test_doses_infusions_and_routes_agree_with_the_solution() -> None:
    therapy = {
        "tablet": Dose("oral", 10.0, at=1.0),
        "shots": Dose("iv", 2.0, at=[0.5, 3.25]),
        "drip": Infusion("iv", 2.0, stop=5.0, rate=0.7),
        "weekly": Infusion("central", 0.25, duration=0.5, amount=1.0, every=3.0, count=2),
    }
    expected = (
        absorbed(TIMES - 1.0, 10.0 * F)
        + bolus(TIMES - 0.5, 2.0)
        + bolus(TIMES - 3.25, 2.0)
        + infused(TIMES - 2.0, 0.7, 3.0)
        + infused(TIMES - 0.25, 2.0, 0.5)
        + infused(TIMES - 3.25, 2.0, 0.5)
    )
    assert central(therapy=therapy) == pytest.approx(expected, rel=1e-7, abs=1e-8)


def test_saved_time_on_a_dose_shows_the_state_after_it() -> None:
    values = central(therapy={"a": Dose("iv", 3.0, at=[0.0, 5.0])})
    assert values[0] == 3.0
    assert values[20] == pytest.approx(3.0 + 3.0 * np.exp(-5 * K), rel=1e-7)


def test_window_acts_inside_its_half_open_interval() -> None:
    therapy = {"w": Window("one", scale=3.0, start=2.0, stop=4.0)}
    clock = simulate(MODEL, stop=10.0, therapy=therapy, outputs=["clock"], save_at=TIMES)["clock"]
    assert clock.values == pytest.approx(TIMES + 2 * np.clip(TIMES - 2, 0, 2), rel=1e-9, abs=1e-9)


def test_metrics_alone_save_no_courses() -> None:
    result = simulate(
        MODEL,
        stop=10.0,
        therapy={"a": Dose("oral", 10.0, at=0)},
        save_at=[],
        metrics={
            "peak": Maximum("central"),
            "when": TimeOfMaximum("central"),
            "area": AreaUnder("central"),
            "high": FirstAbove("concentration", 0.2),
            "last": Last("central"),
        },
        solver=TIGHT,
    )
    assert "time" not in result.dims
    tmax = np.log(KA / K) / (KA - K)
    assert float(result["when"]) == pytest.approx(tmax, abs=1e-3)
    assert float(result["peak"]) == pytest.approx(float(absorbed(tmax, 8.0)), rel=1e-6)
    assert float(result["last"]) == pytest.approx(float(absorbed(10.0, 8.0)), rel=1e-7)
    assert float(result["area"]) == pytest.approx(
        8.0 * KA / (KA - K) * ((1 - np.exp(-10 * K)) / K - (1 - np.exp(-10 * KA)) / KA), rel=1e-6
    )
    assert 0 < float(result["high"]) < tmax
    validate(result)


def test_rule_acts_once_and_is_logged() -> None:
    therapy = {
        "drip": Infusion("iv", 0.0, rate=2.0),
        "rescue": Rule("central", above=5.0, do=[SetParameter("one", 0.0), Dose("depot", 1.0)]),
    }
    result = simulate(MODEL, stop=10.0, therapy=therapy, outputs=["clock"], solver=TIGHT)
    time = -np.log(1 - 5.0 * K / 2.0) / K
    assert result["event_name"].values.tolist() == ["rescue"]
    assert float(result["event_time"][0]) == pytest.approx(time, rel=1e-6)
    assert float(result["clock"][-1]) == pytest.approx(time, rel=1e-6)


def ensemble(**changes: Any) -> Scenario:
    return Scenario(
        MODEL,
        **{
            "population": Population(
                37, seed=0, parameters={"CL": LogNormal(1.0, cv=0.3, upper=30.0)}
            ),
            "therapy": {
                "a": Dose("oral", np.linspace(1, 2, 37), at=[0, 1], every=2.0),
                "e": Rule("central", above=3.0, do=Dose("depot", 0.5), limit=3),
                "w": Window("ka", scale=2.0, start=1.0, stop=np.linspace(0, 9, 37)),
            },
            "stop": 10.0,
            "save_at": [0.0, 1.0, 10.0],
            "metrics": {"peak": Maximum("central")},
            **changes,
        },
    )


def test_result_does_not_depend_on_blocks_or_threads() -> None:
    whole = simulate(ensemble())
    assert len(whole["event_time"]) > 0
    for solver in (Solver(block_size=5), Solver(threads=1, block_size=16), Solver(threads=2)):
        parts = simulate(ensemble(solver=solver))
        for name in whole.data_vars:
            assert np.array_equal(whole[name].values, parts[name].values), name


def test_range_of_patients_is_the_same_alone() -> None:
    prepared = prepare(ensemble())
    whole, part = solve_all(prepared), solve(prepared, 7, 12)
    assert np.array_equal(part.saved, whole.saved[:, 7:12])
    assert np.array_equal(part.metrics, whole.metrics[:, 7:12])


def test_result_is_replayed_bit_for_bit_from_its_attributes() -> None:
    first = simulate(ensemble())
    again = simulate(rebuild_scenario(first.attrs))
    assert first.drop_attrs().identical(again.drop_attrs())


def test_each_patient_may_stop_at_its_own_time() -> None:
    result = simulate(
        MODEL, stop=np.array([2.0, 10.0]), outputs=["clock"], save_at=[0.0, 5.0], solver=TIGHT
    )
    assert np.isnan(result["clock"].values).tolist() == [[False, True], [False, False]]
    assert result["final_time"].values.tolist() == [2.0, 10.0]
    assert "failures" not in result.attrs


def test_keywords_replace_fields_of_a_scenario() -> None:
    scenario = ensemble()
    result = simulate(scenario, population=None, therapy={}, initial={"central": 1.0})
    assert result["concentration"].dims == ("time",)
    assert scenario.population is not None


def test_model_is_found_by_its_name() -> None:
    result = simulate("stein_2019", stop=28.0)
    assert result.attrs["model"] == "stein_2019"
    assert len(result["time"]) == 281


def test_failed_patient_is_recorded_or_raised() -> None:
    broken = {"initial": {"central": np.array([1.0, 1e308])}, "stop": 10.0, "save_at": [0.0, 10.0]}
    huge = {"parameters": {"V": 1e-6, "CL": 100.0}, "solver": Solver(max_steps=3)}
    result = simulate(MODEL, **broken, **huge)  # type: ignore[arg-type]
    assert result["status"].values.tolist() != [Status.SUCCESS] * 2
    assert "patients failed" in result.attrs["failures"]
    validate(result)
    with pytest.raises(SolverError, match=r"one_compartment: patient \d stopped at t = .* Solver"):
        simulate(MODEL, on_failure="raise", **broken, **huge)  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match=r"on_failure = 'ignore'. Give \"record\" or \"raise\""):
        simulate(MODEL, stop=1.0, on_failure="ignore")  # type: ignore[arg-type]


def test_tolerance_check_is_reported() -> None:
    therapy = {"a": Dose("oral", 10.0, at=0)}
    result = simulate(MODEL, stop=10.0, therapy=therapy, check_tolerance=True)
    text = result.attrs["tolerance_check"]
    assert text.startswith("against stricter tolerances: largest difference")
    assert float(text.split()[5]) < 1e-3
    assert result.attrs["rtol"] == 1e-5


def test_progress_counts_all_patients_over_the_blocks() -> None:
    seen: list[tuple[int, int]] = []
    simulate(
        ensemble(solver=Solver(block_size=10)),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (37, 37)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_cancelled_patients_are_marked() -> None:
    prepared = prepare(ensemble())
    trajectories = solve_all(prepared, cancel=lambda: True)
    assert set(trajectories.status) <= {Status.SUCCESS, Status.CANCELLED, Status.NOT_RUN}


def test_interrupt_passes_through() -> None:
    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(ensemble(), progress=interrupt)

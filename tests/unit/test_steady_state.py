"""Steady states and resets: which states they set, what they cancel, who has none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from carsim import Covariate, Dose, Infusion, Model, Reset, Solver, load_model, simulate
from carsim.errors import ScenarioError
from carsim.scenario.steady_state import determined
from carsim.therapy import Item
from carsim.therapy.steady import Period

HERE = Path(__file__).parent
MODEL: Model = load_model(str(HERE / "one_compartment.py"))
TWO: Model = load_model(str(HERE.parent / "verification" / "two_compartments.py"))
TIMES = np.arange(0.0, 40.0, 0.9)

Array = NDArray[np.float64]


def course(therapy: Mapping[str, Item], model: Model = MODEL, **more: Any) -> dict[str, Array]:
    settings: dict[str, Any] = {"stop": 40.0, "save_at": TIMES, **more}
    names = ("depot", "central")
    result = simulate(model, therapy=therapy, outputs=names, solver=Solver(rtol=1e-9), **settings)
    return {name: result[name].values for name in names}


def same(one: dict[str, Array], other: dict[str, Array], since: float = 0.0) -> None:
    for name, values in one.items():
        later = np.s_[..., since <= TIMES]
        np.testing.assert_allclose(values[later], other[name][later], rtol=1e-7, atol=1e-7)


def states_of(model: Model, *entered: str) -> set[str]:
    from carsim.engine.plan import Courses, Stops
    from carsim.kernels.compile import compile_model

    p = model.initial_state(model.parameter_values({}))[1]
    columns = tuple(model.state_index[name] for name in entered)
    period = Period(np.ones(1), Stops.none(), Courses.none(), p, columns, np.arange(1))
    found = determined(model, compile_model(model), period)
    return {model.state_names[k] for k in found}


def test_what_a_dose_determines() -> None:
    """What feeds the plasma too, but no clock and nothing that only collects."""
    assert states_of(MODEL, "central") == {"depot", "central"}
    assert states_of(MODEL, "depot") == {"depot", "central"}
    assert states_of(TWO, "peripheral") == {"depot", "central", "peripheral"}
    assert states_of(MODEL, "clock") == set()


def test_cells_that_others_feed_have_no_steady_state_of_a_dose() -> None:
    model = load_model("cart_hbv")
    assert "hbv.virus" not in states_of(model, "entecavir.central") | {"entecavir.central"}


def test_a_steady_state_of_a_clock_is_refused() -> None:
    dose = Dose("clock", 1.0, at=0.0, every=1.0, count=1, steady_state=1)
    with pytest.raises(ScenarioError, match=r"therapy.a: .*steady state of 'clock'.*Leave steady"):
        course({"a": dose})


def test_a_steady_state_in_plasma_empties_the_gut_and_cancels_what_goes_there() -> None:
    steady = Dose("central", 50.0, at=10.0, every=6.0, count=3, steady_state=1)
    before: dict[str, Item] = {
        "early": Dose("depot", 100.0, at=0.0, every=3.0, count=9),
        "late": Dose("depot", 100.0, at=8.0, lag=5.0),
        "long": Infusion("depot", 2.0, rate=3.0, duration=20.0),
    }
    same(course({**before, "steady": steady}), course({"steady": steady}), since=10.0)


def test_a_steady_state_is_there_though_its_own_dose_comes_after_the_stop() -> None:
    dose = Dose("central", 50.0, at=20.0, every=8.0, count=1, lag=7.0, steady_state=1)
    short = course({"a": dose}, stop=25.0, save_at=TIMES[TIMES < 25.0])
    long = course({"a": dose})
    np.testing.assert_allclose(short["central"], long["central"][TIMES < 25.0], rtol=1e-8)
    assert short["central"][-1] > 1.0


def test_a_steady_infusion_that_the_stop_cuts_has_its_full_length() -> None:
    infusion = Infusion("iv", 30.0, rate=5.0, duration=15.0, every=20.0, count=1, steady_state=1)
    short, long = course({"a": infusion}), course({"a": infusion}, stop=60.0)
    same(short, long)


def test_a_patient_without_a_record_keeps_what_is_there() -> None:
    at = np.array([np.inf, 10.0])
    dose = Dose("depot", 100.0, at=0.0)
    constant = Infusion("central", at, rate=np.array([0.0, 5.0]), duration=0.0, steady_state=1)
    both = course({"dose": dose, "constant": constant})
    alone = course({"dose": dose})
    np.testing.assert_array_equal(both["central"][0], alone["central"])
    np.testing.assert_allclose(both["central"][1, TIMES >= 10.0][0], 5.0 / 1.1 * 20.0, rtol=0.1)


def test_one_patient_without_a_steady_state_does_not_spoil_the_others() -> None:
    dose = Dose("iv", 50.0, at=0.0, every=8.0, count=1, steady_state=1)
    clearance = np.array([1.1, 0.0, 2.0])
    result = simulate(MODEL, therapy={"a": dose}, parameters={"CL": clearance}, stop=10.0)
    finite = np.isfinite(result["concentration"].values).all(axis=1)
    assert finite.tolist() == [True, False, True]


def test_a_small_dose_that_is_gone_long_before_the_next_one() -> None:
    dose = Dose("iv", 50.0, at=1.0, every=30.0, count=1, steady_state=1)
    values = course({"a": dose}, parameters={"CL": 80.0})["central"]
    np.testing.assert_allclose(values[2], 50.0 * np.exp(-4.0 * 0.8), rtol=1e-6)


def test_a_lag_of_whole_intervals_counts_no_dose_twice() -> None:
    """0.3 is not 3 x 0.1 in floating point."""
    lagged = Dose("iv", 1.0, at=0.3, every=0.1, count=1, lag=0.3, steady_state=1)
    plain = Dose("iv", 1.0, at=0.3, every=0.1, count=4, steady_state=1)
    same(course({"a": lagged}), course({"a": plain}))


@pytest.mark.parametrize("interpolation", ["nocb", "locf", "linear"])
def test_a_steady_state_has_the_covariate_of_its_record(interpolation: str) -> None:
    """Not that of the next record, which "nocb" takes from then on."""
    dose = Dose("central", 50.0, at=10.0, every=8.0, count=1, steady_state=1)
    follows = Covariate("CL", (0.0, 10.0, 20.0), (1.0, 2.0, 4.0), interpolation)
    (value,) = course({"cl": follows, "a": dose}, TWO, save_at=[10.0])["central"]
    np.testing.assert_allclose(value, 50.0 / (1.0 - np.exp(-2.0 / 20.0 * 8.0)), rtol=1e-7)


def test_a_reset_cancels_the_repeats_of_what_was_ordered_before() -> None:
    repeated = Dose("iv", 10.0, at=0.0, every=5.0, count=9)
    same(
        course({"a": repeated, "reset": Reset(at=10.0)}),
        course({"a": Dose("iv", 10.0, at=(0.0, 5.0)), "reset": Reset(at=10.0)}),
    )


def test_a_reset_cancels_what_a_steady_state_still_has_to_give() -> None:
    steady = Dose("iv", 10.0, at=4.0, every=5.0, count=1, lag=14.0, steady_state=1)
    values = course({"a": steady, "reset": Reset(at=6.0)})
    assert np.all(values["central"][TIMES >= 6.0] == 0.0)


@pytest.mark.parametrize("first", ["reset", "steady"])
def test_a_steady_state_comes_after_a_reset_of_the_same_time(first: str) -> None:
    items: dict[str, Item] = {
        "reset": Reset(at=10.0),
        "steady": Dose("iv", 10.0, at=10.0, every=5.0, count=2, steady_state=1),
    }
    order = dict(sorted(items.items(), reverse=first == "steady"))
    same(course(order), course({"steady": items["steady"]}))


def test_one_value_a_time() -> None:
    """Intervals, counts, lags and bioavailabilities may belong to the times."""
    together = Dose(
        "iv", (8.0, 4.0), at=(0.0, 3.0), every=(5.0, 7.0), count=(3, 2), lag=(0.0, 1.0),
        bioavailability=(1.0, 0.5),
    )  # fmt: skip
    apart: dict[str, Item] = {
        "first": Dose("iv", 8.0, at=0.0, every=5.0, count=3),
        "second": Dose("iv", 4.0, at=3.0, every=7.0, count=2, lag=1.0, bioavailability=0.5),
    }
    same(course({"a": together}), course(apart))
    with pytest.raises(ScenarioError, match=r"3 values of lag for 2 of at"):
        Dose("iv", 1.0, at=(0.0, 1.0), lag=(1.0, 2.0, 3.0))

"""Local sensitivities against closed forms, and against finite differences of tight solutions."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

import carsim
from carsim import (
    Assumed,
    Covariate,
    Derived,
    Dose,
    Infusion,
    Model,
    Parameters,
    Reset,
    Rule,
    Scenario,
    State,
    Window,
    computed,
    observable,
    parameter,
    route,
    state,
)
from carsim.config import read_config
from carsim.credibility import local_sensitivity
from carsim.errors import ScenarioError
from carsim.math import exp, hill, log, maximum, where

Array = NDArray[np.float64]
WHY = Assumed("test")
TIMES = np.array([0.0, 0.8, 2.0, 3.1, 5.0, 7.5, 9.9])


class Body(State):
    depot: float = state(0.0, "mg", "drug in the gut", atol=1e-9)
    central: float = state(3.0, "mg", "drug in plasma", atol=1e-9)


class Rates(Parameters):
    ka: float = parameter(1.5, "1/day", "absorption", WHY)
    CL: float = parameter(1.1, "L/day", "clearance", WHY)
    V: float = parameter(4.0, "L", "volume", WHY)
    F: float = parameter(0.8, "1", "bioavailability", WHY, upper=1.0)
    lag: float = parameter(0.4, "day", "lag", WHY)
    span: float = parameter(1.3, "day", "length of an infusion", WHY)
    rate: float = parameter(7.0, "mg/day", "rate of an infusion", WHY)
    C_0: float = parameter(0.6, "mg/L", "initial concentration", WHY)
    k: float = computed("1/day", "elimination", Derived("CL / V"))


@observable("mg/L", "plasma concentration")
def concentration(t: float, y: Body, p: Rates) -> float:
    return y.central / p.V


def rhs(t: float, y: Body, p: Rates) -> Body:
    return Body(depot=-p.ka * y.depot, central=p.ka * y.depot - p.k * y.central)


def initialise(p: Rates) -> tuple[Body, Rates]:
    return Body(depot=0.0 * p.V, central=p.C_0 * p.V), p._replace(k=p.CL / p.V)


def numeric(p: Rates) -> tuple[Body, Rates]:
    """The same in a way that symbols cannot follow."""
    return initialise(p._replace(CL=np.array([float(x) for x in np.atleast_1d(p.CL)])))


ROUTES = (
    route("oral", "mg", "tablet", {"depot": lambda p: p.F}),
    route("iv", "mg", "injection", {"central": 1.0}),
)
DRUG = Model(
    "drug", rhs, Body, Rates, observables=(concentration,), routes=ROUTES, initialise=initialise
)
OPAQUE = Model(
    "opaque", rhs, Body, Rates, observables=(concentration,), routes=ROUTES, initialise=numeric
)


def differences(scenario: Scenario, name: str, outputs: tuple[str, ...], step: float) -> Array:
    """Derivative by differences of solutions at 1e-11, extrapolated once."""
    field = "initial" if name.startswith("initial.") else "parameters"
    key = name.removeprefix("initial.")
    model = scenario.model
    p = model.parameter_values(scenario.parameters, scenario.variants)
    y0, p = model.initial_state(p)
    if field == "initial":
        value = float(scenario.initial.get(key, y0[0, model.state_index[key]]))
    else:
        value = float(p[0, model.parameter_index[key]])
        bounds = model.parameters[model.parameter_index[key]]
        # Within the bounds, if there is room at all.
        step = min(step, 0.4 * (bounds.upper - value) / abs(value)) if value else step
    h = step * abs(value) if value else step

    def run(x: float | Array) -> Array:
        given = {**getattr(scenario, field), key: x}
        changes: dict[str, Any] = {field: given, "solver": carsim.Solver(rtol=1e-11)}
        moved = dataclasses.replace(scenario, **changes)
        result = carsim.simulate(moved, on_failure="raise")
        return np.array([result[output].values for output in outputs])

    points = value + h * np.array([2.0, -2.0, 1.0, -1.0])
    if any(isinstance(item, Rule) for item in scenario.items.values()):
        # Measurement errors are those of a patient: each point is the first one.
        solved = [run(x) for x in points.tolist()]
    else:
        solved = list(np.moveaxis(run(points), 1, 0))
    wide, narrow = (solved[0] - solved[1]) / (4 * h), (solved[2] - solved[3]) / (2 * h)
    return np.asarray((4 * narrow - wide) / 3)


def assert_like_differences(
    scenario: Scenario,
    names: tuple[str, ...] | None = None,
    *,
    step: float = 1e-3,
    skip: tuple[str, ...] = (),
) -> xr.Dataset:
    """Compare as elasticities: what a percent of the parameter does to the largest value."""
    found = local_sensitivity(scenario, names, rtol=1e-10)
    outputs = tuple(found.output.values.tolist())
    size = np.abs(found.value.values).max(axis=1, keepdims=True)
    for name in found.parameter.values.tolist():
        if name in skip:
            continue
        one = found.sel(parameter=name)
        assert not str(one.why.values), f"{name}: {one.why.values}"
        scale = abs(float(one.parameter_value)) or 1.0
        expected = differences(scenario, name, outputs, step) * scale
        error = np.abs(one.sensitivity.values * scale - expected)
        # Differences of solutions at 1e-11 over steps of 1e-3 carry noise of some 1e-7.
        tolerance = 1e-5 * np.abs(expected).max(axis=1, keepdims=True) + 1e-6 * size
        assert np.all(error <= tolerance), f"{name}: {error / tolerance}"
    return found


# Closed forms


def test_exponential_decay_and_a_dose_have_their_closed_forms() -> None:
    therapy = {"a": Dose("iv", 5.0, at=2.5)}
    scenario = Scenario(DRUG, stop=10.0, save_at=TIMES, outputs=["central"], therapy=therapy)
    found = local_sensitivity(scenario, ["CL", "V", "C_0", "ka"])
    t, k, V, c = TIMES, 1.1 / 4.0, 4.0, 0.6
    after = np.where(t > 2.5, t - 2.5, 0.0)
    given = np.where(t > 2.5, 5.0 * np.exp(-k * after), 0.0)
    own = c * V * np.exp(-k * t)
    by_k = -t * own - after * given
    expected = {
        "CL": by_k / V,
        "V": own / V - by_k * k / V,
        "C_0": own / c,
        "ka": 0.0 * t,
    }
    np.testing.assert_allclose(found.value[0], own + given, rtol=1e-7)
    for name, values in expected.items():
        got = found.sensitivity.sel(parameter=name, output="central")
        np.testing.assert_allclose(got, values, rtol=1e-6, atol=1e-8, err_msg=name)
    assert found.attrs["start"] == "symbols"
    np.testing.assert_allclose(
        found.elasticity.sel(parameter="CL")[0], expected["CL"] * 1.1 / (own + given), atol=1e-7
    )


def test_a_fraction_of_a_route_that_is_a_parameter_counts() -> None:
    """With everything from one tablet the course is proportional to F."""
    scenario = Scenario(
        DRUG,
        parameters={"C_0": 0.0},
        stop=10.0,
        save_at=TIMES,
        outputs=["central", "concentration"],
        therapy={"tablet": Dose("oral", 20.0, at=0.5)},
    )
    found = local_sensitivity(scenario, ["F"])
    behind = found.time.values > 0.5
    np.testing.assert_allclose(found.elasticity.values[:, 0, behind], 1.0, rtol=1e-8)
    assert found.attrs["start_error"] < 1e-10


def test_the_initial_value_of_a_linear_model_decays_with_it() -> None:
    scenario = Scenario(DRUG, stop=10.0, save_at=TIMES, outputs=["central"])
    found = local_sensitivity(scenario, ["initial.central", "initial.depot"])
    k, ka = 1.1 / 4.0, 1.5
    np.testing.assert_allclose(found.sensitivity[0, 0], np.exp(-k * TIMES), rtol=1e-7)
    bateman = ka / (ka - k) * (np.exp(-k * TIMES) - np.exp(-ka * TIMES))
    np.testing.assert_allclose(found.sensitivity[0, 1], bateman, rtol=1e-6, atol=1e-9)


def test_the_switch_of_a_published_model_moves_with_its_parameter() -> None:
    """Stein 2019 switches from growth to decline at T_max, and its closed form is an observable."""
    scenario = Scenario(
        carsim.load_model("stein_2019"),
        stop=60.0,
        save_at=[0.0, 4.0, 9.0, 9.6, 20.0, 60.0],
        outputs=["transgene", "transgene_closed_form"],
    )
    names = ["foldx", "T_max", "C_max", "alpha", "F_B", "beta"]
    found = local_sensitivity(scenario, names, rtol=1e-10)
    solved, closed = found.sensitivity.values
    size = np.abs(closed).max(axis=1, keepdims=True)
    np.testing.assert_allclose(solved / size, closed / size, rtol=0.0, atol=2e-6)


def test_a_dose_that_lags_and_an_infusion_of_its_own_length_move_in_time() -> None:
    therapy = {
        "tablet": Dose("iv", 20.0, at=0.5, lag="lag", every=3.0, count=2),
        "drip": Infusion("iv", start=2.0, rate=6.0, duration="span"),
    }
    scenario = Scenario(DRUG, stop=10.0, save_at=TIMES, outputs=["central"], therapy=therapy)
    found = local_sensitivity(scenario, ["lag", "span"])
    k, t = 1.1 / 4.0, TIMES
    by_lag = sum(
        np.where(t > at, k * 20.0 * np.exp(-k * np.maximum(t - at, 0.0)), 0.0) for at in (0.9, 3.9)
    )
    by_span = np.where(t > 3.3, 6.0 * np.exp(-k * np.maximum(t - 3.3, 0.0)), 0.0)
    np.testing.assert_allclose(found.sensitivity[0, 0], by_lag, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.sensitivity[0, 1], by_span, rtol=1e-6, atol=1e-7)


# Finite differences

THERAPIES: dict[str, dict[str, Any]] = {
    "tablets": {"a": Dose("oral", 20.0, at=0.5, every=2.0, bioavailability="F", lag="lag")},
    "infusion": {"a": Infusion("iv", start=1.0, rate="rate", amount=10.0)},
    "amount over a span": {"a": Infusion("iv", start=1.0, amount=9.0, duration="span")},
    "window that scales": {
        "a": Infusion("iv", start=0.0, rate=6.0),
        "b": Window("ka", start=2.2, stop=4.4, scale=0.3),
        "c": Dose("oral", 9.0, at=1.0),
    },
    "window that holds": {
        "a": Dose("oral", 9.0, at=1.0),
        "b": Window("ka", start=1.2, stop=2.4, value=0.5),
    },
    "covariate": {
        "a": Dose("oral", 9.0, at=1.0),
        "b": Covariate("V", at=[0.0, 4.0], value=[4.0, 6.0], interpolation="linear"),
    },
    "reset": {"a": Dose("iv", 9.0, at=1.0), "b": Reset(at=4.0)},
    "steady state": {"a": Dose("oral", 9.0, at=1.5, every=1.0, steady_state=1)},
    "visits": {
        "a": Rule(
            "concentration", below=0.5, every=1.0, limit=2, spacing=2.0, do=Dose("oral", 12.0)
        )
    },
}


@pytest.mark.parametrize("model", [DRUG, OPAQUE], ids=lambda model: model.name)
@pytest.mark.parametrize("name", THERAPIES)
def test_therapies_like_finite_differences(name: str, model: Model) -> None:
    scenario = Scenario(
        model,
        stop=10.0,
        save_at=TIMES,
        outputs=["central", "concentration"],
        therapy=THERAPIES[name],
    )
    found = assert_like_differences(scenario)
    assert found.attrs["start"] == ("symbols" if model is DRUG else "differences")
    assert found.attrs["start_error"] < 1e-7
    assert ("V" in found.parameter.values) == (name != "covariate")


class Pools(State):
    x: float = state(1.0, "1", "something", atol=1e-9)
    z: float = state(0.0, "1", "something else", atol=1e-9)


class Shapes(Parameters):
    a: float = parameter(0.7, "1/day", "growth", WHY)
    n: float = parameter(2.7, "1", "steepness", WHY)
    K: float = parameter(2.0, "1", "half", WHY)
    t_on: float = parameter(3.0, "day", "time of a switch", WHY)
    cap: float = parameter(8.0, "1", "limit", WHY)
    day: float = parameter(1.0, "day", "unit", WHY)


def nonlinear(t: float, y: Pools, p: Shapes) -> Pools:
    on = where(t < p.t_on, 1.0, 0.2)
    seen = hill(y.z, p.K, p.n)
    return Pools(
        x=on * p.a * y.x * (1.0 - maximum(y.x - 1.2, 0.0) / p.cap) - seen * y.x / p.day,
        z=(log(1.0 + y.x) - y.z * exp(-t / (9.0 * p.day))) / p.day,
    )


NONLINEAR = Model("nonlinear", nonlinear, Pools, Shapes)


def test_a_nonlinear_model_that_depends_on_time_and_starts_at_zero() -> None:
    """Exponents that are parameters, a kink, and a switch at a time that is a parameter."""
    scenario = Scenario(
        NONLINEAR,
        stop=10.0,
        save_at=TIMES,
        outputs=["x", "z"],
        therapy={"stop": Dose("z", 0.5, at=3.0), "more": Dose("x", 1.0, at=6.0)},
    )
    names = ("a", "n", "K", "cap", "day", "initial.x")
    assert_like_differences(scenario, names)
    free = dataclasses.replace(scenario, therapy={"more": Dose("x", 1.0, at=6.0)})
    assert_like_differences(free, ("t_on", "a"))


@pytest.mark.parametrize(
    ("name", "stop", "therapy"),
    [
        ("leon_triana_2021", 60.0, {"car_t": Dose("car_t", 1e7, at=10.0)}),
        ("kimmel_2021", 30.0, {"car_t": Dose("car_t", 0.2, at=3.0)}),
        ("dahari_2009", 30.0, {}),
        ("hbv_immunodepletion", 90.0, {"d": Window("drivers.steroid", 3.0, 20.0, value=0.5)}),
    ],
)
def test_published_models_like_finite_differences(
    name: str, stop: float, therapy: dict[str, Any]
) -> None:
    model = carsim.load_model(name)
    outputs = [*model.state_names, *model.observable_names]
    scenario = Scenario(
        model, stop=stop, save_at=np.linspace(0.0, stop, 7), outputs=outputs, therapy=therapy
    )
    zero = [q.name for q in model.parameters if q.value == q.lower or q.value == q.upper]
    # Limits allow no differences from both sides; a window that starts the model's own switch.
    skip = (*zero, "drivers.t_depletion", "drivers.t_recovery", "hbv.alt_0", "hbv.A_0")
    assert_like_differences(scenario, skip=skip)


@pytest.mark.slow
def test_the_flagship_like_finite_differences() -> None:
    """All parameters of cart_hbv, with doses of everything."""
    therapy = {
        "lymphodepletion": Dose("lymphodepletion", 1.0, at=[-5.0, -4.0, -3.0]),
        "car_t": Dose("car_t", 1e8, at=0.0),
        "tocilizumab": Dose("tocilizumab", 560.0, at=6.0),
        "dexamethasone": Dose("dexamethasone", 20.0, at=[7.0, 8.0]),
        "entecavir": Infusion("entecavir", start=-7.0, stop=60.0, rate=0.5),
        "ivig": Dose("ivig", 5.0, at=30.0),
    }
    outputs = ["hbv.virus", "cytokine.il6", "car_t", "leukemia_cd19_positive", "anti_hbs"]
    scenario = Scenario(
        carsim.load_model("cart_hbv"),
        start=-8.0,
        stop=60.0,
        save_at=[0.0, 7.0, 14.0, 30.0, 59.0],
        outputs=outputs,
        therapy=therapy,
    )
    zero = [q.name for q in scenario.model.parameters if q.value in (q.lower, q.upper)]
    skip = (*zero, "hbv.alt_0", "hbv.A_0")
    found = assert_like_differences(scenario, skip=skip)
    whole = sum(not field.computed for field in scenario.model.parameters)
    assert found.sizes["parameter"] == whole
    assert found.attrs["start"] == "differences"
    assert found.attrs["start_error"] < 1e-7
    # The virus production jumps as soon as any share of the liver is said to be infected.
    assert found.parameter.values[found.why.values != ""].tolist() == ["hbv.f_I"]


@pytest.mark.slow
def test_a_monitored_patient_like_finite_differences(repository: Path) -> None:
    """Visits decide on antiviral, tocilizumab, dexamethasone and immunoglobulin."""
    scenario = read_config(repository / "examples" / "monitored_patient.toml").scenario
    patient = dataclasses.replace(
        scenario,
        metrics={},
        outputs=["car_t", "hbv_dna", "igg", "il6", "leukemia"],
        save_at=[-1.0, 5.0, 10.0, 20.0, 36.0, 75.0, 150.0, 300.0, 547.0],
    )
    names = ("cart.r_E", "hbv.kappa", "leukemia.initial_cells", "entecavir.potency")
    # A smaller step than elsewhere: no visit may decide otherwise.
    assert_like_differences(patient, names, step=1e-4)


# What has no derivative


class Plain(State):
    x: float = state(1.0, "1", "something", atol=1e-9, extinct_below=0.1)


class Lasting(State):
    x: float = state(1.0, "1", "something", atol=1e-9)


class Growth(Parameters):
    a: float = parameter(-0.7, "1/day", "growth", WHY, lower=-5.0)
    level: float = parameter(0.5, "1", "level", WHY)


def growing(t: float, y: Plain, p: Growth) -> Plain:
    return Plain(x=p.a * y.x)


def switching(t: float, y: Lasting, p: Growth) -> Lasting:
    return Lasting(x=where(y.x > p.level, p.a, 0.3 * p.a) * y.x)


def bending(t: float, y: Lasting, p: Growth) -> Lasting:
    return Lasting(x=where(y.x > p.level, p.a * y.x, p.a * (2.0 * y.x - p.level)))


def start_with_kink(p: Growth) -> Plain:
    return Plain(x=1.0 + maximum(p.level - 0.5, 0.0))


def test_a_pool_that_goes_extinct_takes_its_derivative_with_it() -> None:
    scenario = Scenario(
        Model("plain", growing, Plain, Growth), stop=6.0, save_at=[2.0, 5.0], outputs=["x"]
    )
    found = local_sensitivity(scenario, ["a"])
    np.testing.assert_allclose(found.value[0], [np.exp(-1.4), 0.0], rtol=1e-6)
    np.testing.assert_allclose(found.sensitivity[0, 0], [2.0 * np.exp(-1.4), 0.0], rtol=1e-6)


def test_an_equation_that_jumps_where_a_state_says_has_its_closed_form() -> None:
    """Decay at rate a down to the level, at 0.3 a from there on."""
    model = Model("switching", switching, Lasting, Growth)
    times = np.array([0.3, 0.9, 1.1, 2.0, 5.0])
    scenario = Scenario(model, stop=6.0, save_at=times, outputs=["x"])
    found = local_sensitivity(scenario, ["a", "level", "initial.x"], rtol=1e-10)
    a, level = -0.7, 0.5
    tau = np.log(level) / a
    late = times > tau
    x = np.where(late, level * np.exp(0.3 * a * (times - tau)), np.exp(a * times))
    np.testing.assert_allclose(found.value[0], x, rtol=1e-7)
    expected = {
        "a": np.where(late, 0.3 * (times - tau) + 0.3 * tau, times) * x,
        "level": np.where(late, 1.0 / level - 0.3 / level, 0.0) * x,
        "initial.x": np.where(late, 0.3, 1.0) * x,
    }
    for name, values in expected.items():
        got = found.sensitivity.sel(parameter=name)[0]
        np.testing.assert_allclose(got, values, rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_dose_across_a_switch_does_not_move_in_time() -> None:
    model = Model("switching", switching, Lasting, Growth)
    therapy = {"up": Dose("x", 2.0, at=1.7), "more": Dose("x", 1.0, at=4.4)}
    times = np.array([0.3, 0.9, 1.1, 2.0, 3.0, 5.0])
    scenario = Scenario(model, stop=6.0, save_at=times, outputs=["x"], therapy=therapy)
    assert_like_differences(scenario, ("a", "level", "initial.x"))


def test_an_equation_that_bends_where_a_state_says_is_not() -> None:
    model = Model("bending", bending, Lasting, Growth)
    assert_like_differences(Scenario(model, stop=2.0, save_at=[0.5, 1.5, 1.9], outputs=["x"]))


def test_a_kink_at_the_start_is_said_and_not_averaged() -> None:
    model = Model("kink", growing, Plain, Growth, initial=start_with_kink)
    found = local_sensitivity(Scenario(model, stop=2.0), ["a", "level"])
    assert found.why.values.tolist() == ["", "no derivative here: initial x has a kink or a jump"]
    assert np.isnan(found.sensitivity.sel(parameter="level")).all()
    assert np.isfinite(found.sensitivity.sel(parameter="a")).all()
    with pytest.raises(ScenarioError, match="no parameter has a derivative here; level: no deriv"):
        local_sensitivity(Scenario(model, stop=2.0), ["level"])


def test_refusals() -> None:
    scenario = Scenario(DRUG, stop=10.0)
    for given, names, message in (
        (DRUG, None, r"local_sensitivity: got a Model. Give a carsim.Scenario"),
        (scenario.replace("parameters.V", np.array([1.0, 2.0])), None, r"the scenario has 2 pati"),
        (scenario, ["Vee"], r"model 'drug' has no parameter or initial value 'Vee'. Known"),
        (scenario, ["k"], r"has no parameter or initial value 'k'"),
        (scenario, "V", r"parameters is a text. Give a list: \['V'\]"),
        (scenario, [], r"no parameter was named"),
        (dataclasses.replace(scenario, outputs=[]), None, r"the scenario saves nothing. Name out"),
        (
            dataclasses.replace(
                scenario, therapy={"b": Covariate("V", at=[0.0, 4.0], value=[4.0, 6.0])}
            ),
            ["V"],
            r"parameter 'V' follows a covariate, so that its own value plays no part",
        ),
        (
            dataclasses.replace(
                scenario, therapy={"r": Rule("concentration", below=0.4, do=Dose("iv", 1.0))}
            ),
            None,
            r"therapy.r acts at a time that moves with the parameters. Let it look at visits",
        ),
    ):
        with pytest.raises(ScenarioError, match=message):
            local_sensitivity(given, names)  # type: ignore[arg-type]

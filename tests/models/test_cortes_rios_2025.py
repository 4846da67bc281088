"""The model of Cortes-Rios et al. 2025 and its population."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import norm, spearmanr

from carsim.metrics import FirstBelow
from carsim.population import LogitNormal, Normal
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Item, Window
from carsim_models.cortes_rios_2025 import MODEL, SPEARMAN, VARIABILITY, population

YEARS_5 = 5.0 * 365.0
NAMES = ("T", "I", "R", "D", "A", "S", "V", "P", "E", "Q", "X")
# Killing and presentation strong enough that 48 weeks of both treatments cure.
RESPONDER = {"log10_r_E_IFN": 1.5, "log10_e_IFN": -2.0, "log10_k_P": -3.5}
COURSE: dict[str, Item] = {
    "analogue": Window("NA", start=YEARS_5, stop=YEARS_5 + 336.0, value=1.0),
    "interferon": Window("IFN", start=YEARS_5, stop=YEARS_5 + 336.0, value=1.0),
}


def derivatives(
    t: float, y: np.ndarray, log10: dict[str, float], treated: float, above: bool
) -> list[float]:
    """The published equations; `above` is whether there are enough infected cells to count."""
    T, infected, R, D, A, S, V, P, E, Q, X = y
    p_S, b, m = (10 ** log10[name] for name in ("log10_p_S", "log10_beta", "log10_m"))
    k_P, k_A = 10 ** log10["log10_k_P"], 10 ** log10["log10_k_A"]
    e = 10 ** (treated * (log10["log10_e_NA"] + log10["log10_e_IFN"]))
    kill = m * 10 ** (treated * log10["log10_r_E_IFN"]) * E
    active, presenting = (infected, P) if above else (0.0, 0.0)
    G = 96 * (V + S) * 24000 * 1e6 / 6.022e23
    blocked = G**0.486 / (0.1473**0.486 + G**0.486)
    return [
        -b * V * T + T * (1 - (T + active + R) / 1.36e7) - 0.0039 * T + 1e-5 * R - kill / 100 * T,
        b * V * T
        + infected * (1 - (T + infected + R) / 1.36e7)
        - 1e-3 * X * infected
        - 0.0039 * infected
        - kill * infected,
        1e-3 * X * active
        - 1e-5 * R
        + R * (1 - (T + active + R) / 1.36e7)
        - 0.0039 * R
        - kill / 100 * R,
        kill * active + kill / 100 * (T + R) - 1.66 * D,
        0.47 * (10**1.25 - A) + k_A * D,
        p_S * active - 0.67 * S,
        100 * active * e - 0.67 * V,
        k_P * active / (100 + active) - 0.239 * P,
        (0.01 + 0.1 * E) * presenting - 0.3 * E * Q**4 / (0.8**4 + Q**4) - 0.01 * E,
        0.00385 * (presenting - Q),
        (1 - X) * active / (100 + active) * (1 - blocked) - 0.2 * X,
    ]


def log10_values(**changed: float) -> dict[str, float]:
    values = dict(zip(MODEL.parameter_names, MODEL.parameter_values()[0], strict=True))
    return {name: float(values[name]) for name in VARIABILITY} | changed


def start(log10: dict[str, float]) -> np.ndarray:
    V = 10**-0.481
    infected = 0.67 * V / 100
    S = 10 ** log10["log10_p_S"] * infected / 0.67
    return np.array([1.36e7 - infected, infected, 0, 0, 10**1.25, S, V, 0, 0, 0, 0])


def test_against_an_independent_solution() -> None:
    days = np.array([10.0, 30.0, 100.0, 200.0, 500.0, 1000.0, YEARS_5])
    log10 = log10_values()
    floors = [1e-10, 1e-9, 1e-3, 1e-9, 1e-8, 1e-3, 1e-9, 1e-14, 1e-14, 1e-14, 1e-14]
    expected = solve_ivp(
        derivatives,
        (0.0, YEARS_5),
        start(log10),
        "BDF",
        days,
        args=(log10, 0.0, True),
        rtol=1e-10,
        atol=floors,
    ).y
    result = simulate(MODEL, stop=YEARS_5, save_at=days, outputs=NAMES, solver=Solver(rtol=1e-8))
    for name, column in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(result[name], column, rtol=1e-5, err_msg=name)


def test_a_responder_crosses_the_threshold_when_scipy_does() -> None:
    """SciPy stops at the crossing and goes on with an infection that no longer counts."""
    log10 = log10_values(**RESPONDER)

    def crossing(t: float, y: np.ndarray, *_: object) -> float:
        return float(y[1] - 1e-4)

    crossing.terminal = True  # type: ignore[attr-defined]
    crossing.direction = -1  # type: ignore[attr-defined]
    floors = [1e-10, 1e-9, 1e-3, 1e-9, 1e-8, 1e-3, 1e-9, 1e-14, 1e-14, 1e-14, 1e-14]
    options = {"method": "BDF", "rtol": 1e-9, "atol": floors}
    before = solve_ivp(
        derivatives, (0.0, YEARS_5), start(log10), args=(log10, 0.0, True), **options
    )
    falling = solve_ivp(
        derivatives,
        (YEARS_5, YEARS_5 + 336.0),
        before.y[:, -1],
        args=(log10, 1.0, True),
        events=crossing,
        **options,
    )
    crossed = float(falling.t_events[0][0])
    particles = float(falling.y_events[0][0][5] + falling.y_events[0][0][6])
    # From there on particles and virus are only cleared, at 0.67 a day.
    antigen = particles * 96 * 24000 * 1e6 / 6.022e23 / 0.98e-3 * math.exp(-0.67 * 5.0)
    result = simulate(
        MODEL,
        parameters=RESPONDER,
        therapy=COURSE,
        stop=YEARS_5 + 336.0,
        save_at=[crossed + 5.0],
        outputs=["hbsag"],
        metrics={"crossed": FirstBelow("I", 1e-4, YEARS_5, YEARS_5 + 336.0)},
        solver=Solver(rtol=1e-8),
    )
    assert float(result["crossed"]) == pytest.approx(crossed, abs=1e-3)
    assert float(result["hbsag"][0]) == pytest.approx(antigen, rel=5e-3)


def test_the_threshold_is_what_makes_a_cure_last() -> None:
    """Functional cure: surface antigen below 0.05 IU/mL and virus below 25/mL for 24 weeks."""
    stop = YEARS_5 + 45.0
    result = simulate(
        MODEL,
        parameters={**RESPONDER, "I_threshold": np.array([1e-4, 0.0])},
        therapy={
            "analogue": Window("NA", start=YEARS_5, stop=stop, value=1.0),
            "interferon": Window("IFN", start=YEARS_5, stop=stop, value=1.0),
        },
        stop=stop + 168.0,
        save_at=[YEARS_5, stop, stop + 168.0],
        outputs=["hbsag", "V"],
        solver=Solver(rtol=1e-8),
    )
    antigen, virus = result["hbsag"].to_numpy(), result["V"].to_numpy()
    assert antigen[0, 0] == pytest.approx(antigen[1, 0], rel=1e-3)
    assert (antigen[:, 1] < 0.05).all()
    assert (virus[:, 1] < 25.0).all()
    assert antigen[0, 2] < 0.05
    assert virus[0, 2] < 25.0
    # Without the threshold the last infected cell, or what is left of it, starts it all again.
    assert antigen[1, 2] > 100.0
    assert virus[1, 2] > 1e5


def test_analogue_and_interferon_add_on_the_logarithm() -> None:
    """The virus meets the new share of production before the cells change: e_NA times e_IFN."""
    result = simulate(
        MODEL,
        parameters={"log10_r_E_IFN": 0.0},
        therapy={
            "analogue": Window("NA", start=YEARS_5, value=np.array([0.0, 1.0, 0.0, 1.0])),
            "interferon": Window("IFN", start=YEARS_5, value=np.array([0.0, 0.0, 1.0, 1.0])),
        },
        stop=YEARS_5 + 28.0,
        save_at=[YEARS_5, YEARS_5 + 28.0],
        outputs=["log10_virus", "I"],
        solver=Solver(rtol=1e-8),
    )
    per_cell = result["log10_virus"].to_numpy() - np.log10(result["I"].to_numpy())
    fall = per_cell[:, 0] - per_cell[:, 1]
    # Infected cells still change slowly, and the virus lags behind them.
    np.testing.assert_allclose(fall, [0.0, 1.485, 1.466, 2.951], atol=0.02)


def test_correlations_are_the_published_ranks() -> None:
    drawn = population(20000, seed=1).sample(MODEL)
    names = list(VARIABILITY)
    ranks = spearmanr(np.stack([drawn.parameters[name] for name in names]), axis=1).statistic
    for i, first in enumerate(names[:7]):
        for j, rank in enumerate(SPEARMAN[first], start=i + 1):
            # Three standard errors of a rank correlation of 20000.
            assert ranks[i, j] == pytest.approx(rank, abs=0.022), (first, names[j])
    np.testing.assert_allclose(ranks[8, :8], 0.0, atol=0.022)


def test_the_copula_gets_the_correlation_of_the_normal_scores() -> None:
    given = population(10).correlations
    assert len(given) == 28
    pair = given["log10_p_S", "log10_k_A"]
    assert pair == pytest.approx(2.0 * math.sin(math.pi * -0.70 / 6.0))
    # The rank correlation of two normal scores with that correlation is what was published.
    rng = np.random.default_rng(5)
    scores = rng.multivariate_normal([0.0, 0.0], [[1.0, pair], [pair, 1.0]], 200_000)
    assert spearmanr(scores).statistic == pytest.approx(-0.70, abs=0.005)


@pytest.mark.parametrize("name", list(VARIABILITY))
def test_each_parameter_has_its_median_transform_and_spread(name: str) -> None:
    values = population(20000, seed=3).sample(MODEL).parameters[name]
    distribution = VARIABILITY[name]
    typical = MODEL.parameters[MODEL.parameter_index[name]].value
    assert isinstance(distribution, LogitNormal | Normal)
    if isinstance(distribution, LogitNormal):
        low, high = distribution.lower, distribution.upper
        assert low <= values.min() < values.max() <= high
        scores = np.log((values - low) / (high - values))
        center, omega = math.log((typical - low) / (high - typical)), distribution.sigma
    else:
        scores, center, omega = values, typical, distribution.sd
    assert omega is not None
    below = np.mean(scores < center)
    assert below == pytest.approx(0.5, abs=0.011)  # three standard errors
    assert np.mean(scores < center + omega) == pytest.approx(norm.cdf(1.0), abs=0.011)


def test_patients_of_the_population_can_be_simulated() -> None:
    """Surface antigen over orders of magnitude; some patients clear the infection themselves."""
    result = simulate(
        MODEL,
        population=population(300, seed=1),
        stop=YEARS_5,
        save_at=[YEARS_5],
        outputs=["hbsag", "V"],
        on_failure="raise",
    )
    antigen = result["hbsag"].to_numpy()[:, 0]
    chronic = antigen > 0.05
    assert 0.5 < chronic.mean() < 1.0
    assert np.quantile(antigen[chronic], 0.9) > 100.0 * np.quantile(antigen[chronic], 0.1)

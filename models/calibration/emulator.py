"""Bayesian calibration with an emulator: design, regression, sampling.

A population's rates follow from its knobs (medians, spreads) by simulation, which takes a second.
So the simulation is run on a Sobol design of knobs, with the same virtual patients everywhere;
each statistic is regressed on the knobs (a full quadratic, on a scale where it may be one: the
logit of a rate); and the posterior of the knobs is sampled with the regression in place of the
simulation. What the regression misses, its residual spread, is part of the likelihood. A second
wave repeats this in the region that the first left.

The point that the model takes over is not the medians one by one, which together may fit badly,
but the best point: of all designs and of draws from the posterior, by the likelihood of what was
simulated there, improved by a simplex search (Nelder and Mead) on the simulation itself.

Knobs have independent uniform priors on the logarithm (or as they are); the box is the prior.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import binom, qmc

import carsim_models

Array = NDArray[np.float64]

# Nodes and weights of the average over the emulator's error.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class Knob:
    """A number to be found, uniform between two bounds on its scale (logarithmic by default)."""

    name: str
    low: float
    high: float
    log: bool = True

    def value(self, u: Array) -> Array:
        """Value at a place between 0 and 1."""
        if self.log:
            return np.asarray(np.exp(np.log(self.low) + u * np.log(self.high / self.low)))
        return self.low + u * (self.high - self.low)

    def place(self, value: float) -> float:
        """Inverse of `value`."""
        if self.log:
            return float(np.log(value / self.low) / np.log(self.high / self.low))
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Count:
    """A statistic that was observed as `events` among `n` patients."""

    name: str
    events: int
    n: int
    source: str

    @property
    def observed(self) -> float:
        """Observed rate."""
        return self.events / self.n

    def scale(self, found: Array) -> Array:
        """Logit of a rate, a rate of zero or one taken as half a patient of 400."""
        rate = np.clip(found, 0.5 / 400.0, 1.0 - 0.5 / 400.0)
        return np.asarray(np.log(rate / (1.0 - rate)))

    def unscale(self, line: Array) -> Array:
        """Rate from its logit."""
        rate: Array = 1.0 / (1.0 + np.exp(-line))
        return rate

    def log_likelihood(self, line: Array, error: float) -> Array:
        """Binomial likelihood, averaged over the emulator's error."""
        rates = self.unscale(line[..., None] + error * NODES)
        level: Array = np.log(binom.pmf(self.events, self.n, rates) @ WEIGHTS + 1e-300)
        return level


@dataclass(frozen=True)
class Value:
    """A statistic that was observed as a value with a standard deviation.

    `log`: the standard deviation is of the natural logarithm.
    """

    name: str
    value: float
    sd: float
    source: str
    log: bool = False

    @property
    def observed(self) -> float:
        """Observed value."""
        return self.value

    def scale(self, found: Array) -> Array:
        """Logarithm, or the value itself."""
        return np.log(np.maximum(found, 1e-12)) if self.log else found

    def unscale(self, line: Array) -> Array:
        """Inverse of `scale`."""
        return np.exp(line) if self.log else line

    def log_likelihood(self, line: Array, error: float) -> Array:
        """Normal likelihood with the emulator's error added."""
        goal = float(self.scale(np.array(self.value)))
        variance = self.sd**2 + error**2
        level: Array = -0.5 * (line - goal) ** 2 / variance - 0.5 * np.log(variance)
        return level


Statistic = Count | Value
Simulate = Callable[[dict[str, float]], dict[str, float]]


@dataclass(frozen=True, eq=False)
class Emulator:
    """Quadratic regression of one statistic on the places of the knobs."""

    statistic: Statistic
    coefficients: Array
    error: float

    def line(self, u: Array) -> Array:
        """Value on the statistic's scale, shape (m,), at places of shape (m, n_knobs)."""
        return quadratic(u) @ self.coefficients


def quadratic(u: Array) -> Array:
    """Constant, linear and quadratic terms of places, centered, shape (m, n_terms)."""
    x = 2.0 * u - 1.0
    rows, columns = np.triu_indices(x.shape[1])
    terms: Array = np.concatenate([np.ones((len(x), 1)), x, x[:, rows] * x[:, columns]], axis=1)
    return terms


def fit(statistic: Statistic, u: Array, found: Array) -> Emulator:
    """Regress by ridge least squares; the error is of leave-one-out predictions."""
    keep = np.isfinite(found)
    terms, line = quadratic(u[keep]), statistic.scale(found[keep])
    penalty = 1e-2 * np.eye(terms.shape[1])
    penalty[0, 0] = 0.0
    hat = np.linalg.solve(terms.T @ terms + penalty, terms.T)
    coefficients = hat @ line
    leverage = np.einsum("ij,ji->i", terms, hat)
    left_out = (line - terms @ coefficients) / (1.0 - np.minimum(leverage, 0.95))
    return Emulator(statistic, coefficients, float(np.sqrt(np.mean(left_out**2))))


def run_design(
    knobs: Sequence[Knob],
    simulate: Simulate,
    names: Sequence[str],
    size: int,
    seed: int,
    box: Array,
    file: Path,
) -> tuple[Array, Array]:
    """Simulate a Sobol design within a box of places, shape (n_knobs, 2).

    What is done is kept in `file`: an interrupted run of the same models goes on from there.

    Returns
    -------
    u : float64 array, shape (size, n_knobs)
        Places.
    found : float64 array, shape (size, n_statistics)
        Statistics in the order of `names`.
    """
    points = qmc.Sobol(len(knobs), seed=seed).random(size)
    u = box[:, 0] + points * (box[:, 1] - box[:, 0])
    found = np.full((size, len(names)), np.nan)
    version, done = version_of_models(), 0
    if file.exists():
        kept = np.load(file)
        same = str(kept["version"]) == version and list(kept["names"]) == list(names)
        if same and np.array_equal(kept["u"], u):
            found, done = kept["found"], int(kept["done"])
    for row in range(done, size):
        result = simulate(values_at(knobs, u[row]))
        found[row] = [result[name] for name in names]
        if (row + 1) % max(size // 8, 1) == 0:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, u=u, names=names, version=version, found=found, done=row + 1)
            print(f"  {row + 1} of {size} designs simulated", flush=True)
    return u, found


def version_of_models() -> str:
    """Digest of the sources of all models and cohorts."""
    digest = hashlib.sha256()
    for source in sorted(Path(carsim_models.__path__[0]).rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def values_at(knobs: Sequence[Knob], place: Array) -> dict[str, float]:
    """Values of all knobs at one place, shape (n_knobs,)."""
    return {knob.name: float(knob.value(at)) for knob, at in zip(knobs, place, strict=True)}


def likelihood(statistics: Sequence[Statistic], found: Array) -> Array:
    """Log-likelihood of simulated statistics, shape (m,), from shape (m, n_statistics)."""
    terms = [
        statistic.log_likelihood(statistic.scale(found[:, k]), 0.0)
        for k, statistic in enumerate(statistics)
    ]
    total: Array = np.sum(terms, axis=0)
    return np.where(np.isfinite(total), total, -1e6)


def cost_of(
    knobs: Sequence[Knob], statistics: Sequence[Statistic], simulate: Simulate
) -> Callable[[Array], float]:
    """Negative log-likelihood of a place, by simulation; places outside the box cost extra."""
    names = [statistic.name for statistic in statistics]

    def cost(place: Array) -> float:
        result = simulate(values_at(knobs, np.clip(place, 0.0, 1.0)))
        row = np.array([[result[name] for name in names]])
        outside = float(np.sum(np.maximum(np.abs(place - 0.5) - 0.5, 0.0)))
        return 100.0 * outside - float(likelihood(statistics, row)[0])

    return cost


def best_point(
    knobs: Sequence[Knob],
    statistics: Sequence[Statistic],
    simulate: Simulate,
    candidates: Array,
    found: Array,
    *,
    evaluations: int,
) -> Array:
    """Place of the highest likelihood: the best candidate, improved by a simplex search."""
    cost = cost_of(knobs, statistics, simulate)
    order = np.argsort(-likelihood(statistics, found))
    # The best candidates span the first simplex, as far as they are not in one plane.
    return simplex_search(cost, candidates[order[: len(knobs) + 1]], evaluations)


def simplex_search(cost: Callable[[Array], float], simplex: Array, evaluations: int) -> Array:
    """Place of the least cost that Nelder and Mead find from a simplex, shape (n + 1, n)."""
    search = minimize(
        cost,
        simplex[0],
        method="Nelder-Mead",
        options={"maxfev": evaluations, "initial_simplex": simplex, "adaptive": True},
    )
    place: Array = np.clip(search.x, 0.0, 1.0)
    return place


def sample(
    emulators: Sequence[Emulator], box: Array, seed: int, *, walkers: int = 200, steps: int = 1500
) -> Array:
    """Sample the posterior with the affine-invariant ensemble of Goodman and Weare (2010).

    Returns
    -------
    float64 array, shape (n, n_knobs)
        Places, of the second half of all steps, thinned by ten.
    """
    generator = np.random.default_rng(seed)
    n = len(box)

    def density(u: Array) -> Array:
        inside = ((u >= box[:, 0]) & (u <= box[:, 1])).all(axis=1)
        within = np.clip(u, box[:, 0], box[:, 1])  # the regression holds in the box only
        total = sum(
            emulator.statistic.log_likelihood(emulator.line(within), emulator.error)
            for emulator in emulators
        )
        return np.where(inside, total, -np.inf)

    u = box[:, 0] + generator.random((walkers, n)) * (box[:, 1] - box[:, 0])
    level = density(u)
    half = walkers // 2
    kept = []
    for step in range(steps):
        for first in (slice(0, half), slice(half, None)):
            others = u[half:] if first.start == 0 else u[:half]
            partner = others[generator.integers(0, len(others), half)]
            stretch = (1.0 + generator.random(half)) ** 2 / 2.0
            proposed = partner + stretch[:, None] * (u[first] - partner)
            new = density(proposed)
            with np.errstate(invalid="ignore"):
                gain = (n - 1) * np.log(stretch) + new - level[first]
            accepted = np.log(generator.random(half)) < gain
            u[first] = np.where(accepted[:, None], proposed, u[first])
            level[first] = np.where(accepted, new, level[first])
        if step >= steps // 2 and step % 10 == 0:
            kept.append(u.copy())
    return np.concatenate(kept)


def narrowed(posterior: Array, box: Array) -> Array:
    """Box of the next wave: the central 98 % of the posterior and a fifth of it on either side."""
    low, high = np.quantile(posterior, [0.01, 0.99], axis=0)
    reach = 0.2 * (high - low) + 0.02
    return np.stack([np.maximum(low - reach, box[:, 0]), np.minimum(high + reach, box[:, 1])], 1)


def calibrate(
    knobs: Sequence[Knob],
    statistics: Sequence[Statistic],
    simulate: Simulate,
    seed: int,
    file: Path,
    *,
    size: int = 512,
) -> None:
    """Run two waves; print and write the best point, the posterior, and the statistics there.

    Parameters
    ----------
    knobs, statistics : sequence of Knob, sequence of Count or Value
        What is found, and from what.
    simulate : callable
        Values of the knobs to values of the statistics, both by name.
    seed : int
        Of designs and sampling.
    file : Path
        JSON file to be written.
    size : int
        Designs in a wave.
    """
    names = [statistic.name for statistic in statistics]
    box = np.tile([0.0, 1.0], (len(knobs), 1))
    places, results = [], []
    for wave in (1, 2):
        print(f"wave {wave}", flush=True)
        kept = Path("results") / "calibration" / f"{file.stem}_{wave}.npz"
        u, found = run_design(knobs, simulate, names, size, seed + wave, box, kept)
        places.append(u)
        results.append(found)
        emulators = [fit(statistic, u, found[:, k]) for k, statistic in enumerate(statistics)]
        posterior = sample(emulators, box, seed)
        box = narrowed(posterior, box)
    draws = posterior[np.random.default_rng(seed).integers(0, len(posterior), size // 8)]
    simulated = [simulate(values_at(knobs, place)) for place in draws]
    places.append(draws)
    results.append(np.array([[each[name] for name in names] for each in simulated]))
    print("simplex search", flush=True)
    best = best_point(
        knobs,
        statistics,
        simulate,
        np.concatenate(places),
        np.concatenate(results),
        evaluations=size // 2,
    )
    chosen = values_at(knobs, best)
    fitted: dict[str, dict[str, object]] = {}
    for k, knob in enumerate(knobs):
        low, middle, high = knob.value(np.quantile(posterior[:, k], [0.025, 0.5, 0.975]))
        fitted[knob.name] = {
            "value": chosen[knob.name],
            "median": float(middle),
            "low": float(low),
            "high": float(high),
            "prior": [knob.low, knob.high],
        }
        print(f"{knob.name:18s} {chosen[knob.name]:.4g}  {middle:.4g} ({low:.4g} to {high:.4g})")
    at_best = simulate(chosen)
    rows = []
    for emulator in emulators:
        statistic = emulator.statistic
        print(
            f"{statistic.name:52s} observed {statistic.observed:.3g}  "
            f"model {at_best[statistic.name]:.3g}  "
            f"(emulator sd {emulator.error:.2f})"
        )
        rows.append(
            {
                "statistic": statistic.name,
                "observed": statistic.observed,
                "n": statistic.n if isinstance(statistic, Count) else None,
                "model": at_best[statistic.name],
                "emulator_sd": emulator.error,
                "source": statistic.source,
            }
        )
    file.write_text(json.dumps({"fitted": fitted, "statistics": rows}, indent=1) + "\n")


def refine(
    knobs: Sequence[Knob],
    statistics: Sequence[Statistic],
    simulate: Simulate,
    file: Path,
    evaluations: int,
) -> None:
    """Go on with the simplex search from the best point in `file`, and write the new one."""
    report = json.loads(file.read_text())
    start = np.array([knob.place(report["fitted"][knob.name]["value"]) for knob in knobs])
    # Away from the nearer end of the box.
    reach = np.where(start < 0.5, 0.12, -0.12)
    simplex = np.concatenate([start[None], start + np.diag(reach)])
    place = simplex_search(cost_of(knobs, statistics, simulate), simplex, evaluations)
    chosen = values_at(knobs, place)
    found = simulate(chosen)
    for name, value in chosen.items():
        report["fitted"][name]["value"] = value
        print(f"{name:18s} {value:.4g}")
    for row in report["statistics"]:
        row["model"] = found[row["statistic"]]
        print(f"{row['statistic']:52s} observed {row['observed']:.3g}  model {row['model']:.3g}")
    file.write_text(json.dumps(report, indent=1) + "\n")

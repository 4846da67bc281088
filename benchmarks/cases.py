"""The benchmark problems, as a user of carsim would write them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from carsim import Model, load_model
from carsim.scenario import Scenario
from carsim.therapy import Dose, Infusion, Item, Window

HERE = Path(__file__).parent
SEED = 20261122
COEFFICIENT_OF_VARIATION = 0.3
POINTS = 366


@dataclass(frozen=True)
class Case:
    """One problem.

    Attributes
    ----------
    name : str
    model : str
        As `carsim.load_model` takes it.
    stiff : bool
        Explicit methods are not tried on stiff problems.
    varied : tuple of str
        Parameters that differ between patients: log-normal with mean at the model's value.
    scale : float or None
        Model units of one unit in the peers' equations, for every state; None: each state by its
        own largest value.
    start : float
        First of the saved days; the last is 365 days later.
    """

    name: str
    model: str
    stiff: bool
    varied: tuple[str, ...]
    therapy: Mapping[str, Item]
    variants: tuple[str, ...] = ()
    scale: float | None = 1.0
    start: float = 0.0
    patients: int = 1024
    references: int = 16
    fixed: Mapping[str, float] = field(default_factory=dict)

    def load(self) -> Model:
        """The model."""
        return load_model(self.model)

    def scenario(self, patients: int | None = None, **more: Any) -> Scenario:
        """The problem as a scenario; patient i is the same however many there are."""
        model = self.load()
        n = self.patients if patients is None else patients
        values = model.parameter_values(self.fixed, self.variants)
        spread = np.sqrt(np.log1p(COEFFICIENT_OF_VARIATION**2))
        z = np.random.default_rng(SEED).standard_normal((self.patients, len(self.varied)))[:n]
        parameters: dict[str, Any] = dict(self.fixed)
        for j, name in enumerate(self.varied):
            center = float(np.ravel(values[..., model.parameter_index[name]])[0])
            parameters[name] = center * np.exp(spread * z[:, j] - spread**2 / 2)
        return Scenario(
            model,
            parameters=parameters,
            variants=self.variants,
            therapy=self.therapy,
            start=self.start,
            stop=self.start + 365.0,
            save_at=self.start + np.arange(POINTS, dtype=float),
            outputs=model.state_names,
            **more,
        )


def _varied(problem: str) -> tuple[str, ...]:
    names: tuple[str, ...] = importlib.import_module(f"benchmarks.problems.{problem}").VARIED
    return names


CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case(
            "stiff18",
            str(HERE / "problems" / "stiff18.py"),
            stiff=True,
            varied=_varied("stiff18"),
            therapy={
                "product": Dose("product", 0.01, 0.0),
                "antiviral_ends": Window("RN", value=0.0, start=30.0, stop=1000.0),
                "suppression_ends": Window("RC", value=0.0, start=30.0, stop=1000.0),
            },
        ),
        Case(
            "nonstiff5",
            str(HERE / "problems" / "nonstiff5.py"),
            stiff=False,
            varied=_varied("nonstiff5"),
            therapy={"product": Dose("product", 0.05, 0.0)},
        ),
        Case(
            "leon_triana_2021",
            "leon_triana_2021",
            stiff=False,
            varied=("alpha", "rho_C", "tau_C", "rho_L", "tau_B"),
            therapy={},
            scale=1e10,
        ),
        Case(
            "cart_hbv",
            "cart_hbv",
            stiff=True,
            varied=("cart.r_E", "cart.k_X", "leukemia.r_L", "hbv.kappa"),
            variants=("19-BBz", "inactive_carrier"),
            therapy={
                "lymphodepletion": Dose("lymphodepletion", 1.0, (-5.0, -4.0, -3.0)),
                "car_t": Dose("car_t", 1e8, 0.0),
                "entecavir": Infusion("entecavir", -7.0, stop=180.0, rate=0.5),
            },
            scale=None,
            start=-14.0,
            patients=512,
            references=8,
        ),
    )
}

"""Virtual populations for cart_hbv: who is treated, and how patients differ.

`population` puts one together: a product, the age group, the leukemia, the serostatus of hepatitis
B. How far patients differ is in `Spread`, one number a line with its source; the values that say
`Derived` come from the calibration in models/calibration, and `spread` gives them.

Serostatus. HBsAg-positive patients are a mixture of phases; HBsAg-negative, anti-HBc-positive ones
have resolved the infection, with or without anti-HBs. Shares by region are in `REGIONS`.

Who has resolved the infection holds the virus with room to spare, also a fast one: E_0 and beta_p
are correlated (0.8). Without that one draw in fifty could not, and would have no steady state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal, TypeAlias

from carsim import Assumed, Cited, Derived, Parameters, Population, parameter
from carsim.errors import ScenarioError, unknown
from carsim.model import ParameterField, Provenance
from carsim.model.records import leaves
from carsim.population import (
    Component,
    Distribution,
    LogitNormal,
    LogNormal,
    LogUniform,
    Mixture,
    NamedPopulation,
    TruncatedNormal,
)

Age: TypeAlias = Literal["adult", "child"]

COHORTS = Derived("best point, models/calibration/reactivation.py")
RESPONSE = Derived("best point, models/calibration/response.py")


class Spread(Parameters):
    # CAR-T cells and leukemia
    sd_r_E: float = parameter(0.754, "1", "sd of the logarithm of cart.r_E", RESPONSE)
    sd_d_E: float = parameter(
        0.30, "1", "sd of the logarithm of cart.d_E", Assumed("a third of what Stein 2019 finds")
    )
    sd_g: float = parameter(0.341, "1", "sd of the logarithm of cart.g", RESPONSE)
    sd_f_self: float = parameter(1.24, "1", "sd of the logit of cart.f_self", RESPONSE)
    sd_CRP: float = parameter(
        0.6,
        "1",
        "sd of the logarithm of cytokine.CRP_max",
        Assumed(
            "CRP follows IL-6 with a rank correlation of about 0.8 between patients (Lee 2015)"
        ),
    )
    r_L: float = parameter(0.0877, "1/day", "median of leukemia.r_L", RESPONSE)
    sd_r_L: float = parameter(0.16, "1", "sd of its logarithm", RESPONSE)
    sd_p_6: float = parameter(
        0.5, "1", "sd of the logarithm of cytokine.p_6", Assumed("IL-6 differs tenfold at a burden")
    )
    negative_low: float = parameter(2.19e-16, "1", "least CD19- fraction (log-uniform)", RESPONSE)
    negative_high: float = parameter(1.78e-6, "1", "largest CD19- fraction", RESPONSE)
    # lymphodepletion and its recovery
    kappa: float = parameter(0.361, "1", "median of hbv.kappa", COHORTS)
    sd_kappa: float = parameter(0.614, "1", "sd of its logarithm", COHORTS)
    kappa_L: float = parameter(1.16, "1", "median of t_cell.kappa_L", COHORTS)
    sd_kappa_L: float = parameter(
        0.54,
        "1",
        "sd of its logarithm",
        Assumed("competence left in a course as Beta(3, 4) has it"),
    )
    tau_L: float = parameter(87.5, "day", "median of t_cell.tau_L", COHORTS)
    sd_tau_L: float = parameter(0.423, "1", "sd of its logarithm", COHORTS)
    chop: float = parameter(
        0.792, "1", "lymphodepletion by a cycle of CHOP, in daily courses of flu/cy", COHORTS
    )
    # the virus
    sd_beta_p: float = parameter(
        0.25,
        "1",
        "sd of the logarithm of hbv.beta_p",
        Assumed("doubling 2.2 to 5.8 d, Whalley 2001"),
    )
    sd_p_0: float = parameter(0.3, "1", "sd of the logarithm of hbv.p_0", Assumed("moderate"))
    alpha: float = parameter(0.0619, "1/day", "median of hbv.alpha", COHORTS)
    sd_alpha: float = parameter(0.5, "1", "sd of its logarithm", COHORTS)
    k_GC: float = parameter(0.0925, "1/day", "median of hbv.k_GC", COHORTS)
    s_GC: float = parameter(0.797, "1", "median of hbv.s_GC", COHORTS)
    sd_k_GC: float = parameter(0.5, "1", "sd of the logarithms of both", Assumed("moderate"))
    k_share: float = parameter(
        0.762, "1", "hbv.k_share: share of the removal that kills, when ALT is normal", COHORTS
    )
    f_mem: float = parameter(
        0.8, "1", "hbv.f_mem of inactive carriers: effectors that need no antigen", COHORTS
    )
    dna_carrier: float = parameter(
        300.0, "IU/mL", "median HBV DNA of an inactive carrier", Assumed("below 2,000 (EASL 2017)")
    )
    sd_dna: float = parameter(0.8, "1", "sd of its logarithm", Assumed("20 to 2,000 IU/mL"))
    E_0: float = parameter(2.95, "1", "mean of hbv.E_0 when resolved", COHORTS)
    sd_E_0: float = parameter(0.204, "1", "its sd", COHORTS)
    C_0: float = parameter(2.32, "cell/mL", "median of hbv.C_0 when resolved", COHORTS)
    sd_C_0: float = parameter(2.41, "1", "sd of its logarithm", COHORTS)
    # antibody
    K_Ab: float = parameter(99.4, "mIU/mL", "median of hbv.K_Ab", COHORTS)
    sd_K_Ab: float = parameter(1.63, "1", "sd of its logarithm", COHORTS)
    titer: float = parameter(
        100.0,
        "mIU/mL",
        "median anti-HBs of the anti-HBs-positive",
        Assumed("typical; 10 is the cut"),
    )
    sd_titer: float = parameter(1.0, "1", "sd of its logarithm", Assumed("10 to 1,000"))
    f_LL: float = parameter(
        0.9, "1", "median of hbv.f_LL", Assumed("measles IgG unchanged (Hill 2019)")
    )
    sd_f_LL: float = parameter(0.8, "1", "sd of its logit", Assumed("0.65 to 0.98"))
    dropout: float = parameter(
        0.000323, "1/day", "hazard that a patient stops the antiviral for good", COHORTS
    )
    sd_potency: float = parameter(
        0.06, "1", "sd of the logarithm of entecavir.potency", Assumed("0.997 to 0.999")
    )


def spread() -> Spread:
    """Return the fitted values."""
    declared = leaves(Spread)
    return Spread(
        **{name: leaf.value for name, leaf in declared if isinstance(leaf, ParameterField)}
    )


@dataclass(frozen=True)
class Region:
    """Shares of serostatus among the patients of a region.

    Attributes
    ----------
    hbsag : float
        HBsAg-positive.
    resolved : float
        HBsAg-negative and anti-HBc-positive.
    hbsag_source, resolved_source : Provenance
        Where the shares are from.
    """

    hbsag: float
    resolved: float
    hbsag_source: Provenance
    resolved_source: Provenance


_SCHWEITZER = Cited("10.1016/S0140-6736(15)61412-X")
_RATIO = Assumed("two resolved for one HBsAg-positive, as among the CAR-T patients of Cao 2020")

REGIONS: Mapping[str, Region] = MappingProxyType(
    {
        "world": Region(0.0361, 0.0722, _SCHWEITZER.at("summary, 2010"), _RATIO),
        "Africa": Region(0.0883, 0.1766, _SCHWEITZER.at("summary, 2010"), _RATIO),
        "Western Pacific": Region(0.0526, 0.1052, _SCHWEITZER.at("summary, 2010"), _RATIO),
        "China": Region(0.030, 0.060, Derived("3.0 % in 2021, Gut 72:2354"), _RATIO),
        "CAR-T trials in China": Region(
            19 / 89, 37 / 89, Derived("19 of 89, Cao 2020"), Derived("37 of 89, Cao 2020")
        ),
    }
)

# Phases of HBsAg-positive patients: assumed. Most patients who are fit for chemotherapy have an
# inactive infection; the others matter because their flares do.
_PHASES: Mapping[str, float] = MappingProxyType(
    {
        "inactive_carrier": 0.7,
        "hbeag_negative_hepatitis": 0.15,
        "hbeag_positive_hepatitis": 0.075,
        "hbeag_positive_infection": 0.075,
    }
)

# Share of the resolved with anti-HBs: 21 of the 30 patients of Li 2021.
_WITH_ANTIBODY = 21 / 30


def car_t_differences(s: Spread, age: Age, burden: tuple[float, float]) -> dict[str, Distribution]:
    """Return how patients differ in the CAR-T cells and the leukemia.

    Parameters
    ----------
    s : Spread
        Sizes.
    age : {"adult", "child"}
        Children rely more on short-lived plasma cells.
    burden : (float, float)
        Least and largest leukemia, cells; log-uniform between.
    """
    made: dict[str, Distribution] = {
        "cart.r_E": LogNormal(sigma=s.sd_r_E),
        "cart.d_E": LogNormal(sigma=s.sd_d_E),
        "cart.g": LogNormal(sigma=s.sd_g),
        "cart.f_self": LogitNormal(sigma=s.sd_f_self),
        "cytokine.p_6": LogNormal(sigma=s.sd_p_6),
        "cytokine.CRP_max": LogNormal(sigma=s.sd_CRP),
        "leukemia.r_L": LogNormal(median=s.r_L, sigma=s.sd_r_L),
        "leukemia.initial_cells": LogUniform(*burden),
        "leukemia.negative_fraction": LogUniform(s.negative_low, s.negative_high),
    }
    if age == "child":
        made["b_cell.f_S"] = LogitNormal(median=0.6, sigma=0.4)
    return made


def virus_differences(s: Spread) -> dict[str, Distribution]:
    """Return how patients differ in the virus, its control and their antibody."""
    return {
        "hbv.kappa": LogNormal(median=s.kappa, sigma=s.sd_kappa),
        "t_cell.kappa_L": LogNormal(median=s.kappa_L, sigma=s.sd_kappa_L),
        "t_cell.tau_L": LogNormal(median=s.tau_L, sigma=s.sd_tau_L, lower=1.0),
        "hbv.beta_p": LogNormal(sigma=s.sd_beta_p),
        "hbv.p_0": LogNormal(sigma=s.sd_p_0),
        "hbv.k_share": LogitNormal(median=s.k_share, sigma=0.5),
        "hbv.alpha": LogNormal(median=s.alpha, sigma=s.sd_alpha),
        "hbv.k_GC": LogNormal(median=s.k_GC, sigma=s.sd_k_GC),
        "hbv.s_GC": LogNormal(median=s.s_GC, sigma=s.sd_k_GC),
        "hbv.K_Ab": LogNormal(median=s.K_Ab, sigma=s.sd_K_Ab, lower=1e-3, upper=1e5),
        "hbv.f_LL": LogitNormal(median=s.f_LL, sigma=s.sd_f_LL),
        "entecavir.potency": LogNormal(sigma=s.sd_potency),
    }


def resolved(s: Spread, *, antibody: bool, weight: float = 1.0) -> Component:
    """Return the patients who have resolved the infection, with or without anti-HBs."""
    made: dict[str, Distribution | float] = {
        "hbv.E_0": TruncatedNormal(mean=s.E_0, sd=s.sd_E_0, lower=1.1),
        "hbv.C_0": LogNormal(median=s.C_0, sigma=s.sd_C_0),
    }
    if not antibody:
        return Component("resolved, anti-HBs negative", weight, ("resolved_no_anti_hbs",), made)
    made["hbv.anti_hbs_0"] = LogNormal(median=s.titer, sigma=s.sd_titer, lower=10.0)
    return Component("resolved, anti-HBs positive", weight, ("resolved_anti_hbs",), made)


def carriers(s: Spread, *, weight: float = 1.0) -> list[Component]:
    """Return the HBsAg-positive patients, one component a phase."""
    words = {
        "inactive_carrier": "HBsAg positive, inactive",
        "hbeag_negative_hepatitis": "HBsAg positive, HBeAg-negative hepatitis",
        "hbeag_positive_hepatitis": "HBsAg positive, HBeAg-positive hepatitis",
        "hbeag_positive_infection": "HBsAg positive, HBeAg-positive infection",
    }
    own: dict[str, Mapping[str, Distribution]] = {
        "inactive_carrier": {
            "hbv.dna_0": LogNormal(median=s.dna_carrier, sigma=s.sd_dna),
            "hbv.f_mem": LogitNormal(median=s.f_mem, sigma=0.5),
        },
    }
    return [
        Component(words[phase], weight * share, (phase,), own.get(phase, {}))
        for phase, share in _PHASES.items()
    ]


def serostatus(s: Spread, region: str | Region, *, infected_only: bool = False) -> Mixture:
    """Return the mixture of serostatus of a region.

    Parameters
    ----------
    s : Spread
        Sizes.
    region : str or Region
        Name in `REGIONS`, or shares of your own.
    infected_only : bool
        Leave out patients who never met the virus.
    """
    if isinstance(region, str):
        if region not in REGIONS:
            raise ScenarioError(unknown("region", region, REGIONS, "population"))
        region = REGIONS[region]
    if not isinstance(region, Region):
        raise ScenarioError(f"population: region = {region!r} is not the name of a region.")
    components: Sequence[Component] = [
        *carriers(s, weight=region.hbsag),
        resolved(s, antibody=True, weight=region.resolved * _WITH_ANTIBODY),
        resolved(s, antibody=False, weight=region.resolved * (1.0 - _WITH_ANTIBODY)),
    ]
    never = 1.0 - region.hbsag - region.resolved
    if not infected_only:
        components = [*components, Component("never infected", never, ("uninfected",))]
    return Mixture("serostatus", components)


def population(
    size: int,
    seed: int = 0,
    *,
    product: str = "19-28z",
    age: Age = "adult",
    burden: Sequence[float] = (1e8, 1e12),
    region: str | Region = "CAR-T trials in China",
    infected_only: bool = False,
    sizes: Spread | None = None,
) -> Population:
    """Return patients with B-ALL as they are treated with CAR-T cells.

    Parameters
    ----------
    size, seed : int
        Of the `Population`.
    product : str
        Variant of the group "product": "19-28z", "19-BBz" or "1928zT2".
    age : {"adult", "child"}
        Children rely more on short-lived plasma cells (`b_cell.f_S`).
    burden : sequence of two floats
        Least and largest leukemia, cells, log-uniform between; 5e10 are 5 % blasts.
    region : str or Region
        Serostatus: a name in `REGIONS`, or shares of your own.
    infected_only : bool
        Leave out patients who never met the virus.
    sizes : Spread, optional
        How far patients differ; the fitted values by default.
    """
    s = spread() if sizes is None else sizes
    if not isinstance(burden, list | tuple) or len(burden) != 2:
        raise ScenarioError(
            f"population: burden = {burden!r}. Give the least and the largest leukemia in cells, "
            f"for example [1e8, 1e12]."
        )
    if not isinstance(infected_only, bool):
        raise ScenarioError(f"population: infected_only = {infected_only!r}. Give true or false.")
    low, high = burden
    mixture = serostatus(s, region, infected_only=infected_only)
    components = [
        dataclasses.replace(component, variants=(product, *component.variants))
        for component in mixture.components
    ]
    return Population(
        size,
        seed,
        {**car_t_differences(s, age, (low, high)), **virus_differences(s), "leukemia.mu": 0.0},
        {("hbv.beta_p", "hbv.E_0"): 0.8},
        Mixture(mixture.name, components),
    )


OPTIONS = ("burden", "region", "infected_only")

POPULATIONS: Mapping[str, NamedPopulation] = MappingProxyType(
    {
        "adults_19_28z": NamedPopulation("adults with B-ALL, 19-28z", population, OPTIONS),
        "adults_19_BBz": NamedPopulation(
            "adults with B-ALL, 19-BBz", partial(population, product="19-BBz"), OPTIONS
        ),
        "children_19_BBz": NamedPopulation(
            "children and young adults with B-ALL, 19-BBz",
            partial(population, product="19-BBz", age="child", burden=(1e9, 1e12)),
            OPTIONS,
        ),
        "adults_1928zT2": NamedPopulation(
            "adults with B-ALL, 1928zT2", partial(population, product="1928zT2"), OPTIONS
        ),
    }
)

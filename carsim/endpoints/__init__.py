"""Endpoints: what a trial would report of each virtual patient, and risks with intervals.

Each is a frozen object with two methods, see `carsim.endpoints.requirements.Endpoint`. Definitions
and everything assumed are listed in docs/endpoints.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from carsim.endpoints.b_cells import BCellAplasia
from carsim.endpoints.competing import (
    CompetingIncidence,
    FirstEvent,
    competing_incidence,
    first_event,
)
from carsim.endpoints.convergence import convergence
from carsim.endpoints.cytokines import CRSGrade, PeakIL6
from carsim.endpoints.decisions import optimal_choice, optimal_duration, switching_points
from carsim.endpoints.differences import (
    number_needed_to_treat,
    risk_difference,
    risk_differences,
    tango_interval,
)
from carsim.endpoints.incidence import CumulativeIncidence, cumulative_incidence
from carsim.endpoints.intervals import jeffreys_interval, wilson_interval
from carsim.endpoints.kinetics import CellularKinetics
from carsim.endpoints.mortality import MORTALITY, Mortality, draw_deaths
from carsim.endpoints.reactivation import HBVReactivation, by_guideline
from carsim.endpoints.requirements import (
    Endpoint,
    EndpointValues,
    Kept,
    Requirements,
    Setting,
)
from carsim.endpoints.response import Remission
from carsim.endpoints.risk import risk
from carsim.endpoints.viremia import HepatitisFlare, PeakHBVDNA
from carsim.errors import ScenarioError, unknown
from carsim.guidelines import (
    DEFINITIONS,
    FLARE_CRITERIA,
    Criterion,
    Definition,
    FlareCriterion,
)

__all__ = [
    "DEFINITIONS",
    "ENDPOINTS",
    "FLARE_CRITERIA",
    "MORTALITY",
    "BCellAplasia",
    "CRSGrade",
    "CellularKinetics",
    "CompetingIncidence",
    "Criterion",
    "CumulativeIncidence",
    "Definition",
    "Endpoint",
    "EndpointValues",
    "FirstEvent",
    "FlareCriterion",
    "HBVReactivation",
    "HepatitisFlare",
    "Kept",
    "Mortality",
    "PeakHBVDNA",
    "PeakIL6",
    "Remission",
    "Requirements",
    "Setting",
    "by_guideline",
    "competing_incidence",
    "convergence",
    "cumulative_incidence",
    "draw_deaths",
    "first_event",
    "jeffreys_interval",
    "make_endpoint",
    "number_needed_to_treat",
    "optimal_choice",
    "optimal_duration",
    "risk",
    "risk_difference",
    "risk_differences",
    "switching_points",
    "tango_interval",
    "wilson_interval",
]

ENDPOINTS: Mapping[str, type[Endpoint]] = MappingProxyType(
    {
        "hbv_reactivation": HBVReactivation,
        "hepatitis_flare": HepatitisFlare,
        "peak_hbv_dna": PeakHBVDNA,
        "remission": Remission,
        "cellular_kinetics": CellularKinetics,
        "b_cell_aplasia": BCellAplasia,
        "peak_il6": PeakIL6,
        "crs_grade": CRSGrade,
    }
)
"""Endpoints by the name that config files use."""


def make_endpoint(kind: str, options: Mapping[str, object] | None = None) -> Endpoint:
    """Endpoint from the name and the options of a config file.

    Parameters
    ----------
    kind : str
        One of `ENDPOINTS`.
    options : mapping, optional
        Fields of the endpoint; lists become tuples.

    Returns
    -------
    Endpoint

    Raises
    ------
    ScenarioError
        Unknown kind or option, or a value that the endpoint refuses.

    Examples
    --------
    >>> make_endpoint("hbv_reactivation", {"definition": "KASL 2019"}).definition
    'KASL 2019'
    """
    if kind not in ENDPOINTS:
        raise ScenarioError(unknown("endpoint", kind, ENDPOINTS, "carsim"))
    endpoint = ENDPOINTS[kind]
    fields = {f.name: f for f in dataclasses.fields(endpoint)}  # type: ignore[arg-type]
    given: dict[str, object] = {}
    for name, value in (options or {}).items():
        if name == "infusion":
            raise ScenarioError(
                f"endpoint '{kind}': the infusion is that of the whole simulation. Give it once, "
                f"to the scenario: infusion = {value!r} under [time] in a config file."
            )
        if name not in fields:
            raise ScenarioError(unknown("option", name, fields, f"endpoint '{kind}'"))
        value = tuple(value) if isinstance(value, list) else value
        default = fields[name].default
        expects_number = isinstance(default, float)
        if expects_number and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ScenarioError(
                f"endpoint '{kind}': {name} = {value!r} must be a number, such as {default!r}."
            )
        if isinstance(default, str) and not isinstance(value, str) and name != "baseline":
            raise ScenarioError(
                f"endpoint '{kind}': {name} = {value!r} must be text, such as {default!r}."
            )
        given[name] = float(value) if expects_number else value  # type: ignore[arg-type]
    return endpoint(**given)

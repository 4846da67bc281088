"""When a guideline or a cohort calls it HBV reactivation or a flare: tables of criteria, not code.

Endpoints judge by them, and strategies that act on the event act on the very same.

Sources of the tables
    Guidelines: the comparison in PMC8066124, Table 2 (AASLD 2018, AGA 2015, APASL 2016, KASL 2019).
    Cohorts: the definitions column of World J Gastroenterol 2023;29:4942, Table 1; Seto 2014
    (doi:10.1200/JCO.2014.56.7081) and Kusumoto 2015 by their reported detection thresholds.

    Visits: PMC8281013 (T3), PMC8066124 (T4) and PMC11078521 (T3) for the guidelines, Seto 2014.

EASL 2017 defines none; ASCO 2020 and the cohort of Cao 2020 use AASLD 2018. Huang 2013, Cheng 2003
and Cui 2021 are not here: their definitions were not read. Where a table is silent, so is this one:
the endpoint is then "not defined" (NaN), never "no reactivation".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from carsim.errors import ScenarioError, unknown

Serostatus: TypeAlias = Literal["HBsAg-positive", "HBsAg-negative", "any"]
Baseline: TypeAlias = Literal["detectable", "undetectable", "unknown", "known", "any"]
Marker: TypeAlias = Literal["hbv_dna", "hbsag"]


@dataclass(frozen=True)
class Criterion:
    """One line of a definition; a patient that meets any line that applies has reactivated.

    Parameters
    ----------
    words : str
        The criterion as the source puts it.
    serostatus : {"HBsAg-positive", "HBsAg-negative", "any"}
        Patients that the line applies to, by HBsAg at baseline.
    baseline : {"detectable", "undetectable", "unknown", "known", "any"}
        State of the marker at the baseline visit that the line applies to.
    marker : {"hbv_dna", "hbsag"}
        What is measured.
    fold : float, optional
        Rise over baseline; needs a detectable baseline.
    level : float, optional
        Level in IU/mL. A level counts as reached only if baseline was below it or unknown.
        Without `fold` and `level` the marker only has to be detectable.
    strict : bool
        "More than" instead of "at least".
    visits : int
        Consecutive visits at which it must hold; the last of them is the time of detection.
    """

    words: str
    serostatus: Serostatus
    baseline: Baseline
    marker: Marker
    fold: float | None = None
    level: float | None = None
    strict: bool = False
    visits: int = 1


@dataclass(frozen=True)
class Definition:
    """A named set of criteria and where it is from.

    Parameters
    ----------
    name : str
        Author or society, and year.
    source : str
        Where the criteria were read.
    criteria : tuple of Criterion
        Its lines; any of them is enough.
    every : tuple of 2 float, optional
        Shortest and longest interval (days) between the visits that the source asks for; None where
        it was not found. A month is 28 days, so that it fits a schedule of whole weeks.
    """

    name: str
    source: str
    criteria: tuple[Criterion, ...]
    every: tuple[float, float] | None = None


_REVERSE_SEROCONVERSION = Criterion(
    "HBsAg reappears (reverse seroconversion)", "HBsAg-negative", "undetectable", "hbsag"
)
_DNA_APPEARS = Criterion("HBV DNA becomes detectable", "HBsAg-negative", "undetectable", "hbv_dna")
_GUIDELINES = "PMC8066124, Table 2"
_COHORTS = "World J Gastroenterol 2023;29:4942, Table 1"

_MONTHLY_TO_QUARTERLY = (28.0, 84.0)
_AASLD_CRITERIA = (
    Criterion(
        "rise of 2 log10 (100-fold) or more over baseline",
        "HBsAg-positive",
        "detectable",
        "hbv_dna",
        fold=100.0,
    ),
    Criterion(
        "3 log10 (1,000) IU/mL or more if previously undetectable",
        "HBsAg-positive",
        "undetectable",
        "hbv_dna",
        level=1e3,
    ),
    Criterion(
        "4 log10 (10,000) IU/mL or more if there is no baseline",
        "HBsAg-positive",
        "unknown",
        "hbv_dna",
        level=1e4,
    ),
    _DNA_APPEARS,
    # Without a DNA baseline "becomes detectable" is read as "is found".
    Criterion("HBV DNA is detectable, no baseline", "HBsAg-negative", "unknown", "hbv_dna"),
    _REVERSE_SEROCONVERSION,
)

_ALL = (
    Definition("AASLD 2018", _GUIDELINES, _AASLD_CRITERIA, _MONTHLY_TO_QUARTERLY),
    Definition("ASCO 2020", _GUIDELINES + " (as AASLD 2018)", _AASLD_CRITERIA),
    Definition(
        "AGA 2015",
        _GUIDELINES,
        (
            Criterion("de novo detectable", "HBsAg-positive", "undetectable", "hbv_dna"),
            Criterion(
                "rise of 10-fold or more", "HBsAg-positive", "detectable", "hbv_dna", fold=10.0
            ),
            _REVERSE_SEROCONVERSION,
        ),
    ),
    Definition(
        "APASL 2016",
        _GUIDELINES + " (not clearly defined for HBsAg-negative patients)",
        (
            Criterion(
                "rise of 2 log10 or more", "HBsAg-positive", "detectable", "hbv_dna", fold=100.0
            ),
            Criterion(
                "de novo 100 IU/mL or more",
                "HBsAg-positive",
                "undetectable",
                "hbv_dna",
                level=100.0,
            ),
            Criterion(
                "20,000 IU/mL or more if there is no baseline",
                "HBsAg-positive",
                "unknown",
                "hbv_dna",
                level=2e4,
            ),
        ),
        _MONTHLY_TO_QUARTERLY,
    ),
    Definition(
        "KASL 2019",
        _GUIDELINES,
        (
            Criterion(
                "rise of more than 100-fold",
                "HBsAg-positive",
                "detectable",
                "hbv_dna",
                fold=100.0,
                strict=True,
            ),
            _DNA_APPEARS,
            _REVERSE_SEROCONVERSION,
        ),
    ),
    Definition("Cao 2020", _COHORTS + " (as AASLD 2018)", _AASLD_CRITERIA),
    Definition(
        "Li 2021",
        _COHORTS,
        (
            Criterion(
                "HBV DNA of 100 IU/mL or more twice",
                "any",
                "any",
                "hbv_dna",
                level=100.0,
                visits=2,
            ),
        ),
    ),
    Definition(
        "Wang 2020",
        _COHORTS,
        (
            Criterion(
                "rise of more than 1 log10",
                "any",
                "detectable",
                "hbv_dna",
                fold=10.0,
                strict=True,
            ),
            Criterion("positive from negative", "any", "undetectable", "hbv_dna"),
            Criterion(
                "more than 2,000 IU/mL without baseline",
                "any",
                "unknown",
                "hbv_dna",
                level=2e3,
                strict=True,
            ),
            _REVERSE_SEROCONVERSION,
        ),
    ),
    Definition(
        "Yang 2020",
        _COHORTS,
        (
            Criterion("positive from negative", "any", "undetectable", "hbv_dna"),
            Criterion(
                "rise of more than 10-fold",
                "any",
                "detectable",
                "hbv_dna",
                fold=10.0,
                strict=True,
            ),
        ),
    ),
    Definition(
        "Liu 2019",
        _COHORTS,
        (
            Criterion("more than 1,000 IU/mL", "any", "any", "hbv_dna", level=1e3, strict=True),
            _REVERSE_SEROCONVERSION,
        ),
    ),
    Definition(
        "Han 2020",
        _COHORTS,
        (
            Criterion("rise of 10-fold or more", "any", "detectable", "hbv_dna", fold=10.0),
            _REVERSE_SEROCONVERSION,
        ),
    ),
    Definition(
        "Seto 2014",
        "doi:10.1200/JCO.2014.56.7081",
        (Criterion("HBV DNA of 10 IU/mL or more", "HBsAg-negative", "any", "hbv_dna", level=10.0),),
        every=(28.0, 28.0),
    ),
    Definition(
        "Kusumoto 2015",
        "HBV DNA of 11 IU/mL or more",
        (Criterion("HBV DNA of 11 IU/mL or more", "HBsAg-negative", "any", "hbv_dna", level=11.0),),
    ),
)

DEFINITIONS: Mapping[str, Definition] = MappingProxyType({each.name: each for each in _ALL})
"""Definitions of HBV reactivation by name."""


@dataclass(frozen=True)
class FlareCriterion:
    """When a rise of ALT is called a flare: all given conditions together.

    Parameters
    ----------
    source : str
        Where the criterion is from.
    fold_of_baseline : float, optional
        ALT at least this many times its baseline.
    above : float, optional
        ALT above this many U/L.
    """

    source: str
    fold_of_baseline: float | None = None
    above: float | None = None


FLARE_CRITERIA: Mapping[str, FlareCriterion] = MappingProxyType(
    {
        "AASLD 2018": FlareCriterion(
            "assumed: quoted from memory, the guidance text was not read",
            fold_of_baseline=3.0,
            above=100.0,
        ),
        "Chang 2014": FlareCriterion(
            "Chang and Liaw 2014: 5 times the upper limit of normal; the limit, 40 U/L, is assumed",
            above=200.0,
        ),
    }
)
"""Criteria of a hepatitis flare by name."""


def definition_of(name: str | Definition, where: str = "HBVReactivation") -> Definition:
    """Definition of a given name; a Definition is returned as it is.

    Parameters
    ----------
    name : str or Definition
        What was asked for.
    where : str
        Who asks, for messages.

    Raises
    ------
    ScenarioError
        No such definition.
    """
    if isinstance(name, Definition):
        return name
    given: object = name
    if not isinstance(given, str) or given not in DEFINITIONS:
        raise ScenarioError(unknown("definition of reactivation", str(given), DEFINITIONS, where))
    return DEFINITIONS[name]


def flare_criterion_of(name: str, where: str = "HepatitisFlare") -> FlareCriterion:
    """Criterion of a flare of a given name.

    Parameters
    ----------
    name : str
        What was asked for.
    where : str
        Who asks, for messages.

    Raises
    ------
    ScenarioError
        No such criterion.
    """
    given: object = name
    if not isinstance(given, str) or given not in FLARE_CRITERIA:
        raise ScenarioError(unknown("flare criterion", str(given), FLARE_CRITERIA, where))
    return FLARE_CRITERIA[name]

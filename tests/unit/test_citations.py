"""What `carsim cite` says: only what the run used, and every document once."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import carsim
from carsim import citations
from carsim.cli import main
from carsim.design import Axis, Grid
from carsim.errors import CarsimError
from carsim.model import Assumed, Cited, Derived
from carsim.model.reference import Reference
from carsim.population import Component, LogNormal, Mixture, Population, Uniform
from carsim.sweep import run as run_sweep

MODEL = '''
"""A drug that comes and goes (for tests).

Reference
    A. Author, B. C. Writer (2011). A title: with a colon. J. Tests 12:34-56.
    doi:10.1000/model
"""
from carsim import Assumed, Cited, Derived, Model, Parameters, State, parameter, state, variant

PAPER = Cited("10.1000/model").at("Table 1")
OTHER = Cited("10.1000/other")
SLOW = Cited("10.1000/slow")
FAST = Cited("10.1000/fast")


class Amounts(State):
    drug: float = state(1.0, "mg", "drug in the body", Cited("10.1000/start"))


class Rates(Parameters):
    k: float = parameter(0.5, "1/day", "elimination", PAPER)
    source: float = parameter(2.0, "mg/day", "endogenous source", OTHER)
    part: float = parameter(1.0, "1", "part of it", Derived("the rest"))
    guess: float = parameter(1.0, "1", "a guess", Assumed("no data"))


def rhs(t, y, p):
    return Amounts(drug=p.guess * p.part * p.source - p.k * y.drug)


MODEL = Model(
    "toy_cite",
    rhs,
    Amounts,
    Rates,
    variants=[
        variant("slow", "slow elimination", {"k": (0.1, SLOW)}, group="speed"),
        variant("fast", "fast elimination", {"k": (1.1, FAST)}, group="speed"),
    ],
    reference="doi:10.1000/model",
)
'''


@pytest.fixture
def model(tmp_path: Path) -> carsim.Model:
    (tmp_path / "toy_cite.py").write_text(MODEL)
    return carsim.load_model(str(tmp_path / "toy_cite.py"))


def dois(result: xr.Dataset) -> set[str]:
    return {doi.removeprefix("10.1000/") for doi in carsim.cite(result).sources}


def test_defaults_are_cited_as_the_model_says(model: carsim.Model) -> None:
    found = carsim.cite(carsim.simulate(model, stop=1.0))
    assert list(found.sources) == ["10.1000/start", "10.1000/model", "10.1000/other"]
    assert [n.name for n in found.of_kind(Derived)] == ["part"]
    assert [n.name for n in found.of_kind(Assumed)] == ["guess"]
    assert found.papers[0].short == "Author and Writer 2011"
    assert found.solver.doi == "10.1007/s10543-023-00967-x"


def test_what_the_user_gives_is_not_cited(model: carsim.Model) -> None:
    result = carsim.simulate(model, stop=1.0, parameters={"k": 0.3}, initial={"drug": 2.0})
    found = carsim.cite(result)
    assert dois(result) == {"other"}
    assert found.given == ("initial drug", "k")


def test_a_variant_counts_in_place_of_the_default(model: carsim.Model) -> None:
    result = carsim.simulate(model, stop=1.0, variants=["slow"])
    assert dois(result) == {"start", "slow", "other"}
    assert "k (slow)" in str(carsim.cite(result))
    overruled = carsim.simulate(model, stop=1.0, variants=["slow"], parameters={"k": 0.2})
    assert dois(overruled) == {"start", "other"}


def test_a_spread_around_the_default_cites_it_and_another_center_does_not(
    model: carsim.Model,
) -> None:
    around = Population(3, parameters={"k": LogNormal(cv=0.2)})
    assert "model" in dois(carsim.simulate(model, stop=1.0, population=around))
    elsewhere = Population(3, parameters={"k": LogNormal(median=0.4, cv=0.2)})
    assert "model" not in dois(carsim.simulate(model, stop=1.0, population=elsewhere))
    uniform = Population(3, parameters={"source": Uniform(1.0, 2.0)})
    assert "other" not in dois(carsim.simulate(model, stop=1.0, population=uniform))


def test_kinds_of_patients_bring_their_variants(model: carsim.Model) -> None:
    mixture = Mixture("kind", (Component("a", variants=("slow",)), Component("b")))
    result = carsim.simulate(model, stop=1.0, population=Population(4, mixture=mixture))
    assert dois(result) == {"start", "model", "slow", "other"}


def test_a_sweep_cites_its_variants_and_not_what_it_varies(model: carsim.Model) -> None:
    scenario = carsim.Scenario(model, stop=1.0, outputs=(), metrics={"end": carsim.Last("drug")})
    speed = Axis("variants.speed", values=["slow", "fast"])
    source = Axis("parameters.source", values=[1.0, 2.0])
    result = run_sweep(carsim.Sweep(scenario, Grid((speed, source))))
    assert dois(result) == {"start", "slow", "fast"}
    assert carsim.cite(result).given == ("source",)


def test_text_and_bibtex_hold_each_document_once(model: carsim.Model) -> None:
    found = carsim.cite(carsim.simulate(model, stop=1.0))
    text = found.text()
    assert "A. Author, B. C. Writer (2011). A title: with a colon." in text
    assert "numbers without one: 1 derived, 1 assumed, 0 given with the run" in text
    assert "no data" not in text
    assert "guess: a guess; assumed: no data" in found.text(everything=True)
    bibtex = found.bibtex()
    assert bibtex.count("10.1000/model") == 1
    for line in (
        "@article{author2011,",
        "  author = {A. Author and B. C. Writer},",
        "  title = {{A title: with a colon}},",
        "  journal = {J. Tests},",
        "  volume = {12},",
        "  pages = {34--56},",
        "@misc{doi_10_1000_other,",
        "@misc{rodas5p,",
        f"  version = {{{carsim.__version__}}},",
    ):
        assert line in bibtex
    assert bibtex.count("{") == bibtex.count("}")


def test_other_authors_and_no_words() -> None:
    many = Reference("10.1000/x", "A. Uno et al. (2020). Title. Journal 1(2):3.")
    assert many.short == "Uno et al. 2020"
    assert "author = {A. Uno and others}" in many.bibtex("k")
    amp = Reference("10.1000/x_y", "A. Uno (2020). T & B cells, 50 % each. Cells & Co 1:3.")
    assert r"title = {{T \& B cells, 50 \% each}}" in amp.bibtex("k")
    assert "doi = {10.1000/x_y}" in amp.bibtex("k")
    assert amp.short == "Uno 2020"
    assert Reference("10.1000/x").short == "10.1000/x"
    assert Reference("10.1000/x").line == "https://doi.org/10.1000/x"


def test_the_words_of_a_paper_come_from_the_model_that_has_them() -> None:
    found = carsim.cite(carsim.simulate("cart_hbv", stop=1.0))
    assert found.papers == ()
    dahari = found.sources["10.1002/hep.22586"]
    assert dahari.text.startswith("H. Dahari, E. Shudo, R. M. Ribeiro, A. S. Perelson (2009).")
    assert {n.name for n in found.of_kind(Cited)} > {"hbv.T_max", "hbv.c"}


def test_a_changed_model_is_said(model: carsim.Model) -> None:
    result = carsim.simulate("stein_2019", stop=1.0)
    attributes = dict(result.attrs)
    hashed = carsim.load_model("stein_2019").hash
    attributes["scenario"] = attributes["scenario"].replace(hashed, "0" * 64)
    found = carsim.cite(xr.Dataset(attrs=attributes))
    assert "has changed since this result was made" in str(found)


def test_command(model: carsim.Model, tmp_path: Path) -> None:
    carsim.simulate("stein_2019", stop=1.0).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    invoke = CliRunner().invoke
    result = invoke(main, ["cite", str(tmp_path / "x.nc")])
    assert result.exit_code == 0, result.output
    assert "doi.org/10.1002/psp4.12388" in result.output
    listed = invoke(main, ["cite", "--all", str(tmp_path / "x.nc")])
    assert "T_toci: first dose of tocilizumab; assumed: 1000 d" in listed.output
    bibtex = invoke(main, ["cite", "--bibtex", str(tmp_path / "x.nc")])
    assert bibtex.output.startswith("@software{carsim,")
    assert "@article{stein2019," in bibtex.output


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    xr.Dataset({"a": ("x", np.ones(2))}).to_netcdf(tmp_path / "f.nc", engine="h5netcdf")
    (tmp_path / "t.nc").write_text("no netCDF")
    for name, message in (
        ("f.nc", "carsim did not write this file: it has no attribute 'scenario'. Give a sw"),
        ("t.nc", "cannot be read as netCDF4"),
        ("none.nc", "there is no such file. Give a sweep's folder or a .nc file"),
    ):
        result = CliRunner().invoke(main, ["cite", str(tmp_path / name)])
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
    with pytest.raises(CarsimError, match="this is not a result of carsim: it has no attribute"):
        carsim.cite(xr.Dataset())


def test_a_model_that_is_not_installed_is_said(model: carsim.Model) -> None:
    attributes = dict(carsim.simulate("stein_2019", stop=1.0).attrs)
    attributes["scenario"] = attributes["scenario"].replace("stein_2019", "stain_2019")
    with pytest.raises(CarsimError, match=r"carsim has no model 'stain_2019'. Did you mean 'stei"):
        carsim.cite(xr.Dataset(attrs=attributes))


def test_the_facts_are_those_of_the_citation_file(repository: Path) -> None:
    lines = (repository / "CITATION.cff").read_text().splitlines()
    facts = dict(line.split(": ", 1) for line in lines if ": " in line and not line[0].isspace())
    assert facts["title"].strip('"') == citations.TITLE
    assert facts["date-released"].startswith(str(citations.YEAR))
    assert f'- name: "{citations.AUTHOR}"' in (repository / "CITATION.cff").read_text()
    assert facts["version"] == carsim.__version__
    assert tomllib.loads((repository / "pyproject.toml").read_text())["project"]["name"] == "carsim"

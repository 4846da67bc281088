"""What the tests of the report share: a small sweep with known risks, and what any page must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from carsim.design import Axis, Design
from carsim.endpoints import Endpoint, HBVReactivation, PeakHBVDNA
from carsim.model import Model
from carsim.population import Component, LogNormal, Mixture, Population
from carsim.scenario import Scenario
from carsim.sweep import Sweep
from carsim.therapy import Rule, SetParameter
from tests.pages import Page

TOY = str(Path(__file__).parent / "unit" / "toy_hbv.py")
STOP = 280.0
KINDS = Mixture("kind", [Component("slow", 1.0, ["slow"]), Component("fast", 1.0, ["fast"])])
ENDPOINTS: dict[str, Endpoint] = {
    "hbv_reactivation": HBVReactivation(every=28.0),
    "peak": PeakHBVDNA(),
}
STRATEGY = Axis("parameters.kill", [0.0, 0.003, 0.008], name="strategy", label="kill rate")
KIND = Axis("population.kind", ["slow", "fast"], name="kind", label="kind of patient")


def sweep_of(
    model: Model,
    design: Design,
    *,
    endpoints: dict[str, Endpoint] | None = None,
    title: str = "A sweep",
    config: str = "",
    **changes: Any,
) -> Sweep:
    settings: dict[str, Any] = {
        "therapy": {
            "rescue": Rule("hbv_dna", above=50.0, every=28.0, do=SetParameter("kill", 1.0))
        },
        "population": Population(
            60, seed=3, parameters={"growth": LogNormal(cv=0.5)}, mixture=KINDS
        ),
        "stop": STOP,
        "outputs": ["hbv_dna"],
    }
    settings["endpoints"] = ENDPOINTS if endpoints is None else endpoints
    scenario = Scenario(model, **(settings | changes))
    return Sweep(scenario, design, title=title, config=config)


def checked(html: str) -> Page:
    """The page, after all that must hold of any."""
    page = Page(html)
    assert page.problems == []
    assert len(page.sections) == 9
    assert "script" not in page.tags
    for forbidden in ("link", "iframe", "object", "embed", "video", "audio", "form"):
        assert forbidden not in page.tags
    assert "url(" not in html
    assert "@import" not in html
    for link in page.links:
        assert link.startswith("https://doi.org/") or link[1:] in page.ids, link
    for picture in page.images:
        assert picture["src"].startswith("data:image/png;base64,")
        assert len(picture["alt"]) > 20
    assert page.tags.count("figure") == page.tags.count("figcaption") == len(page.images)
    assert "not clinical advice" in page.words
    assert "nan" not in page.words.lower().split()
    return page

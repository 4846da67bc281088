"""Draw the figures of therapy.md from the blocks of code that stand above them.

python docs/draw_therapy.py
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import carsim

HERE = Path(__file__).resolve().parent
PAGE = HERE / "therapy.md"
MODEL = carsim.load_model(str(HERE.parent / "examples" / "therapy" / "drug.py"))
STOP = 20.0
BLOCK = re.compile(r"<!-- (\w+) -->\n```python\n(.*?)```", re.S)
DRUG, MARKER = "#0072B2", "#D55E00"

# What a panel below the concentration shows, where there is something to see.
BELOW = {
    "records": ("F", "Bioavailability"),
    "window": ("CL", "Clearance (L/day)"),
    "covariate": ("weight", "Weight (kg)"),
    "rule": ("marker", "Marker (U/L)"),
    "discontinue": ("marker", "Marker (U/L)"),
    "hazard": ("marker", "Marker (U/L)"),
}


def blocks() -> dict[str, str]:
    """Code of every construct on the page, by name."""
    return dict(BLOCK.findall(PAGE.read_text()))


def namespace() -> dict[str, Any]:
    """What the blocks may use."""
    names = {name: getattr(carsim, name) for name in carsim.__all__}
    return {**names, "dataclasses": dataclasses, "model": MODEL}


def run(code: str) -> tuple[dict[str, Any], xr.Dataset]:
    """Run a block and simulate its therapy.

    Parameters
    ----------
    code : str
        Sets `therapy`, and perhaps `parameters`.
    """
    names = namespace()
    exec(compile(code, str(PAGE), "exec"), names)
    chance = any(isinstance(item, carsim.Hazard) for item in names["therapy"].values())
    result = carsim.simulate(
        MODEL,
        therapy=names["therapy"],
        parameters=names.get("parameters", {}),
        population=carsim.Population(3, seed=28) if chance else None,
        start=0.0,
        stop=STOP,
        save_at=np.linspace(0.0, STOP, 2001),
        outputs=("concentration", "marker"),
    )
    return names, result


def course_of(names: Mapping[str, Any], parameter: str, time: np.ndarray) -> np.ndarray:
    """Course of a parameter under windows and covariates, read off the items."""
    value = np.full(time.shape, MODEL.parameters[MODEL.parameter_index[parameter]].value)
    for item in names["therapy"].values():
        if isinstance(item, carsim.Covariate) and item.parameter == parameter:
            value = np.interp(time, item.at, item.value)
        if isinstance(item, carsim.Window) and item.parameter == parameter:
            for k in range(int(item.count or 1)):
                begin = item.start + k * (item.every or 0.0)
                end = item.stop if item.duration is None else begin + item.duration
                value = np.where((time >= begin) & (time < end), value * item.scale, value)
    return value


def draw(name: str, code: str, folder: Path) -> Path:
    """Draw the figure of one construct.

    Parameters
    ----------
    name : str
        Construct.
    code : str
        Its block.
    folder : Path
        Where the figure goes.
    """
    names, result = run(code)
    two = name in BELOW
    figure, panels = plt.subplots(
        2 if two else 1, 1, figsize=(7.2, 3.6 if two else 2.4), sharex=True, squeeze=False
    )
    top = panels[0, 0]
    time = result["time"].values
    curves = np.atleast_2d(result["concentration"].values)
    for number, curve in enumerate(curves):
        style = ("-", "--", ":")[number]
        label = f"patient {number + 1}" if len(curves) > 1 else None
        top.plot(time, curve, color=DRUG, linestyle=style, linewidth=1.4, label=label)
    top.set_ylabel("Concentration\n(mg/L)")
    top.set_ylim(bottom=0.0)
    for when, event in zip(result["event_time"].values, result["event_name"].values, strict=True):
        for panel in panels[:, 0]:
            panel.axvline(when, color="0.55", linewidth=0.8, linestyle=":")
        top.text(
            when, 0.98, f" {event}", transform=top.get_xaxis_transform(), rotation=90,
            va="top", ha="left", fontsize=7, color="0.35",
        )  # fmt: skip
    if two:
        what, label = BELOW[name]
        if what == "marker":
            lower = np.atleast_2d(result["marker"].values)
        else:
            lower = course_of(names, what, time)[None]
        for number, curve in enumerate(lower):
            panels[1, 0].plot(
                time, curve, color=MARKER, linestyle=("-", "--", ":")[number], linewidth=1.4
            )
        panels[1, 0].set_ylabel(label.replace(" (", "\n("))
        panels[1, 0].set_ylim(bottom=0.0)
        for item in names["therapy"].values():
            if isinstance(item, carsim.Rule) and item.when == what:
                panels[1, 0].axhline(item.threshold, color="0.6", linewidth=0.8)
    if len(curves) > 1:
        top.legend(fontsize=7, frameon=False, ncol=3, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    panels[-1, 0].set_xlabel("Time (days)")
    panels[-1, 0].set_xlim(0.0, STOP)
    for panel in panels[:, 0]:
        panel.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


if __name__ == "__main__":
    for construct, text in blocks().items():
        draw(construct, text, HERE / "images" / "therapy")

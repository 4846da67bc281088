"""Config files: TOML in, a `Scenario` or a `Sweep` out, and an error for everything else.

Texts are never evaluated. Docs and examples show every table; `carsim check FILE` reads a file
without running it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from pydantic import ValidationError

from carsim.config.build import at, build_design, build_scenario
from carsim.config.document import flatten, load, parse
from carsim.config.messages import words_for
from carsim.config.schema import ConfigTable
from carsim.config.sensitivity import build_sensitivity
from carsim.errors import ConfigError
from carsim.scenario import Scenario
from carsim.sensitivity import LocalStudy, Study
from carsim.sweep import Sweep

__all__ = ["Config", "json_schema", "read", "read_config", "read_text"]


@dataclass(frozen=True)
class Config:
    """What a config file says.

    Attributes
    ----------
    scenario : Scenario
        Model, values, therapy, population, metrics, endpoints and solver.
    sweep : Sweep or None
        None for a file without ``[sweep]``.
    title, description : str
        Words about the file.
    text : str
        The file itself.
    overrides : tuple of str
        What was changed from outside, as ``path=value``.
    sensitivity : Study, LocalStudy or None
        None for a file without ``[sensitivity]``.
    """

    scenario: Scenario
    sweep: Sweep | None
    title: str
    description: str
    text: str
    overrides: tuple[str, ...]
    sensitivity: Study | LocalStudy | None = None


def read(path: str | PathLike[str], overrides: Sequence[str] = ()) -> Scenario | Sweep:
    """Read a config file.

    Parameters
    ----------
    path : path-like
        A TOML file; model files in it are looked for beside it.
    overrides : sequence of str, optional
        Each ``path=value`` in TOML's spelling, for example ``"population.size=1000"``.

    Returns
    -------
    Scenario or Sweep
        A `Sweep` if the file has a table ``[sweep]``.

    Raises
    ------
    ConfigError
        With file, key, what was given and what would be right.
    """
    config = read_config(path, overrides)
    return config.scenario if config.sweep is None else config.sweep


def read_config(path: str | PathLike[str], overrides: Sequence[str] = ()) -> Config:
    """Read a config file with everything that it says; see `read`."""
    file = Path(path)
    return read_text(load(file), overrides, source=str(path), folder=file.parent)


def read_text(
    text: str,
    overrides: Sequence[str] = (),
    *,
    source: str = "config",
    folder: Path | None = None,
) -> Config:
    """Read a config from a text.

    Parameters
    ----------
    text : str
        TOML.
    overrides : sequence of str, optional
        As for `read`.
    source : str, optional
        Name of the text in messages.
    folder : Path, optional
        Where model files named by a relative path are looked for; the current folder if left out.
    """
    document = parse(text, source, overrides)
    if isinstance(document.get("parameters"), dict):
        document["parameters"] = flatten(document["parameters"], source, "parameters")
    try:
        table = ConfigTable.model_validate(document)
    except ValidationError as error:
        raise ConfigError(words_for(error, document, source)) from None
    scenario = build_scenario(table, source, folder)
    sweep = None
    if table.sweep is not None:
        with at(source, "sweep"):
            sweep = Sweep(
                scenario,
                build_design(table, source),
                title=table.title,
                config=text,
                overrides=tuple(overrides),
            )
    return Config(
        scenario,
        sweep,
        table.title,
        table.description,
        text,
        tuple(overrides),
        build_sensitivity(table, scenario, text, tuple(overrides), source),
    )


def json_schema() -> dict[str, object]:
    """JSON Schema of a config file, for editors."""
    return ConfigTable.model_json_schema()

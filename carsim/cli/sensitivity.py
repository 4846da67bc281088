"""``carsim sensitivity``: which factors decide the outputs of a population."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from carsim.cli.tables import number, table

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

RESULT = "sensitivity.nc"
MOST_ROWS = 20
#: For each method: the variable that ranks, and the columns (heading, variable).
COLUMNS = {
    "sobol": ("total_order", (("total", "total_order"), ("first", "first_order"))),
    "morris": ("mu_star", (("mu*", "mu_star"), ("mu", "mu"), ("sigma", "sigma"))),
    "prcc": ("prcc", (("prcc", "prcc"), ("p", "p_value"))),
    "one_at_a_time": (
        "swing",
        (
            ("swing", "swing"),
            ("at low", "at_low"),
            ("at high", "at_high"),
            ("change to low", "change_low"),
            ("change to high", "change_high"),
        ),
    ),
    "local": ("elasticity", (("elasticity", "elasticity"), ("derivative", "sensitivity"))),
}


@click.command(short_help="Rank the factors that decide endpoints, by [sensitivity].")
@click.argument("file", metavar="CONFIG.TOML")
@click.option("--out", metavar="DIR", help="Where to write (default: results/NAME).")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value.")
@click.option("--threads", type=click.IntRange(1), help="Threads (default: all processors).")
@click.option("--overwrite", is_flag=True, help="Replace an older result.")
@click.option("--no-figures", is_flag=True, help="Write numbers only.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def sensitivity(
    file: str,
    out: str | None,
    overrides: tuple[str, ...],
    threads: int | None,
    overwrite: bool,
    no_figures: bool,
    quiet: bool,
) -> None:
    """Say which factors of a table [sensitivity] decide its outputs.

    Sobol indices, Morris' elementary effects or partial rank correlations of endpoints, their
    changes by one factor at a time, or local sensitivities. Writes sensitivity.nc (netCDF4),
    config.toml and figures into a folder. Numbers do not depend on the number of threads.
    """
    import dataclasses
    from pathlib import Path

    from carsim.cli.output import CONFIG, plan_folder, write_config, write_result
    from carsim.cli.progress import progress
    from carsim.config import read_config
    from carsim.errors import ConfigError
    from carsim.sensitivity import Study
    from carsim.sweep import estimate

    config = read_config(file, overrides)
    study = config.sensitivity
    if study is None:
        raise ConfigError(
            f"{file}: has no table [sensitivity]. Add one: method, factors and outputs."
        )
    folder = plan_folder(out if out is not None else str(Path("results") / Path(file).stem))
    _check_free((folder / RESULT, folder / CONFIG), overwrite)
    if threads is not None:
        scenario = study.scenario.replace("solver.threads", threads)
        study = dataclasses.replace(study, scenario=scenario)
    if not quiet:
        click.echo(config.title or file)
    if isinstance(study, Study):
        sizes = estimate(study.sweep)
        sizes.check_memory()
        if not quiet:
            for line in sizes.lines():
                click.echo(f"  {line}")
    with progress("simulations", quiet) as report:
        dataset = study.run(report)
    write_result(dataset, folder / RESULT)
    write_config(config, "sensitivity", file, folder / CONFIG)
    written = [folder / RESULT, folder / CONFIG]
    if not no_figures:
        from carsim.plots import write_sensitivity_figures

        written.extend(write_sensitivity_figures(dataset, folder))
    if not quiet:
        print_sensitivity(dataset)
        for path in written:
            click.echo(f"wrote {path}")


def print_sensitivity(dataset: xr.Dataset) -> None:
    """Print a table an output, the factors ranked, and what was left out.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result of a study.
    """
    import numpy as np

    ranking, columns = COLUMNS[str(dataset.attrs["method"])]
    for output in dataset.output.values:
        one = dataset.sel(output=output)
        unit = str(one.output_unit.values)
        base = f"; base {float(one.at_base):.3g}" if "at_base" in one else ""
        click.echo(f"{output}: {one.output_words.values}" + _in_unit(unit) + base)
        size = np.abs(one[ranking].values)
        order = np.argsort(-np.where(np.isfinite(size), size, -1.0), kind="stable")
        rows = [
            (
                str(one.factor.values[k]),
                *(_cell(one, name, int(k)) for _, name in columns),
                str(one.why.values[k])
                if "why" in one and one.why.values[k]
                else _what(one, int(k)),
            )
            for k in order[:MOST_ROWS]
        ]
        table(("factor", *(heading for heading, _ in columns), "what"), rows)
        if len(order) > MOST_ROWS:
            click.echo(f"  and {len(order) - MOST_ROWS} more with less, all in the result")
    _print_left_out(dataset)


def _cell(one: xr.Dataset, name: str, k: int) -> str:
    # Shares and correlations to three decimals, what has a unit or is a p value to three digits.
    form = ".3f" if name in ("total_order", "first_order", "prcc") else ".3g"
    value = float(one[name][k])
    if math.isnan(value):
        return number(value)
    if f"{name}_lower" not in one:
        return f"{value:{form}}"
    low, high = float(one[f"{name}_lower"][k]), float(one[f"{name}_upper"][k])
    if math.isnan(low):  # of one patient
        return f"{value:{form}}"
    return f"{value:{form}} ({low:{form}} to {high:{form}})".replace("-0.000", "0.000")


def _what(one: xr.Dataset, k: int) -> str:
    words, unit = str(one.factor_words.values[k]), str(one.factor_unit.values[k])
    if "factor_base" not in one:
        return words + _in_unit(unit)
    low, base, high = (float(one[f"factor_{name}"][k]) for name in ("low", "base", "high"))
    return f"{words}{_in_unit(unit)}: {number(low)} to {number(high)}, base {number(base)}"


def _in_unit(unit: str) -> str:
    return f", {unit}" if unit not in ("", "1") else ""


def _print_left_out(dataset: xr.Dataset) -> None:
    if "failed" in dataset:
        failed = dataset["failed"].values
        if failed.any():
            click.echo(
                f"{int(failed.sum()):,} simulations failed, at most {int(failed.max())} at a "
                f"point; they are left out"
            )
            click.echo(f"  {dataset.attrs.get('failures', '')}")
    elif "left_out" in dataset:
        for output, n, left_out in zip(
            dataset.output.values, dataset.n.values, dataset.left_out.values, strict=True
        ):
            if left_out:
                click.echo(
                    f"{output}: {int(left_out):,} of {int(n + left_out):,} patients without a "
                    f"value are left out"
                )
        if "failures" in dataset.attrs:
            click.echo(f"  {dataset.attrs['failures']}")


def _check_free(paths: tuple[Path, ...], overwrite: bool) -> None:
    from carsim.errors import ConfigError

    for path in paths:
        if path.exists() and not overwrite:
            raise ConfigError(
                f"{path} exists already. Choose another --out, or replace it with --overwrite."
            )

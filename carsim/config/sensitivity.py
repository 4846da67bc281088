"""From the table ``[sensitivity]`` to a study; every refusal names file and key."""

from __future__ import annotations

from carsim.config.build import at, build_axis
from carsim.config.schema import ConfigTable, SensitivityTable
from carsim.errors import ConfigError
from carsim.scenario import Scenario
from carsim.sensitivity import LocalStudy, Moment, Output, Study

INITIAL = "initial."


def build_sensitivity(
    table: ConfigTable,
    scenario: Scenario,
    text: str,
    overrides: tuple[str, ...],
    source: str,
) -> Study | LocalStudy | None:
    """Make the study of a config; None if it has no table ``[sensitivity]``.

    Parameters
    ----------
    table : ConfigTable
        Checked tables.
    scenario : Scenario
        Of the config.
    text : str
        The config itself.
    overrides : tuple of str
        What was changed from outside.
    source : str
        File name, for messages.
    """
    given = table.sensitivity
    if given is None:
        return None
    if given.method == "local":
        outputs, parameters = _moments(given, source), _parameters(given, source)
        with at(source, "sensitivity"):
            return LocalStudy(
                scenario,
                outputs,
                parameters,
                title=table.title,
                config=text,
                overrides=overrides,
            )
    factors = []
    for number, each in enumerate(given.factors):
        with at(source, f"sensitivity.factors[{number}]"):
            factors.append(build_axis(each))
    statistics = _outputs(given, source)
    if not scenario.endpoints and not scenario.metrics:
        raise ConfigError(
            f"{source}: sensitivity.outputs: there are no endpoints and no metrics to look at. Add "
            f"a table such as [endpoints.hbv_reactivation]."
        )
    with at(source, "sensitivity"):
        return Study(
            scenario,
            given.method,
            statistics,
            factors=factors,
            samples=given.samples,
            seed=given.seed or 0,
            title=table.title,
            config=text,
            overrides=overrides,
        )


def _outputs(given: SensitivityTable, source: str) -> list[Output]:
    outputs = []
    for number, each in enumerate(given.outputs):
        key = f"sensitivity.outputs[{number}]"
        if each.time is not None:
            raise ConfigError(
                f"{source}: {key}.time: endpoints have no time of their own. Remove it, or use "
                f"method = 'local'."
            )
        with at(source, key):
            outputs.append(
                Output(
                    each.variable,
                    each.statistic or "",
                    each.percentile,
                    each.scale or "linear",
                    each.name,
                    each.label,
                )
            )
    return outputs


def _moments(given: SensitivityTable, source: str) -> list[Moment]:
    outputs = []
    for number, each in enumerate(given.outputs):
        for name in ("statistic", "percentile", "scale"):
            if getattr(each, name) is not None:
                raise ConfigError(
                    f"{source}: sensitivity.outputs[{number}].{name}: a local sensitivity is that "
                    f"of one patient. Remove it."
                )
        outputs.append(Moment(each.variable, each.time, each.name, each.label))
    return outputs


def _parameters(given: SensitivityTable, source: str) -> list[str]:
    for name in ("samples", "seed"):
        if getattr(given, name) is not None:
            raise ConfigError(
                f"{source}: sensitivity.{name}: a derivative needs no sample. Remove it."
            )
    parameters = []
    for number, each in enumerate(given.factors):
        key = f"sensitivity.factors[{number}]"
        for name in ("values", "low", "high", "points"):
            if getattr(each, name) is not None:
                raise ConfigError(
                    f"{source}: {key}.{name}: a local sensitivity is taken at the file's own "
                    f"values. Remove it, or use another method."
                )
        family, _, rest = each.path.partition(".")
        if family == "parameters" and rest:
            parameters.append(rest)
        elif each.path.startswith(INITIAL):
            parameters.append(each.path)
        else:
            raise ConfigError(
                f"{source}: {key}.path: '{each.path}' has no derivative. Give parameters.NAME or "
                f"initial.NAME, or use another method."
            )
    return parameters

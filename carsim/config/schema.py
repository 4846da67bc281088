"""The tables of a config file, as pydantic models: names, kinds and ranges of the keys.

Tables that describe an object of the library (a dose, a distribution, an endpoint) are checked by
that object itself, so that a new kind needs no second description here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from carsim.errors import did_you_mean

Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
#: A table that an object of the library checks.
Item = dict[str, Any]


class Table(BaseModel):
    """A table that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _know_all_keys(cls, given: Any) -> Any:
        # pydantic would refuse them as well, but without the names that would be right.
        if isinstance(given, dict):
            for key in given:
                if key not in cls.model_fields:
                    hint = did_you_mean(key, cls.model_fields)
                    raise PydanticCustomError(
                        "unknown_key", "unknown key.{hint}", {"key": key, "hint": hint}
                    )
        return given


class TimeTable(Table):
    """``[time]``: span of the simulation and where it is saved, in the model's time unit."""

    start: float = 0.0
    stop: float
    infusion: float = 0.0
    save_every: Positive | None = None
    save_at: list[float] | None = None

    @model_validator(mode="after")
    def _be_consistent(self) -> TimeTable:
        if self.stop <= self.start:
            raise PydanticCustomError(
                "order",
                "stop = {stop} is not after start = {start}.",
                {"stop": self.stop, "start": self.start},
            )
        if self.save_every is not None and self.save_at is not None:
            raise PydanticCustomError("both", "save_every and save_at are both given. Keep one.")
        return self


class CorrelationTable(Table):
    """``[[population.correlations]]``: two parameters and their correlation."""

    between: Annotated[list[Text], Field(min_length=2, max_length=2)]
    value: float


class ComponentTable(Table):
    """``[[population.mixture.components]]``: one kind of patient."""

    label: Text
    weight: float = 1.0
    variants: list[Text] = []
    parameters: dict[str, Any] = {}


class MixtureTable(Table):
    """``[population.mixture]``: kinds of patients and how patients are shared among them."""

    name: Text
    stratified: bool = False
    components: Annotated[list[ComponentTable], Field(min_length=1)]


class PopulationTable(Table):
    """``[population]``: how many patients, and how they differ."""

    size: Annotated[int, Field(ge=1, le=10**9)]
    seed: Annotated[int, Field(ge=0)] = 0
    sampling: Literal["random", "sobol"] = "random"
    like: Text | dict[str, Any] | None = None
    parameters: dict[str, Any] = {}
    correlations: list[CorrelationTable] = []
    mixture: MixtureTable | None = None


class EventsTable(Table):
    """``[events]``: a table of doses and covariates of every patient; see `carsim.read_events`."""

    file: Text
    lag: dict[str, Text] = {}
    bioavailability: dict[str, Text] = {}
    modeled_rate: dict[str, Text] = {}
    modeled_duration: dict[str, Text] = {}
    covariates: dict[str, Text] | list[Text] = []
    interpolation: Literal["nocb", "locf", "linear"] = "nocb"
    ignore: list[Text] = []
    duplicates: Literal["error", "keep"] = "error"


class AxisTable(Table):
    """``[[sweep.axes]]``: one thing that is varied."""

    path: Text
    values: Annotated[list[float | str], Field(min_length=1)] | None = None
    low: float | None = None
    high: float | None = None
    scale: Literal["linear", "log"] = "linear"
    points: int | None = None
    name: str = ""
    label: str = ""


class SweepTable(Table):
    """``[sweep]``: which cells are simulated."""

    design: Literal["grid", "list", "random", "latin_hypercube", "sobol"] = "grid"
    axes: Annotated[list[AxisTable], Field(min_length=1)]
    points: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0


class SensitivityOutputTable(Table):
    """``[[sensitivity.outputs]]``: a variable of the endpoints, and its statistic over patients."""

    variable: Text
    statistic: Literal["mean", "median", "percentile"] | None = None
    percentile: float | None = None
    scale: Literal["linear", "log"] | None = None
    time: float | None = None
    name: str = ""
    label: str = ""


class SensitivityTable(Table):
    """``[sensitivity]``: which factors decide which outputs."""

    method: Literal["sobol", "morris", "prcc", "one_at_a_time", "local"]
    samples: Annotated[int, Field(ge=1, le=10**9)] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    factors: list[AxisTable] = []
    outputs: Annotated[list[SensitivityOutputTable], Field(min_length=1)]


class OutputTable(Table):
    """``[outputs]``: observables and states that ``carsim run`` saves."""

    save: list[Text] = []


class ConfigTable(Table):
    """A whole config file."""

    title: str = ""
    description: str = ""
    model: Text
    variants: list[Text] = []
    time: TimeTable
    parameters: dict[str, float] = {}
    therapy: dict[str, Item] = {}
    events: EventsTable | None = None
    population: PopulationTable | None = None
    sweep: SweepTable | None = None
    sensitivity: SensitivityTable | None = None
    endpoints: dict[str, Item] = {}
    metrics: dict[str, Item] = {}
    outputs: OutputTable = OutputTable()
    solver: Item = {}

"""Event tables as NONMEM reads them: what was given to every patient, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, did_you_mean, unknown
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import plus
from carsim.therapy.records import (
    DOSE,
    MODELED_DURATION,
    MODELED_RATE,
    OBSERVATION,
    RESET,
    RESET_AND_DOSE,
    BoolArray,
    IntArray,
    Records,
    Timing,
    by_patient,
    check_duplicates,
    check_records,
    is_late,
    rank_in_patient,
    timing,
    without_lost,
)
from carsim.therapy.sheet import Sheet, open_sheet
from carsim.therapy.values import FloatArray, Item
from carsim.therapy.windows import INTERPOLATIONS, Covariate, Reset

if TYPE_CHECKING:
    import xarray as xr

    from carsim.model import Model

    Source: TypeAlias = str | PathLike[str] | Any

Names: TypeAlias = Mapping[str, str] | Mapping[int, str]
"""Columns or parameters by compartment, which is a name or a number."""

EVENT_COLUMNS = ("ID", "TIME", "AMT", "RATE", "DUR", "II", "ADDL", "SS", "EVID", "CMT")
PASSED_OVER = ("C", "DV", "MDV", "LIMIT", "BLQ", "CENS", "LLOQ", "DVID", "L2")
"""Columns of observations that need not be named to be left out."""

BEYOND = 1e-6
"""The simulation goes on for this part of its span, so that what is given last is given."""

KINDS = ("dose", "rate", "duration", "modeled_rate", "modeled_duration")
SUFFIXES = {
    "dose": "",
    "rate": "_infusion",
    "duration": "_infusion_by_duration",
    "modeled_rate": "_infusion_of_modeled_rate",
    "modeled_duration": "_infusion_of_modeled_duration",
    "constant": "_constant",
}


@dataclass(frozen=True, eq=False)
class EventTable:
    r"""What an event table says, ready for a `carsim.Scenario`.

    Attributes
    ----------
    ids : tuple of str
        Labels of the patients, in the order in which they appear.
    therapy : dict of str to items
        Resets, covariates, doses and infusions, with arrays of one row a patient.
    parameters : dict of str to float64 array, shape (n_patients,)
        First value of each covariate, from which the initial states follow.
    observations : tuple of float64 array
        Times of the observations of each patient on the clock of the simulation, model time unit:
        TIME, unless the patient has several periods, or the observation stands behind a dose that
        stands behind another observation of the same time.
    record_times : tuple of float64 array
        TIME of these observations, as the table has it.
    periods : tuple of int64 array
        Number of the period of these observations, from 1. A period begins at a reset at which
        TIME begins again; its clock goes on from the last record of the period before.
    start, stop : float, model time unit
        Span of the records. It goes a little beyond the last one if something is given then.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from carsim import load_model
    >>> file = Path(tempfile.mkdtemp()) / "doses.csv"
    >>> _ = file.write_text("ID,TIME,AMT,CMT\n1,0,100,total\n1,7,.,.\n")
    >>> table = read_events(file, load_model("stein_2019"))
    >>> table.ids, table.start, table.stop
    (('1',), 0.0, 7.0)
    """

    ids: tuple[str, ...]
    therapy: dict[str, Item]
    parameters: dict[str, FloatArray]
    observations: tuple[FloatArray, ...]
    record_times: tuple[FloatArray, ...]
    periods: tuple[IntArray, ...]
    start: float
    stop: float

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def save_at(self) -> FloatArray:
        """Times of the observations of all patients, ascending, each once."""
        if not self.observations:
            return np.empty(0)
        return np.unique(np.concatenate(self.observations))

    def at_observations(self, result: xr.Dataset, name: str) -> xr.DataArray:
        """Pick from a result what the table's observations saw, to put beside their DV.

        Parameters
        ----------
        result : xarray.Dataset
            Of all patients of the table, saved at least at `save_at`.
        name : str
            Output of the result that has patients and times.

        Returns
        -------
        xarray.DataArray
            Along `record`, in the order of the table, with the coordinates `id`, `time` (TIME of
            the table), `period` and `simulation_time`.

        Raises
        ------
        ScenarioError
            The result has no such output, other patients or other times.
        """
        outputs = [str(key) for key in result.data_vars if "time" in result[key].dims]
        if name not in outputs:
            raise ScenarioError(
                "at_observations: " + unknown("output over time", name, outputs, "the result")
            )
        values, n = result[name], len(self)
        if values.sizes.get("patient", 1) != n:
            raise ScenarioError(
                f"at_observations: the result has {values.sizes.get('patient', 1)} patients, but "
                f"the table {n}. Give the result of the whole table."
            )
        who = np.repeat(np.arange(n), [len(times) for times in self.observations])
        when = np.concatenate(self.observations)
        saved = result["time"].values
        place = np.minimum(np.searchsorted(saved, when), len(saved) - 1)
        for k in np.flatnonzero(saved[place] != when)[:1]:
            raise ScenarioError(
                f"at_observations: the observation of patient {self.ids[who[k]]!r} at {when[k]:g} "
                f"was not saved. Simulate with save_at = table.save_at."
            )
        chosen: dict[str, Any] = {"time": ("record", place)}
        if "patient" in values.dims:
            chosen["patient"] = ("record", who)
        kept = [key for key in values.coords if key in values.dims and key not in chosen]
        return (
            values.reset_coords(drop=True)
            .isel(chosen)
            .reset_coords(drop=True)
            .assign_coords(
                {key: values[key] for key in kept}
                | {
                    "id": ("record", np.array(self.ids)[who]),
                    "time": ("record", np.concatenate(self.record_times)),
                    "period": ("record", np.concatenate(self.periods)),
                    "simulation_time": ("record", when),
                }
            )
        )


def read_events(
    source: Source,
    model: Model,
    *,
    lag: Names | None = None,
    bioavailability: Names | None = None,
    modeled_rate: Names | None = None,
    modeled_duration: Names | None = None,
    covariates: Mapping[str, str] | Sequence[str] | None = None,
    interpolation: str = "nocb",
    ignore: Sequence[str] = (),
    duplicates: str = "error",
    start: float | None = None,
) -> EventTable:
    """Read an event table of a whole population, with NONMEM's columns and meaning.

    Parameters
    ----------
    source : path-like or pandas.DataFrame
        A CSV file with a line of names, or a frame. Names of columns may be in any case; a cell
        that is empty or a dot is missing. See Notes for the columns.
    model : Model
        Model that is treated. Its time unit is that of TIME, II, DUR and the lags.
    lag, bioavailability : mapping of str or int to str, optional
        For a compartment (as in CMT), the column that holds the lag or bioavailability of each
        record, or a parameter of the model. They hold for the additional doses of a record too.
    modeled_rate, modeled_duration : mapping of str or int to str, optional
        For a compartment, the column or parameter with the rate of records of RATE -1, or the
        duration of those of RATE -2.
    covariates : mapping of str to str, or sequence of str, optional
        Parameters of the model by the columns that they follow; a list if the names are the same.
    interpolation : {"nocb", "locf", "linear"}
        Value of a covariate between its records: of the next (as in NONMEM), of the last, or in
        proportion to the time. A missing cell is no record of the covariate.
    ignore : sequence of str, optional
        Columns without a meaning here. C, DV, MDV and the like need not be named.
    duplicates : {"error", "keep"}
        Whether identical records that act are a slip, or all meant.
    start : float, optional
        Start of the simulation, at which everybody is in the initial state. By default each patient
        is in it until the patient's first record, as in NONMEM.

    Returns
    -------
    EventTable

    Raises
    ------
    ScenarioError
        With file, line, column and value, and what would be right.

    Notes
    -----
    - ID: label of the patient. The records of a patient stand together: an ID that comes back after
      others, which NONMEM takes for a new individual, is refused.
    - TIME ascends. At a reset (EVID 3 or 4) it may begin again, as in the periods of a crossover:
      the clock of the simulation goes on from the last record before, and nothing that was ordered
      before enters any more. `EventTable.record_times` and `periods` say what was when.
    - Records of one time take place in their order: an observation sees what stands before it. What
      stands behind it takes place an instant later (4e-12 of the time, at least 4e-12); additional
      doses are on time, and an observation sees those that are due then.
    - EVID: 0 observation, 1 dose, 2 other, 3 reset of all states, 4 reset and dose. Without the
      column, records with an amount, or with a rate and a steady state, are doses.
    - CMT: route or state by name, or the number of a state, counted from 1. It may be left out for
      a model with one route (or one state and none).
    - AMT: amount. With RATE above 0 it is infused at this rate, with DUR for this long.
    - ADDL, II: so many more doses at this interval. SS: 1 puts the compartments of the dose into
      the steady state of doses at interval II, 2 adds that; see `carsim.therapy.steady`. With AMT =
      0 and II = 0, RATE is a constant infusion at steady state that ends at the record.
    - The bioavailability multiplies a dose, the duration of an infusion of given (or modeled) rate,
      and the rate of an infusion of given (or modeled) duration.
    - A record whose C is "C" is a comment.
    - What is given before a reset of the same time is lost; before SS = 1 of the same time it is
      refused, as that would replace it, unless an observation stands between them.
    - If the lag of a dose that comes an instant later is a parameter, so does all that follows it
      in its patient: the time at which the dose enters is not known here.

    Examples
    --------
    >>> table = read_events("doses.csv", model, covariates={"WT": "weight"})  # doctest: +SKIP
    >>> Scenario(
    ...     model, therapy=table.therapy, parameters=table.parameters,
    ...     start=table.start, stop=table.stop, save_at=table.save_at,
    ... )  # doctest: +SKIP
    >>> table.at_observations(result, "concentration")  # doctest: +SKIP
    """
    options = {
        "lag": lag,
        "bioavailability": bioavailability,
        "modeled_rate": modeled_rate,
        "modeled_duration": modeled_duration,
    }
    for name, choice, choices in (
        ("interpolation", interpolation, INTERPOLATIONS),
        ("duplicates", duplicates, ("error", "keep")),
    ):
        if choice not in choices:
            hint = did_you_mean(str(choice), choices)
            raise ScenarioError(f"read_events: {name} = {choice!r} is not possible.{hint}")
    sheet = _without_comments(open_sheet(source))
    reader = _Reader(sheet, model, options, _pairs(covariates), ignore)
    return reader.read(interpolation, duplicates, start)


class _Reader:
    """One table on its way to an `EventTable`."""

    def __init__(
        self,
        sheet: Sheet,
        model: Model,
        options: Mapping[str, Names | None],
        covariates: Mapping[str, str],
        ignore: Sequence[str],
    ) -> None:
        self.sheet, self.model, self.where = sheet, model, sheet.where
        self.targets: list[str] = []
        self.options = {name: self._option(name, given or {}) for name, given in options.items()}
        self.covariates = covariates
        if isinstance(ignore, str):
            raise ScenarioError(f"read_events: ignore is the text {ignore!r}; give a list.")
        self._check_columns(ignore)

    # Names

    def _option(self, name: str, given: Names) -> dict[int, str]:
        """Columns or parameters by the number of the compartment that they belong to."""
        found = {}
        for key, value in given.items():
            compartment = self._compartment(str(key))
            if compartment is None:
                raise ScenarioError(f"read_events: {name}: {self._no_compartment(str(key))}")
            if value not in self.sheet and value not in self.model.parameter_index:
                known = (*self.sheet.names.values(), *self.model.parameter_names)
                raise ScenarioError(
                    f"read_events: {name}[{key!r}] = {value!r} is neither a column of {self.where} "
                    f"nor a parameter of model {self.model.name!r}."
                    + did_you_mean(str(value), known)
                )
            found[compartment] = value
        return found

    def _compartment(self, text: str) -> int | None:
        """Number of a compartment among the targets, None if there is none of that name."""
        names = self.model.state_names
        try:
            number = float(text)
        except ValueError:
            name = text
        else:
            if number % 1 or not 1 <= number <= len(names):
                return None
            name = names[int(number) - 1]
        if name not in self.model.routes and name not in names:
            return None
        if name not in self.targets:
            self.targets.append(name)
        return self.targets.index(name)

    def _no_compartment(self, text: str) -> str:
        model = self.model
        known = (*model.routes, *model.state_names)
        try:
            float(text)
        except ValueError:
            return unknown("route or state", text, known, f"model {model.name!r}")
        return (
            f"model {model.name!r} has {len(model.state_names)} states. Give the number of one of "
            f"them, counted from 1, or a name: {', '.join(known[:8])}."
        )

    def _check_columns(self, ignore: Sequence[str]) -> None:
        sheet = self.sheet
        covered = {*EVENT_COLUMNS, *PASSED_OVER}
        for name in ignore:
            if name not in sheet:
                raise ScenarioError(
                    "read_events: ignore: "
                    + unknown("column", name, sheet.names.values(), self.where)
                )
            covered.add(name.upper())
        for column in self.covariates:
            if column not in sheet:
                raise ScenarioError(
                    "read_events: covariates: "
                    + unknown("column", column, sheet.names.values(), self.where)
                )
        covered |= {column.upper() for column in self.covariates}
        for given in self.options.values():
            covered |= {value.upper() for value in given.values()}
        for key, name in sheet.names.items():
            if key not in covered:
                raise ScenarioError(
                    f"{self.where}: the column {name} is unknown."
                    + did_you_mean(name, EVENT_COLUMNS)
                    + " Name it in covariates, lag or the like, or in ignore."
                )
        for required in ("ID", "TIME"):
            if required not in sheet:
                raise ScenarioError(
                    f"{self.where}: there is no column {required}. Add it. Its columns are "
                    f"{', '.join(sheet.names.values())}."
                )

    # Records

    def read(self, interpolation: str, duplicates: str, start: float | None) -> EventTable:
        sheet = self.sheet
        patient, ids = self._patients()
        event = self._events()
        given = self._times(patient, event)
        target = self._compartments(event)
        lags = self.options["lag"]
        unknown_lag = [number for number in lags if lags[number] not in sheet]
        place = timing(patient, given, event, np.isin(target, unknown_lag))
        time = place.time
        first = np.flatnonzero(np.diff(patient, prepend=-1))
        begin = float(time.min()) if start is None else float(start)
        if time.min() < begin:
            row = int(np.argmin(time))
            sheet.refuse(row, "TIME", f" lies before start = {begin:g}. Start earlier.")
        records = self._records(patient, place, event, target)
        check_records(sheet, records)
        if duplicates == "error":
            more = [column for given in self.options.values() for column in given.values()]
            acting = records.take(np.isin(event, (DOSE, RESET, RESET_AND_DOSE)))
            check_duplicates(sheet, acting, more)
        reset = np.isin(event, (RESET, RESET_AND_DOSE))
        doses = records.take(np.isin(event, (DOSE, RESET_AND_DOSE)))
        doses = without_lost(sheet, doses, records.take(reset))
        therapy: dict[str, Item] = {}
        late = first[(time[first] > begin) & ~reset[first]] if start is None else first[:0]
        resets = np.sort(np.concatenate([np.flatnonzero(reset), late]))
        if resets.size:
            (at,) = by_patient(patient[resets], len(ids), (time[resets], np.inf))
            therapy["reset"] = Reset(at)
        followed, values = self._followed(patient, place, interpolation, len(ids))
        therapy.update(followed)
        therapy.update(self._items(doses, len(ids)))
        seen = event == OBSERVATION
        bounds = np.searchsorted(patient[seen], np.arange(1, len(ids)))
        observations, times, periods = (
            tuple(np.split(values[seen], bounds)) for values in (time, given, place.period)
        )
        end = float(time.max())
        # Times that differ by the order of their records only are no span.
        span = end - begin if place.clock.max() > begin else 0.0
        if self._acts_at(end, doses, time[reset]):
            end += BEYOND * span if span else 1.0
        elif not span:
            end += 1.0
        return EventTable(ids, therapy, values, observations, times, periods, begin, end)

    def _patients(self) -> tuple[IntArray, tuple[str, ...]]:
        sheet = self.sheet
        labels = np.array(sheet.labels("ID"), dtype=object)
        sheet.refuse_any(labels == "", "ID", ": the patient is missing. Give a label.")
        changes = np.flatnonzero(np.append(True, labels[1:] != labels[:-1]))
        seen: dict[str, int] = {}
        for row in changes:
            label = labels[row]
            if label in seen:
                sheet.refuse(
                    row,
                    "ID",
                    f" has records already, from {sheet.place(seen[label])} on. Let the records "
                    f"of a patient stand together, or give another label: this is not read as a "
                    f"new patient.",
                )
            seen[label] = int(row)
        number = np.zeros(len(sheet), dtype=np.int64)
        number[changes[1:]] = 1
        return np.cumsum(number), tuple(seen)

    def _times(self, patient: IntArray, event: IntArray) -> FloatArray:
        sheet = self.sheet
        time = sheet.numbers("TIME")
        sheet.refuse_any(np.isnan(time), "TIME", ": the time is missing. Give a number.")
        back = np.append(False, (np.diff(time) < 0) & (np.diff(patient) == 0))
        back &= ~np.isin(event, (RESET, RESET_AND_DOSE))
        for row in np.flatnonzero(back)[:1]:
            sheet.refuse(
                row,
                "TIME",
                f" follows {time[row - 1]:g} ({sheet.place(int(row) - 1)}) of the same patient, "
                f"and is no reset. Let TIME ascend from one reset (EVID = 3 or 4) to the next; at "
                f"a reset it may begin again.",
            )
        return time

    def _events(self) -> IntArray:
        sheet = self.sheet
        if "EVID" in sheet:
            event = sheet.numbers_or("EVID", 0.0)
            words = (
                " is unknown. Give 0 for an observation, 1 for a dose, 2 for another record, 3 for "
                "a reset, 4 for a reset and a dose."
            )
            sheet.refuse_any(~np.isin(event, range(5)), "EVID", words)
            whole = event.astype(np.int64)
            if "AMT" in sheet or not np.isin(whole, (DOSE, RESET_AND_DOSE)).any():
                return whole
        if "AMT" not in sheet:
            raise ScenarioError(
                f"{self.where}: there is no column AMT. Add the amounts of the doses. Its columns "
                f"are {', '.join(sheet.names.values())}."
            )
        given = sheet.numbers_or("AMT", 0.0) != 0.0
        given |= (sheet.numbers_or("RATE", 0.0) != 0.0) & (sheet.numbers_or("SS", 0.0) != 0.0)
        return np.where(given, DOSE, OBSERVATION)

    def _records(
        self, patient: IntArray, place: Timing, event: IntArray, target: IntArray
    ) -> Records:
        sheet = self.sheet
        return Records(
            row=np.arange(len(sheet)),
            patient=patient,
            clock=place.clock,
            time=place.time,
            event=event,
            amount=sheet.numbers_or("AMT", 0.0),
            rate=sheet.numbers_or("RATE", 0.0),
            duration=sheet.numbers_or("DUR", 0.0),
            interval=sheet.numbers_or("II", 0.0),
            additional=sheet.numbers_or("ADDL", 0.0),
            steady=sheet.numbers_or("SS", 0.0),
            target=target,
        )

    def _compartments(self, event: IntArray) -> IntArray:
        """Number of the target of each dose; -1 for other records."""
        sheet = self.sheet
        gives = np.isin(event, (DOSE, RESET_AND_DOSE))
        target = np.full(len(event), -1, dtype=np.int64)
        texts = sheet.texts("CMT") if "CMT" in sheet else [""] * len(sheet)
        numbers: dict[str, int] = {}
        for text in dict.fromkeys(texts):
            number = self._default() if text in ("", "0") else self._compartment(text)
            if number is None:
                number = self._unknown_compartment(text, texts, gives)
            numbers[text] = number
        found = np.array([numbers[text] for text in texts], dtype=np.int64)
        target[gives] = found[gives]
        return target

    def _default(self) -> int | None:
        """Where doses enter that name no compartment."""
        model = self.model
        names = tuple(model.routes) or tuple(model.state_names)
        return self._compartment(names[0]) if len(names) == 1 else None

    def _unknown_compartment(self, text: str, texts: Sequence[str], gives: BoolArray) -> int:
        """Refuse a compartment that a dose enters, or that nobody knows."""
        rows = [row for row, other in enumerate(texts) if other == text]
        dosed = [row for row in rows if gives[row]]
        if text in ("", "0"):
            if not dosed:
                return -1
            known = ", ".join((*self.model.routes, *self.model.state_names)[:8])
            words = f"Say where the dose enters: {known}."
            if "CMT" not in self.sheet:
                raise ScenarioError(f"{self.where}: there is no column CMT. {words}")
            self.sheet.refuse(dosed[0], "CMT", f": the compartment is missing. {words}")
        if not dosed and text in self.model.observable_names:
            return -1
        return self.sheet.refuse((dosed or rows)[0], "CMT", f": {self._no_compartment(text)}")

    # Covariates

    def _followed(
        self, patient: IntArray, place: Timing, interpolation: str, n: int
    ) -> tuple[dict[str, Item], dict[str, FloatArray]]:
        """Items and first values of the covariates."""
        items: dict[str, Item] = {}
        firsts: dict[str, FloatArray] = {}
        for column, parameter in self.covariates.items():
            values = self._covariate_values(column, parameter)
            values = _within_periods(values, patient, place.period)
            known = np.flatnonzero(~np.isnan(values))
            who, when, value = patient[known], place.time[known], values[known]
            without = np.setdiff1d(np.arange(n), who)
            if without.size:
                row = int(np.searchsorted(patient, without[0]))
                self.sheet.refuse(row, column, ": the patient has no value. Give at least one.")
            again = np.append(False, (np.diff(who) == 0) & (np.diff(when) == 0))
            if interpolation == "linear":
                differs = again & np.append(False, np.diff(value) != 0)
                for k in np.flatnonzero(differs)[:1]:
                    self.sheet.refuse(
                        known[k],
                        column,
                        f" follows {value[k - 1]:g} ({self.sheet.place(int(known[k - 1]))}) at the "
                        f"same time. Give one value a time, or another interpolation.",
                    )
            # Up to a time the value of its first record holds, from there on that of its last.
            keep = np.append(~again[1:], True) if interpolation == "locf" else ~again
            who, when, value = who[keep], when[keep], value[keep]
            firsts[parameter] = value[np.flatnonzero(np.diff(who, prepend=-1))]
            if interpolation != "linear":
                neighbor = np.append(np.diff(who) == 0, False) & np.append(
                    np.diff(value) == 0, False
                )
                if interpolation == "locf":
                    neighbor = np.append(False, neighbor[:-1])
                who, when, value = who[~neighbor], when[~neighbor], value[~neighbor]
            if len(who) == n or not np.any((np.diff(value) != 0) & (np.diff(who) == 0)):
                continue
            at, table = by_patient(who, n, (when, np.inf), (value, np.nan))
            table = np.where(np.isnan(table), table[:, :1], table)
            items[f"covariate_{_plain(parameter)}"] = Covariate(parameter, at, table, interpolation)
        return items, firsts

    def _covariate_values(self, column: str, parameter: str) -> FloatArray:
        model = self.model
        fields = {field.name: field for field in model.parameters if not field.computed}
        if parameter not in fields:
            owner = f"read_events: covariates[{column!r}]: model {model.name!r}"
            if parameter in model.parameter_index:
                raise ScenarioError(
                    f"{owner} computes {parameter!r} when a patient starts. Choose a parameter "
                    f"that it follows from."
                )
            raise ScenarioError(unknown("parameter", parameter, fields, owner))
        values = self.sheet.numbers(column)
        lower, upper = fields[parameter].lower, fields[parameter].upper
        words = f" is outside the bounds of {parameter}, {lower:g} to {upper:g}."
        self.sheet.refuse_any((values < lower) | (values > upper), column, words)
        return values

    # Items

    def _setting(self, name: str, target: int, rows: IntArray) -> str | FloatArray | None:
        """A parameter's name, or the column's values in some rows; None if there is neither."""
        given = self.options[name].get(target)
        if given is None or given not in self.sheet:
            return given
        values = self.sheet.numbers(given)[rows]
        wrong = np.full(len(self.sheet), False)
        wrong[rows] = np.isnan(values)
        self.sheet.refuse_any(wrong, given, f": the {name.replace('_', ' ')} is missing.")
        positive = name.startswith("modeled")
        wrong[rows] = (values <= 0.0) if positive else (values < 0.0)
        words = " must be above 0." if positive else " is negative. Give 0 or more."
        self.sheet.refuse_any(wrong, given, words)
        return values

    def _items(self, doses: Records, n: int) -> dict[str, Item]:
        items: dict[str, Item] = {}
        for target, into in enumerate(self.targets):
            of_target = doses.take(doses.target == target)
            kinds, rate, duration = self._kinds(target, of_target)
            for kind in (*KINDS, "constant"):
                chosen = kinds == kind
                if not chosen.any():
                    continue
                name = _plain(into) + SUFFIXES[kind]
                part, again = _apart(of_target.take(chosen))
                sizes = (rate[chosen], duration[chosen])
                if again.row.size:
                    late = np.isin(part.row, again.row)
                    sizes_again = (sizes[0][late], sizes[1][late])
                    every = np.ones(again.row.size, dtype=np.bool_)
                    items[f"{name}_repeats"] = self._item(
                        kind, target, n, again, sizes_again, every
                    )
                plain = part.steady == 0.0
                if plain.any():
                    items[name] = self._item(kind, target, n, part, sizes, plain)
                for state, words in ((1.0, "steady_state"), (2.0, "added_steady_state")):
                    rows = np.flatnonzero(part.steady == state)
                    rank = rank_in_patient(part.patient[rows])
                    for k in range(int(rank.max(initial=-1)) + 1):
                        one = np.zeros(len(plain), dtype=np.bool_)
                        one[rows[rank == k]] = True
                        items[f"{name}_{words}_{k + 1}"] = self._item(
                            kind, target, n, part, sizes, one
                        )
        return items

    def _kinds(self, target: int, r: Records) -> tuple[NDArray[np.object_], FloatArray, FloatArray]:
        """What each dose of a compartment is, its rate and its duration."""
        kinds = np.full(len(r.row), "dose", dtype=object)
        kinds[r.rate > 0.0] = "rate"
        kinds[r.duration > 0.0] = "duration"
        rate, duration = r.rate.copy(), r.duration.copy()
        for code, option, plain, values in (
            (MODELED_RATE, "modeled_rate", "rate", rate),
            (MODELED_DURATION, "modeled_duration", "duration", duration),
        ):
            rows = np.flatnonzero(r.rate == code)
            if not rows.size:
                continue
            setting = self._setting(option, target, r.row[rows])
            if setting is None:
                self.sheet.refuse(
                    r.row[rows[0]],
                    "RATE",
                    f" needs the {option.replace('_', ' ')} of {self.targets[target]!r}. Give "
                    f"{option} = {{{self.targets[target]!r}: column or parameter}}.",
                )
            kinds[rows] = option if isinstance(setting, str) else plain
            values[rows] = 1.0 if isinstance(setting, str) else setting
        kinds[(r.amount == 0.0) & (r.rate != 0.0)] = "constant"
        return kinds, rate, duration

    def _item(
        self,
        kind: str,
        target: int,
        n: int,
        records: Records,
        sizes: tuple[FloatArray, FloatArray],
        chosen: BoolArray,
    ) -> Item:
        """One item of all chosen records."""
        r = records.take(chosen)
        rate, duration = (values[chosen] for values in sizes)
        again = bool((r.additional > 0.0).any()) or bool((r.steady > 0.0).any())
        again = again and kind != "constant"
        lag = self._setting("lag", target, r.row)
        share = self._setting("bioavailability", target, r.row)
        columns: dict[str, tuple[FloatArray, float]] = {"at": (r.time, np.inf)}
        texts: dict[str, Any] = {}
        if again:
            columns["every"] = (np.where(r.interval > 0.0, r.interval, 1.0), 1.0)
            columns["count"] = (r.additional + 1.0, 1.0)
        # An infusion that has always run ends at its record, whatever its lag and bioavailability.
        if kind != "constant":
            columns["amount"] = (r.amount, 0.0)
            lag = _lag_from_time(r, lag)
            for name, setting, usual in (("lag", lag, 0.0), ("bioavailability", share, 1.0)):
                if isinstance(setting, str):
                    texts[name] = setting
                elif setting is not None and np.any(setting != usual):
                    columns[name] = (setting, usual)
        if kind == "constant":
            given = self.options["modeled_rate"].get(target, "")
            texts["duration"] = 0.0
            if np.any(r.rate == MODELED_RATE) and given not in self.sheet:
                # Read above as 1; the parameter says how much.
                raise ScenarioError(
                    f"{self.where}: {self.sheet.place(int(r.row[0]))}: a constant infusion at "
                    f"steady state needs its rate in the table. Give RATE, or modeled_rate a "
                    f"column."
                )
            columns["rate"] = (rate, 0.0)
        elif kind == "rate":
            columns["rate"] = (rate, 0.0)
        elif kind == "duration":
            columns["duration"] = (duration, 0.0)
        elif kind in ("modeled_rate", "modeled_duration"):
            texts[kind.removeprefix("modeled_")] = self.options[kind][target]
        tables = by_patient(r.patient, n, *columns.values())
        fields: dict[str, Any] = dict(zip(columns, tables, strict=True))
        steady = int(r.steady[0])
        into = self.targets[target]
        if kind == "dose":
            return Dose(into, **fields, **texts, steady_state=steady)
        begin = fields.pop("at")
        return Infusion(into, begin, **fields, **texts, steady_state=steady)

    def _acts_at(self, end: float, doses: Records, resets: FloatArray) -> bool:
        """Whether something is given at the last time of the table."""
        if np.any(resets == end):
            return True
        lags = np.zeros(len(doses.row))
        for target in range(len(self.targets)):
            rows = doses.target == target
            lag = self._setting("lag", target, doses.row[rows])
            if isinstance(lag, str):
                return True
            if lag is not None:
                lags[rows] = lag
        ahead = end - doses.time - lags
        turns = np.divide(
            ahead, doses.interval, out=np.zeros(len(ahead)), where=doses.additional > 0.0
        )
        later = (np.abs(turns - np.round(turns)) < 1e-9) & (turns <= doses.additional + 0.5)
        later &= (turns > 0.5) & (doses.additional > 0.0)
        return bool(np.any(later | (np.abs(ahead) <= 1e-9 * max(abs(end), 1.0))))


def _apart(r: Records) -> tuple[Records, Records]:
    """Take the repeats of records that come an instant later from these: they are on time.

    The repeats are records of the same time whose clock is that of the first of them, so that they
    have all values of their record.
    """
    late = is_late(r) & (r.additional > 0.0)
    again = r.take(late)
    again = replace(
        again,
        clock=again.clock + again.interval,
        additional=again.additional - 1.0,
        steady=np.zeros(len(again.row)),
    )
    return replace(r, additional=np.where(late, 0.0, r.additional)), again


def _lag_from_time(r: Records, lag: str | FloatArray | None) -> str | FloatArray | None:
    """Lag of doses from their time: what lags or is repeated comes no instant later."""
    if isinstance(lag, str):
        return lag
    lags = np.zeros(len(r.row)) if lag is None else lag
    enters = plus(r.clock, lags)
    return np.where(r.time == r.clock, lags, np.maximum(enters - r.time, 0.0))


def _within_periods(values: FloatArray, patient: IntArray, period: IntArray) -> FloatArray:
    """Values of a covariate, so that none of one period reaches into another.

    Where the first or last record of a period has none, it gets the nearest one of its period.
    """
    filled = values.copy()
    begins = np.flatnonzero((np.diff(patient, prepend=-1) != 0) | (np.diff(period, prepend=0) != 0))
    ends = np.append(begins[1:], len(patient))
    several = np.isin(patient[begins], np.unique(patient[period > 1]))
    for begin, end in zip(begins[several], ends[several], strict=True):
        known = begin + np.flatnonzero(~np.isnan(values[begin:end]))
        if known.size:
            filled[begin], filled[end - 1] = values[known[0]], values[known[-1]]
    return filled


def _pairs(covariates: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    if covariates is None:
        return {}
    if isinstance(covariates, str):
        raise ScenarioError(f"read_events: covariates is the text {covariates!r}; give a list.")
    if isinstance(covariates, Mapping):
        pairs = {str(column): parameter for column, parameter in covariates.items()}
    else:
        pairs = {str(name): str(name) for name in covariates}
    for parameter in pairs.values():
        if list(pairs.values()).count(parameter) > 1:
            raise ScenarioError(f"read_events: two covariates set {parameter!r}. Keep one.")
    return pairs


def _without_comments(sheet: Sheet) -> Sheet:
    """Leave out the records whose column C says so (NONMEM's IGNORE=C)."""
    if "C" not in sheet:
        return sheet
    comment = np.array([text.upper() == "C" for text in sheet.texts("C")])
    return sheet.without(comment) if comment.any() else sheet


def _plain(name: str) -> str:
    """A name without dots, which names of items do not have."""
    return name.replace(".", "_")

"""Event tables: what they become, and every refusal."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import carsim
from carsim import Covariate, Dose, Infusion, Model, Reset, Scenario, load_model
from carsim.config import read_text
from carsim.errors import ConfigError, ScenarioError
from carsim.simulation import prepare
from carsim.therapy import EventTable, read_events
from carsim.therapy.sheet import Sheet

MODEL: Model = load_model(str(Path(__file__).with_name("one_compartment.py")))
HEADER = "ID,TIME,EVID,AMT,CMT,RATE,DUR,II,ADDL,SS\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., EventTable]:
    def read(text: str, **options: Any) -> EventTable:
        path = tmp_path / "events.csv"
        path.write_text(text)
        return read_events(path, MODEL, **options)

    return read


Read = Callable[..., EventTable]


# What a table becomes


def test_columns_in_any_case_and_order_and_missing_cells(read: Read) -> None:
    table = read("Amt,time,ID,cmt,dv\n100,0,a,depot,.\n,1.5,a,,3\n50, 2 ,b, central ,.\n")
    assert table.ids == ("a", "b")
    assert len(table) == 2
    assert [times.tolist() for times in table.observations] == [[1.5], []]
    assert table.start == 0.0
    assert 2.0 < table.stop < 2.0001
    depot, central = table.therapy["depot"], table.therapy["central"]
    assert depot == Dose("depot", np.array([100.0, 0.0]), np.array([0.0, np.inf]))
    assert central == Dose("central", np.array([0.0, 50.0]), np.array([np.inf, 2.0]))


def test_a_frame_says_the_same_as_a_file(read: Read, tmp_path: Path) -> None:
    text = HEADER + "1,0,1,100,depot,0,0,12,3,0\n1,9,0,.,.,.,.,.,.,.\n2,0,1,50,2,10,0,0,0,0\n"
    table = read(text)
    frame = pd.read_csv(tmp_path / "events.csv", na_values=".")
    same = read_events(frame, MODEL)
    assert same.therapy == table.therapy
    assert (same.ids, same.start, same.stop) == (table.ids, table.start, table.stop)


def test_every_kind_of_dose(read: Read) -> None:
    table = read(
        HEADER.replace("\n", ",R,D\n")
        + "1,0,1,100,central,0,0,0,0,0,.,.\n"
        + "1,1,1,100,central,10,0,0,0,0,.,.\n"
        + "1,2,1,100,central,0,4,0,0,0,.,.\n"
        + "1,3,1,100,central,-1,0,0,0,0,20,.\n"
        + "1,4,1,100,central,-2,0,0,0,0,.,5\n"
        + "1,5,1,100,central,0,0,8,0,1,.,.\n"
        + "1,6,1,100,central,0,0,8,0,2,.,.\n"
        + "1,7,1,0,central,10,0,0,0,1,.,.\n"
        + "1,8,4,100,depot,0,0,8,2,1,.,.\n",
        modeled_rate={"central": "R"},
        modeled_duration={2: "D"},
    )
    one = np.array([100.0])
    assert table.therapy == {
        "reset": Reset(np.array([8.0])),
        "depot_steady_state_1": Dose(
            "depot", one, np.array([8.0]), np.array([8.0]), np.array([3.0]), steady_state=1
        ),
        "central": Dose("central", one, np.array([0.0])),
        "central_steady_state_1": Dose(
            "central", one, np.array([5.0]), np.array([8.0]), np.array([1.0]), steady_state=1
        ),
        "central_added_steady_state_1": Dose(
            "central", one, np.array([6.0]), np.array([8.0]), np.array([1.0]), steady_state=2
        ),
        "central_infusion": Infusion(
            "central",
            np.array([[1.0, 3.0]]),
            amount=np.array([[100.0, 100.0]]),
            rate=np.array([[10.0, 20.0]]),
        ),
        "central_infusion_by_duration": Infusion(
            "central",
            np.array([[2.0, 4.0]]),
            amount=np.array([[100.0, 100.0]]),
            duration=np.array([[4.0, 5.0]]),
        ),
        "central_constant_steady_state_1": Infusion(
            "central", np.array([7.0]), duration=0.0, rate=np.array([10.0]), steady_state=1
        ),
    }


def test_settings_by_column_and_by_parameter(read: Read) -> None:
    text = "ID,TIME,AMT,CMT,RATE,L\n1,0,100,oral,0,0\n1,1,100,oral,0,2\n1,2,50,iv,-1,.\n"
    table = read(text, lag={"oral": "l"}, bioavailability={"iv": "F"}, modeled_rate={"iv": "ka"})
    oral, iv = table.therapy["oral"], table.therapy["iv_infusion_of_modeled_rate"]
    assert isinstance(oral, Dose)
    assert isinstance(iv, Infusion)
    np.testing.assert_array_equal(oral.lag, [[0.0, 2.0]])
    assert (iv.bioavailability, iv.rate) == ("F", "ka")


def test_additional_doses_keep_the_values_of_their_record(read: Read) -> None:
    text = "ID,TIME,AMT,CMT,II,ADDL,L,B\n1,0,100,depot,3,2,1,0.5\n1,4,10,depot,.,.,0,1\n"
    table = read(text, lag={"depot": "L"}, bioavailability={"depot": "B"})
    prepared = prepare(Scenario(MODEL, therapy=table.therapy, stop=20.0))
    stops = prepared.block().therapy.stops
    assert stops.time.tolist() == [1.0, 4.0, 4.0, 7.0]
    assert sorted(stops.value.tolist()) == [10.0, 50.0, 50.0, 50.0]


def test_a_model_with_one_route_needs_no_compartment() -> None:
    frame = pd.DataFrame({"ID": [1, 1], "TIME": [0, 7], "AMT": [100.0, np.nan]})
    model = load_model("leon_triana_2021")
    assert list(model.routes) == ["car_t"]
    assert list(read_events(frame, model).therapy) == ["car_t"]
    with pytest.raises(ScenarioError, match=r"there is no column CMT. Say where the dose enters"):
        read_events(frame, MODEL)


def test_a_patient_who_starts_late_is_in_the_initial_state_until_then(read: Read) -> None:
    text = "ID,TIME,AMT,CMT\n1,0,100,1\n2,3,100,1\n"
    assert read(text).therapy["reset"] == Reset(np.array([np.inf, 3.0]))
    assert "reset" not in read(text, start=0.0).therapy
    with pytest.raises(ScenarioError, match=r"line 2: TIME = 0 lies before start = 1"):
        read(text, start=1.0)


def test_what_a_reset_of_the_same_time_undoes_is_left_out(read: Read) -> None:
    text = "ID,TIME,EVID,AMT,CMT\n1,0,1,100,1\n1,5,1,60,1\n1,5,3,.,.\n1,5,1,30,1\n"
    depot = read(text).therapy["depot"]
    assert isinstance(depot, Dose)
    np.testing.assert_array_equal(depot.amount, [[100.0, 30.0]])


def test_covariates(read: Read) -> None:
    text = "ID,TIME,EVID,W\n1,0,2,20\n1,1,2,20\n1,2,2,.\n1,2,2,30\n1,3,0,40\n2,0,0,50\n"
    table = read(text, covariates={"W": "V"})
    course = table.therapy["covariate_V"]
    assert isinstance(course, Covariate)
    # A value that the next record has too makes no stop.
    np.testing.assert_array_equal(course.at, [[1.0, 2.0, 3.0], [0.0, np.inf, np.inf]])
    np.testing.assert_array_equal(course.value, [[20.0, 30.0, 40.0], [50.0, 50.0, 50.0]])
    np.testing.assert_array_equal(table.parameters["V"], [20.0, 50.0])
    assert course.interpolation == "nocb"


@pytest.mark.parametrize(("interpolation", "value"), [("nocb", 30.0), ("locf", 40.0)])
def test_of_two_values_at_a_time(read: Read, interpolation: str, value: float) -> None:
    text = "ID,TIME,EVID,V\n1,0,2,20\n1,1,2,30\n1,1,2,40\n1,2,2,50\n"
    table = read(text, covariates=["V"], interpolation=interpolation)
    course = table.therapy["covariate_V"]
    assert isinstance(course, Covariate)
    np.testing.assert_array_equal(course.value, [[20.0, value, 50.0]])


def test_a_covariate_that_never_changes_is_a_parameter(read: Read) -> None:
    table = read("ID,TIME,EVID,V\n1,0,2,20\n1,1,0,20\n2,0,0,30\n", covariates=["V"])
    assert table.therapy == {}
    np.testing.assert_array_equal(table.parameters["V"], [20.0, 30.0])


def test_comments_and_blank_lines_are_left_out(read: Read) -> None:
    table = read("C,ID,TIME,AMT,CMT\n.,1,0,10,1\nC,1,x,10,1\n\n.,1,2,5,1\n")
    depot = table.therapy["depot"]
    assert isinstance(depot, Dose)
    np.testing.assert_array_equal(depot.amount, [[10.0, 5.0]])
    with pytest.raises(ScenarioError, match=r"line 5: AMT = -5 is negative"):
        read("C,ID,TIME,AMT,CMT\n.,1,0,10,1\nC,1,x,10,1\n\n.,1,2,-5,1\n")


def test_identical_records_may_be_kept(read: Read) -> None:
    text = "ID,TIME,AMT,CMT\n1,0,100,1\n1,0,100,1\n"
    depot = read(text, duplicates="keep").therapy["depot"]
    assert isinstance(depot, Dose)
    np.testing.assert_array_equal(depot.amount, [[100.0, 100.0]])


@pytest.mark.parametrize(
    ("rows", "stop"),
    [
        ("1,0,1,5,1,0,0,0,0,0\n1,8,0,0,1,0,0,0,0,0\n", 8.0),
        ("1,0,1,5,1,0,0,4,2,0\n1,8,0,0,1,0,0,0,0,0\n", 8.000008),
        ("1,0,1,5,1,0,0,4,1,0\n1,8,0,0,1,0,0,0,0,0\n", 8.0),
        ("1,0,1,5,1,0,0,0,0,0\n1,8,3,0,1,0,0,0,0,0\n", 8.000008),
        ("1,4,1,5,1,0,0,0,0,0\n", 5.0),
        ("1,4,0,0,1,0,0,0,0,0\n", 5.0),
    ],
)
def test_the_stop_lets_what_comes_last_happen(read: Read, rows: str, stop: float) -> None:
    assert read(HEADER + rows).stop == pytest.approx(stop, rel=1e-9)


def test_ids_that_are_numbers_keep_all_their_digits() -> None:
    large = 2**53
    for ids, labels in (
        (np.array([large, large + 1]), (str(large), str(large + 1))),
        (np.array([2**63, 2**63 + 1], dtype=np.uint64), (str(2**63), str(2**63 + 1))),
        (pd.array([large + 2, large + 3], dtype="Int64"), (str(large + 2), str(large + 3))),
        (np.array([10**30, 10**30 + 1], dtype=object), (str(10**30), str(10**30 + 1))),
        ([1.0, 1.5], ("1", "1.5")),
        (np.array([2.0, np.float64(1.5)], dtype=object), ("2", "1.5")),
        (["007", "a"], ("007", "a")),
    ):
        frame = pd.DataFrame({"ID": ids, "TIME": 0.0, "AMT": [100.0, 7.0], "CMT": "iv"})
        table = read_events(frame, MODEL)
        assert table.ids == labels
        dose = table.therapy["iv"]
        assert isinstance(dose, Dose)
        np.testing.assert_array_equal(dose.amount, [100.0, 7.0])
    with pytest.raises(
        ScenarioError, match=r"row 0: ID = 9.0072e\+15: .*whole numbers \(Int64\) or"
    ):
        read_events(frame.assign(ID=[float(large), float(large + 1)]), MODEL)


def test_ids_of_a_file_keep_all_their_digits(read: Read) -> None:
    rows = (f"{label},{time},5,1\n" for label, time in LABELS)
    table = read("ID,TIME,AMT,CMT\n" + "".join(rows))
    assert table.ids == ("9007199254740993", "9007199254740992", "1", "1.5", "010", "x.0")


LABELS = (
    *(("9007199254740993", 0), ("9007199254740992", 0), ("1", 0), ("1.0", 1), ("1.", 2)),
    *(("1.50", 0), ("1.5", 1), ("010", 0), ("x.0", 0)),
)
"""Labels and times; numbers that are equal are one patient."""


@pytest.mark.parametrize("reset", ["3,.,.", "4,60,1"])
def test_time_may_begin_again_at_a_reset(read: Read, reset: str) -> None:
    text = "ID,TIME,EVID,AMT,CMT\n2,1,0,.,.\n1,1,1,100,1\n1,9,0,.,.\n1,2,{}\n1,5,0,.,.\n"
    table = read(text.format(reset))
    assert [times.tolist() for times in table.observations] == [[1.0], [9.0, 12.0]]
    assert [times.tolist() for times in table.record_times] == [[1.0], [9.0, 5.0]]
    assert [numbers.tolist() for numbers in table.periods] == [[1], [1, 2]]
    assert table.stop == 12.0
    again = table.therapy["reset"]
    assert isinstance(again, Reset)
    # Behind the last record of the period before, by an instant.
    np.testing.assert_array_equal(again.at, [np.inf, 9.0 * (1.0 + 4e-12)])


def test_predictions_of_another_result_are_refused(read: Read) -> None:
    table = read("ID,TIME,AMT,CMT\n1,0,100,1\n1,2,.,.\n2,0,100,1\n2,3,.,.\n")

    def result(times: list[float], n: int) -> xr.Dataset:
        values = xr.DataArray(np.zeros((n, len(times))), dims=("patient", "time"))
        ends = xr.DataArray(np.zeros(n), dims="patient")
        return xr.Dataset({"depot": values, "status": ends}, coords={"time": times})

    assert table.at_observations(result([2.0, 3.0], 2), "depot").shape == (2,)
    for given, name, message in (
        (result([2.0, 3.0], 2), "dept", r"output over time 'dept'. Did you mean 'depot'"),
        (result([2.0, 3.0], 2), "status", r"output over time 'status'"),
        (result([2.0, 3.0], 3), "depot", r"the result has 3 patients, but the table 2"),
        (result([1.0, 2.0], 2), "depot", r"of patient '2' at 3 was not saved. .*table.save_at"),
    ):
        with pytest.raises(ScenarioError, match=message):
            table.at_observations(given, name)


def test_the_names_are_public() -> None:
    assert carsim.read_events is read_events
    assert carsim.EventTable is EventTable


# Refusals

DOSE = "1,0,1,100,1,0,0,0,0,0\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,0,1,100,dept,0,0,0,0,0\n", r"line 2: CMT = dept: .*state 'dept'. Did you mean 'depot'"),
        ("1,0,1,100,9,0,0,0,0,0\n", r"line 2: CMT = 9: .* has 3 states. Give the number of one"),
        ("1,0,1,100,-1,0,0,0,0,0\n", r"line 2: CMT = -1: .* has 3 states"),
        ("1,0,1,100,.,0,0,0,0,0\n", r"line 2: CMT = .: the compartment is missing. Say where"),
        ("1,0,0,.,dept,0,0,0,0,0\n", r"line 2: CMT = dept: .*Did you mean 'depot'"),
        ("1,0,1,-5,1,0,0,0,0,0\n", r"events.csv: line 2: AMT = -5 is negative. Give 0 or more"),
        ("1,0,1,NaN,1,0,0,0,0,0\n", r"line 2: AMT = NaN is not a number. Give a finite number, or"),
        ("1,0,1,inf,1,0,0,0,0,0\n", r"line 2: AMT = inf is not a number"),
        ("1,0,1,ten,1,0,0,0,0,0\n", r"line 2: AMT = ten is not a number"),
        ("1,0,1,.,1,0,0,0,0,0\n", r"line 2: AMT = .: the amount of a dose is missing"),
        (DOSE + "1,2,x,1,1,0,0,0,0,0\n", r"line 3: EVID = x is not a number"),
        ("1,0,5,100,1,0,0,0,0,0\n", r"line 2: EVID = 5 is unknown. Give 0 for an observation"),
        ("1,0,0,100,1,0,0,0,0,0\n", r"line 2: AMT = 100 on a record that is no dose. Give EVID"),
        ("1,0,0,0,1,0,0,0,0,1\n", r"line 2: SS = 1 on a record that is no dose"),
        ("1,0,1,100,1,0,0,0,3,0\n", r"line 2: ADDL = 3 needs the interval .* Give II above 0"),
        ("1,0,1,100,1,0,0,-2,3,0\n", r"line 2: II = -2 is negative"),
        ("1,0,1,100,1,0,0,2,-3,0\n", r"line 2: ADDL = -3 is negative"),
        ("1,0,1,100,1,0,0,2,1.5,0\n", r"line 2: ADDL = 1.5 must be a whole number"),
        ("1,0,1,100,1,0,0,0,0,1\n", r"line 2: SS = 1 needs the interval .* Give II above 0"),
        ("1,0,1,100,1,0,0,2,0,3\n", r"line 2: SS = 3 is unknown. Give 1 to replace"),
        ("1,0,1,0,1,0,0,2,0,1\n", r"line 2: AMT = 0: a steady state needs an amount"),
        ("1,0,1,0,1,10,0,0,0,0\n", r"line 2: RATE = 10 without an amount never ends"),
        ("1,0,1,0,1,-2,0,0,0,1\n", r"line 2: RATE = -2 without an amount never ends"),
        ("1,0,1,0,1,10,0,8,0,1\n", r"line 2: II = 8: an infusion that has always run"),
        ("1,0,1,0,1,10,0,0,2,1\n", r"line 2: ADDL = 2: an infusion that has always run"),
        ("1,0,1,9,1,-3,0,0,0,0\n", r"line 2: RATE = -3 is negative. Give a rate, 0 for none, -1"),
        ("1,0,1,9,1,-1,0,0,0,0\n", r"RATE = -1 needs the modeled rate of 'depot'. Give modeled_ra"),
        ("1,0,1,9,1,-2,0,0,0,0\n", r"RATE = -2 needs the modeled duration of 'depot'"),
        ("1,0,1,9,1,1,2,0,0,0\n", r"line 2: DUR = 2 contradicts the rate of the record"),
        ("1,0,1,9,1,0,-2,0,0,0\n", r"line 2: DUR = -2 is negative"),
        ("1,0,1,9,1,0,1e-12,0,0,0\n", r"line 2: DUR = 1e-12 is so short that it is a dose"),
        ("1,0,1,9,1,1e12,0,0,0,0\n", r"line 2: RATE = 1e12 makes an infusion so short"),
        ("1,.,1,9,1,0,0,0,0,0\n", r"line 2: TIME = .: the time is missing"),
        ("1,8:30,1,9,1,0,0,0,0,0\n", r"line 2: TIME = 8:30 is not a number"),
        (".,0,1,9,1,0,0,0,0,0\n", r"line 2: ID = .: the patient is missing"),
        (
            DOSE + "1,4,0,0,1,0,0,0,0,0\n1,3,0,0,1,0,0,0,0,0\n",
            r"line 4: TIME = 3 follows 4 \(line 3\) .* reset",
        ),
        (
            DOSE + "1,4,0,0,1,0,0,0,0,0\n1,1,3,0,1,0,0,0,0,0\n1,0,0,0,1,0,0,0,0,0\n",
            r"line 5: TIME = 0 follows 1 \(line 4\) .* Let TIME ascend from one reset",
        ),
        (
            DOSE + "2,0,0,0,1,0,0,0,0,0\n" + DOSE,
            r"line 4: ID = 1 has records already, from line 2 ",
        ),
        (DOSE + DOSE, r"line 3: TIME = 0: the record is the same as that of line 2. Remove one"),
        (DOSE + "1,0,1,9,2,0,0,8,0,1\n", r"line 3: SS = 1 replaces what line 2 gives at the same"),
        ("1,0,1\n", r"line 2: 3 values for 10 columns. Give one value a column"),
        ("", r"events.csv: there are no records"),
    ],
)
def test_wrong_records(read: Read, rows: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        read(HEADER + rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TIME,AMT,CMT\n0,1,1\n", r"there is no column ID. Add it. Its columns are TIME, AMT, CMT"),
        ("ID,AMT,CMT\n0,1,1\n", r"there is no column TIME"),
        ("ID,TIME,CMT\n0,1,1\n", r"there is no column AMT. Add the amounts"),
        ("ID,TIME,EVID,CMT\n1,0,1,1\n", r"there is no column AMT"),
        ("ID,TIME,AMMT,CMT\n1,0,1,1\n", r"the column AMMT is unknown. Did you mean 'AMT'"),
        ("ID,TIME,AMT,CMT,SEX\n1,0,1,1,1\n", r"the column SEX is unknown.* or in ignore"),
        ("ID,TIME,AMT,amt\n1,0,1,1\n", r"the column amt comes twice"),
        ("ID,TIME,AMT,\n1,0,1,1\n", r"column 4 has no name"),
        ("ID;TIME;AMT\n1;0;1\n", r"are not separated by commas"),
        ('ID,TIME,AMT\n1,0,"1\n', r"cannot be read: unexpected end of data"),
    ],
)
def test_wrong_columns(read: Read, text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        read(text)


GOOD = "ID,TIME,AMT,CMT,RATE,L,V\n1,0,100,1,0,0.5,20\n1,1,100,1,-1,-2,.\n2,0,50,1,0,.,.\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ignore": ["L", "V", "SEX"]}, r"ignore: .*events.csv has no column 'SEX'"),
        ({"ignore": "L"}, r"ignore is the text 'L'; give a list"),
        ({"covariates": "V"}, r"covariates is the text 'V'; give a list"),
        ({"covariates": ["W"]}, r"covariates: .*has no column 'W'"),
        (
            {"covariates": {"V": "v", "L": "one"}},
            r"\['V'\].*has no parameter 'v'. Did you mean 'V'",
        ),
        ({"covariates": {"V": "k", "L": "one"}}, r"computes 'k' when a patient starts"),
        ({"covariates": {"V": "one", "L": "one"}}, r"two covariates set 'one'"),
        ({"covariates": {"V": "one"}, "ignore": ["L"]}, r"line 2: V = 20 is outside the bounds of"),
        ({"covariates": ["V"], "ignore": ["L"]}, r"line 4: V = .: the patient has no value"),
        ({"lag": {"dept": "L"}}, r"lag: .*state 'dept'. Did you mean 'depot'"),
        ({"lag": {7: "L"}}, r"lag: .*has 3 states"),
        (
            {"lag": {1: "LL"}, "ignore": ["V"]},
            r"lag\[1\] = 'LL' is neither a column .* nor a param",
        ),
        (
            {"lag": {1: "L"}, "ignore": ["V"], "modeled_rate": {1: "ka"}},
            r"line 4: L = .: the lag is",
        ),
        (
            {"bioavailability": {1: "L"}, "ignore": ["V"], "modeled_rate": {1: "ka"}},
            r"L = .: the bio",
        ),
        ({"modeled_rate": {1: "L"}, "ignore": ["V"]}, r"line 3: L = -2 must be above 0"),
        (
            {"interpolation": "nocbb"},
            r"interpolation = 'nocbb' is not possible. Did you mean 'nocb'",
        ),
        ({"duplicates": "drop"}, r"duplicates = 'drop' is not possible"),
    ],
)
def test_wrong_options(read: Read, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        read(GOOD, **options)


def test_negative_lags_name_their_line(read: Read) -> None:
    text = "ID,TIME,AMT,CMT,L\n1,0,100,1,1\n1,1,100,1,-2\n"
    with pytest.raises(ScenarioError, match=r"line 3: L = -2 is negative. Give 0 or more"):
        read(text, lag={1: "L"})


def test_a_constant_infusion_needs_its_rate(read: Read) -> None:
    text = "ID,TIME,EVID,AMT,CMT,RATE,SS\n1,0,1,0,1,-1,1\n"
    with pytest.raises(ScenarioError, match=r"line 2: a constant infusion .* needs its rate"):
        read(text, modeled_rate={1: "ka"})


def test_two_values_at_a_time_cannot_be_interpolated(read: Read) -> None:
    text = "ID,TIME,EVID,V\n1,0,2,20\n1,1,2,30\n1,1,2,40\n"
    with pytest.raises(ScenarioError, match=r"line 4: V = 40 follows 30 \(line 3\) at the same"):
        read(text, covariates=["V"], interpolation="linear")


def test_sources_that_are_no_table(tmp_path: Path) -> None:
    (tmp_path / "doses.csv").write_text("ID,TIME,AMT\n")
    with pytest.raises(
        ScenarioError, match=r"dose.csv: there is no such file. Did you mean 'doses"
    ):
        read_events(tmp_path / "dose.csv", MODEL)
    with pytest.raises(ScenarioError, match="Give the path of a CSV file, or a pandas DataFrame"):
        read_events([1, 2], MODEL)
    (tmp_path / "latin.csv").write_bytes(b"ID,TIME,AMT\n\xe9,0,1\n")
    with pytest.raises(ScenarioError, match="is not UTF-8 text"):
        read_events(tmp_path / "latin.csv", MODEL)


def test_a_frame_names_its_own_rows() -> None:
    frame = pd.DataFrame(
        {"ID": [1, 1], "TIME": [0.0, 1.0], "AMT": [1.0, -1.0], "CMT": [1, 1]}, index=[17, 23]
    )
    with pytest.raises(ScenarioError, match="events: row 23: AMT = -1 is negative"):
        read_events(frame, MODEL)
    frame["AMT"] = [1.0, np.inf]
    with pytest.raises(ScenarioError, match=r"row 23: AMT = inf. Give a finite number"):
        read_events(frame, MODEL)


# Size


def test_a_hundred_thousand_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """About a second here; no cell of a good table is looked at on its own."""
    rng = np.random.default_rng(0)
    n, k = 1000, 100
    given = rng.random((n, k)) < 0.3
    frame = pd.DataFrame(
        {
            "ID": np.repeat(np.arange(n), k),
            "TIME": np.sort(rng.uniform(0.0, 500.0, (n, k)).round(3)).ravel(),
            "AMT": np.where(given, 100.0, 0.0).ravel(),
            "CMT": "central",
            "RATE": np.where(given & (rng.random((n, k)) < 0.5), 20.0, 0.0).ravel(),
            "II": 12.0,
            "ADDL": np.where(given, rng.integers(0, 4, (n, k)), 0).ravel(),
            "V": rng.uniform(10.0, 30.0, n * k).round(1),
        }
    )
    frame.loc[~given.ravel(), "II"] = 0.0
    frame.to_csv(tmp_path / "large.csv", index=False)
    looked: list[int] = []
    cell = Sheet.cell

    def counted(sheet: Sheet, row: int, name: str) -> str:
        looked.append(row)
        return cell(sheet, row, name)

    monkeypatch.setattr(Sheet, "cell", counted)
    begin = time.perf_counter()
    table = read_events(tmp_path / "large.csv", MODEL, covariates=["V"])
    scenario = Scenario(
        MODEL,
        therapy=table.therapy,
        parameters=table.parameters,
        start=table.start,
        stop=table.stop,
        save_at=[],
    )
    stops = prepare(scenario).block().therapy.stops
    assert time.perf_counter() - begin < 30.0
    assert looked == []
    assert len(stops.time) > 100_000


# Config

CONFIG = """
model = "{model}"

[time]
stop = 20.0

[events]
file = "doses.csv"
lag = {{ depot = "L" }}
covariates = {{ W = "V" }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = "ID,TIME,AMT,CMT,L,W\n1,0,100,depot,1,20\n2,0,50,depot,0,30\n2,5,50,depot,0,40\n"
    (tmp_path / "doses.csv").write_text(text)
    return tmp_path


def config(folder: Path, more: str = "", *, old: str = "", new: str = "") -> Scenario:
    text = CONFIG.format(model=MODEL.file).replace(old, new) + more
    return read_text(text, folder=folder, source="study.toml").scenario


def test_a_config_reads_its_table(folder: Path) -> None:
    scenario = config(folder, '[therapy.more]\nkind = "dose"\ninto = "iv"\namount = 1\nat = 3\n')
    assert scenario.n_patients == 2
    assert set(scenario.therapy) == {"covariate_V", "depot", "more"}
    np.testing.assert_array_equal(scenario.parameters["V"], [20.0, 30.0])
    assert Scenario.from_dict(scenario.to_dict()) == scenario


def test_a_population_of_the_same_size_may_vary_the_rest(folder: Path) -> None:
    more = "[population]\nsize = 2\n[population.parameters]\n"
    more += 'CL = { distribution = "uniform", low = 1, high = 2 }\n'
    assert config(folder, more).n_patients == 2


@pytest.mark.parametrize(
    ("more", "old", "new", "message"),
    [
        (
            "[population]\nsize = 3\n",
            "",
            "",
            r"population.size: 3 patients, but doses.csv has 2. Gi",
        ),
        ("[parameters]\nV = 3.0\n", "", "", r"parameters.V: V is a covariate of \[events\]"),
        (
            "[population]\nsize = 2\n[population.parameters]\nV = 3.0\n",
            "",
            "",
            r"population.parameters.V: V is a covariate of \[events\]",
        ),
        (
            '[therapy.depot]\nkind = "dose"\ninto = "iv"\namount = 1\nat = 3\n',
            "",
            "",
            r"therapy.depot: 'depot' is also an item of the table of \[events\]",
        ),
        ("", "lag", "lga", r"study.toml: events.lga: unknown key. Did you mean 'lag'"),
        (
            "",
            "doses.csv",
            "dose.csv",
            r"study.toml: events: .*no such file. Did you mean 'doses.csv",
        ),
        ("", "depot =", "dept =", r"study.toml: events: .*Did you mean 'depot'"),
        ("", '"L"', "3", r"events.lag.depot: 3 is a number. Give a text"),
        ('interpolation = "cubic"', "", "", r"interpolation: 'cubic' is not possible. Give one of"),
        (
            "",
            "stop = 20.0",
            "start = 1.0\nstop = 20.0",
            r"events: .*TIME = 0 lies before start = 1",
        ),
    ],
)
def test_wrong_configs(folder: Path, more: str, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(folder, more, old=old or "@", new=new)

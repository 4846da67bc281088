"""The hash of a model: of what it computes, wherever that is written; and what carries it."""

from __future__ import annotations

import multiprocessing
import operator
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import carsim
from carsim import Assumed, Model, Parameters, State, parameter, route, state, variant
from carsim.dataset import rebuild_scenario
from carsim.design import Single
from carsim.errors import ModelError, ScenarioError
from carsim.math import exp, hill, maximum, where
from carsim.metrics import Last
from carsim.model.fingerprint import fingerprint
from carsim.model.identity import model_differences
from carsim.model.probe import Probe, symbol
from carsim.model.recording import Recording
from carsim.population import LogNormal, Population
from carsim.scenario import Scenario
from carsim.sweep import Sweep, rerun, run_to_store

MODEL_FILE = '''"""A drug, written over several files."""

from carsim import Assumed, Model, Parameters, State, observable, parameter, route, state
import own_helper
import own_variants
from own_constants import SCALE

ASSUMED = Assumed("test")


class Y(State):
    x: float = state(1.0, "mg", "drug", atol=1e-6)


class P(Parameters):
    k: float = parameter(1.0, "1/day", "elimination", ASSUMED, plausible=(0.5, 2.0))
    F: float = parameter(0.5, "1", "bioavailability", ASSUMED)


@observable("mg", "shown")
def shown(t: float, y: Y, p: P) -> float:
    return SCALE * y.x


def rhs(t: float, y: Y, p: P) -> Y:
    """Return the loss."""
    return Y(x=-own_helper.loss(y.x, p.k))  # a comment


def initial(p: P) -> Y:
    return Y(x=own_helper.START * p.F)


MODEL = Model(
    "drug",
    rhs,
    Y,
    P,
    observables=[shown],
    routes=[route("oral", "mg", "tablet", {"x": own_helper.fraction})],
    variants=own_variants.VARIANTS,
    initial=initial,
)
'''
FILES = {
    "drug.py": MODEL_FILE,
    "own_constants.py": "SCALE = 1.0\n",
    "own_helper.py": (
        "START = 2.0\n\n\ndef loss(x, k):\n    return k * x\n\n\ndef fraction(p):\n    return p.F\n"
    ),
    "own_variants.py": (
        "from carsim import Assumed, variant\n\n"
        'VARIANTS = [variant("fast", "fast", {"k": (1.76, Assumed("test"))}, group="speed")]\n'
    ),
}


def load(folder: Path, *changes: tuple[str, str, str]) -> Model:
    """Write the files, with texts replaced, and load the model as a new process would."""
    folder.mkdir(exist_ok=True)
    for name, text in FILES.items():
        for file, old, new in changes:
            if file == name:
                assert old in text
                text = text.replace(old, new)
        (folder / name).write_text(text)
    return loaded(folder)


def loaded(folder: Path) -> Model:
    helpers = [name.removesuffix(".py") for name in FILES if name.startswith("own_")]
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        return carsim.load_model(str(folder / "drug.py"))
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = before
        for name in helpers:
            sys.modules.pop(name, None)


CHANGES = [
    ("own_helper.py", "k * x", "k * x * x", "the equation of state 'x' has changed"),
    ("own_helper.py", "return k", "return 1.1 * k", "the equation of state 'x' has changed"),
    ("own_constants.py", "1.0", "2.0", "the equation of observable 'shown' has changed"),
    ("own_variants.py", "1.76", "0.76", "variant 'fast': k 1.76 -> 0.76"),
    ("own_variants.py", '"speed"', '"pace"', "variant 'fast': group speed -> pace"),
    ("own_helper.py", "START = 2.0", "START = 3.0", "what computes the initial state has changed"),
    ("own_helper.py", "return p.F", "return p.F * p.F", "route 'oral': fraction for 'x'"),
    ("drug.py", "own_helper.fraction}", "0.5}", "-> 0.5"),
    ("drug.py", "-own_helper", "own_helper", "the equation of state 'x' has changed"),
    ("drug.py", "parameter(1.0", "parameter(1.5", "parameter 'k': default 1.0 -> 1.5"),
    ("drug.py", "(0.5, 2.0)", "(0.5, 3.0)", "parameter 'k': plausible 0.5 to 2.0 -> 0.5 to 3.0"),
    ("drug.py", "ASSUMED)", "ASSUMED, upper=1.0)", "parameter 'F': upper none -> 1.0"),
    ("drug.py", "atol=1e-6", "atol=1e-9", "state 'x': atol 1e-06 -> 1e-09"),
    ("drug.py", "atol=1e-6", "signed=True", "state 'x': signed none -> True"),
    ("drug.py", "atol=1e-6", "extinct_below=1e-3", "state 'x': extinct_below none -> 0.001"),
    ("drug.py", '"1/day"', '"1/hour"', "parameter 'k': unit 1/day -> 1/hour"),
    ("drug.py", '"drug",\n    rhs', '"drug",\n    rhs', ""),
    ("drug.py", "\n    P,", '\n    P,\n    time_unit="hour",', "time_unit: day -> hour"),
]
WORDS = [
    ("drug.py", "# a comment", "# another"),
    ("drug.py", '"""Return the loss."""', '"""Say more."""'),
    ("drug.py", '"elimination"', '"loss"'),
    ("drug.py", 'Assumed("test")', 'Assumed("why not")'),
    (
        "drug.py",
        "Y(x=-own_helper.loss(y.x, p.k))",
        "Y(\n        x=-own_helper.loss(y.x, p.k)\n    )",
    ),
    ("own_helper.py", "    return k * x", "    lost = k * x\n    return lost"),
    ("own_variants.py", '"fast", "fast"', '"fast", "quickly"'),
]


@pytest.fixture(scope="module")
def drug(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(tmp_path_factory.mktemp("drug"))


@pytest.mark.parametrize(("file", "old", "new", "said"), CHANGES)
def test_what_changes_a_number_changes_the_hash_and_is_said(
    drug: Model, tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    other = load(tmp_path, (file, old, new))
    assert (other.hash != drug.hash) == bool(said)
    assert said in "; ".join(model_differences(drug.parts, other.parts))


@pytest.mark.parametrize(("file", "old", "new"), WORDS)
def test_words_and_folders_are_not_in_the_hash(
    drug: Model, tmp_path: Path, file: str, old: str, new: str
) -> None:
    assert load(tmp_path, (file, old, new)).hash == drug.hash


def test_what_was_loaded_keeps_its_hash(tmp_path: Path) -> None:
    """Of one size within one second: neither time nor size would tell the two apart."""
    model = load(tmp_path)
    before = model.hash
    edited = MODEL_FILE.replace("parameter(1.0", "parameter(1.5")
    (tmp_path / "drug.py").write_text(edited)
    again = loaded(tmp_path)
    assert model.hash == before
    assert carsim.simulate(model, stop=1.0).attrs["model_hash"] == before
    assert again.hash != before
    assert again.parameters[0].value == 1.5
    (tmp_path / "drug.py").write_text(MODEL_FILE)
    assert loaded(tmp_path) is model


def test_a_missing_or_new_name_is_said() -> None:
    old = {"states": {"x": {"atol": 1.0}, "y": {"atol": 1.0}}}
    new = {"states": {"y": {"atol": 1.0}, "z": {"atol": 1.0}}}
    assert model_differences(old, new) == ["state 'x' is gone", "state 'z' is new"]
    turned = {"states": dict(reversed(old["states"].items()))}
    assert model_differences(old, turned) == ["the states stand in another order"]


# --- models that stand in no file ------------------------------------------------------------


class Y(State):
    x: float = state(1.0, "mg", "drug")


class P(Parameters):
    k: float = parameter(1.0, "1/day", "rate", Assumed("test"))


FACTOR = 1.0


def make(sign: float) -> Model:
    def rhs(t: float, y: Y, p: P) -> Y:
        return Y(x=sign * p.k * y.x)

    return Model("closure", rhs, Y, P)


def test_closures_are_told_apart() -> None:
    assert make(-1.0).hash == make(-1.0).hash
    assert make(-1.0).hash != make(+1.0).hash
    assert make(-1.0).hash != make(-1.0000000000000002).hash


def test_a_global_that_changes_later_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels are made from what was recorded, so the hash names what runs."""

    def rhs(t: float, y: Y, p: P) -> Y:
        return Y(x=-FACTOR * p.k * y.x)

    def initial(p: P) -> Y:
        return Y(x=FACTOR + 0.0 * p.k)

    def build() -> Model:
        routes = [route("iv", "mg", "infusion", {"x": lambda p: FACTOR * p.k})]
        return Model("notebook", rhs, Y, P, routes=routes, initial=initial)

    model = build()
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    other = build()
    assert model.hash != other.hash
    times = [0.0, 1.0]
    dose = {"d": carsim.Dose("iv", 2.0, at=0.0)}
    for each, factor in ((model, 1.0), (other, 3.0)):
        result = carsim.simulate(each, therapy=dose, stop=2.0, save_at=times, outputs=["x"])
        right = (factor + 2.0 * factor) * np.exp(-factor * np.array(times))
        np.testing.assert_allclose(result.x, right, rtol=1e-4)
        assert result.attrs["model_hash"] == each.hash


def test_a_model_in_no_file_is_not_sent_but_refused_in_words() -> None:
    model = make(-1.0)
    with pytest.raises(ModelError, match=r"cannot be sent to another process: .* load_model"):
        pickle.dumps(model)
    scenario = Scenario(model, stop=1.0)
    with pytest.raises(ModelError, match=r"cannot be sent to another process"):
        pickle.dumps(scenario)
    assert Scenario.from_dict(scenario.to_dict(), model) == scenario


def test_a_model_typed_in_says_so_when_its_scenario_comes_back() -> None:
    names: dict[str, Any] = {"__name__": "typed_in", "Y": Y, "P": P, "Model": Model}
    code = "def rhs(t, y, p):\n    return Y(x=-p.k * y.x)\n\n\nMODEL = Model('typed', rhs, Y, P)\n"
    exec(compile(code, "<cell 3>", "exec"), names)
    data = Scenario(names["MODEL"], stop=1.0).to_dict()
    with pytest.raises(ScenarioError, match=r"was typed in .* in no file \(<cell 3>\).*model="):
        Scenario.from_dict(data)


# --- other processes -------------------------------------------------------------------------


def test_a_model_of_a_file_is_the_same_in_a_spawned_process(tmp_path: Path) -> None:
    """With other seeds of Python's hashes, and another working directory."""
    (tmp_path / "alone.py").write_text(ALONE)
    model = carsim.load_model(str(tmp_path / "alone.py"))
    assert model.recorded_start is None
    scenario = Scenario(model, stop=1.0)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(operator.attrgetter("hash"), model).result() == model.hash
        assert pool.submit(operator.attrgetter("model.hash"), scenario).result() == model.hash
    assert pickle.loads(pickle.dumps(model)) is model
    assert pickle.loads(pickle.dumps(scenario)) == scenario


ALONE = """from carsim import Assumed, Model, Parameters, State, computed, parameter, state

KNOWN = {"a", "b", "c", "d"}


class Y(State):
    x: float = state(1.0, "mg", "drug")


class P(Parameters):
    k: float = parameter(1.0, "1/day", "rate", Assumed("test"))
    f: float = computed("1", "found", Assumed("test"))


def rhs(t, y, p):
    return Y(x=-p.k * y.x)


def initialise(p):
    f = 1.0
    while abs(f * f - p.k).max() > 1e-9:
        f = 0.5 * (f + p.k / f)
    return Y(x=f * len(KNOWN)), p._replace(f=f)


MODEL = Model("alone", rhs, Y, P, initialise=initialise)
"""


def test_a_changed_or_missing_file_is_refused_where_it_arrives(tmp_path: Path) -> None:
    file = tmp_path / "alone.py"
    file.write_text(ALONE)
    sent = pickle.dumps(carsim.load_model(str(file)))
    file.write_text(ALONE.replace("0.5 * (f", "0.25 * (2.0 * f"))
    with pytest.raises(ModelError, match=r"alone.py: model 'alone' here is not the one that was"):
        pickle.loads(sent)
    file.write_text(ALONE.replace('"drug"', '"a drug"'))
    assert pickle.loads(sent).name == "alone"
    file.unlink()
    with pytest.raises(ModelError, match=r"alone.py: there is no such file"):
        pickle.loads(sent)


def test_a_model_that_was_edited_since_it_was_loaded_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "alone.py"
    file.write_text(ALONE)
    old = carsim.load_model(str(file))
    file.write_text(ALONE.replace("x=-p.k", "x=-2.0 * p.k"))
    carsim.load_model(str(file))
    with pytest.raises(ModelError, match=r"is not the one that was sent"):
        pickle.loads(pickle.dumps(old))


def test_a_script_sends_its_model_by_path(tmp_path: Path) -> None:
    file = tmp_path / "alone.py"
    file.write_text(
        ALONE + "import sys, pickle\nif __name__ == '__main__':\n"
        "    sys.stdout.buffer.write(pickle.dumps(MODEL))\n"
    )
    done = subprocess.run([sys.executable, str(file)], capture_output=True, check=True)
    assert pickle.loads(done.stdout).hash == carsim.load_model(str(file)).hash


# --- stores ----------------------------------------------------------------------------------


def small(model: Model) -> Sweep:
    population = Population(20, seed=1, parameters={"k": LogNormal(cv=0.3)})
    scenario = Scenario(
        model,
        stop=1.0,
        population=population,
        initial={"x": 1.0},
        save_at=[],
        metrics={"last": Last("x")},
    )
    return Sweep(scenario, Single())


def half(done: int, _: int) -> None:
    if done >= 10:
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, drug: Model) -> Path:
    folder: Path = tmp_path_factory.mktemp("begun") / "store"
    with pytest.raises(KeyboardInterrupt):
        run_to_store(small(drug), folder, block_size=5, progress=half)
    return folder


@pytest.mark.parametrize(("file", "old", "new", "said"), [each for each in CHANGES if each[3]])
def test_another_model_does_not_go_on_with_a_store(
    begun: Path, tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    other = load(tmp_path, (file, old, new))
    with pytest.raises(ScenarioError, match="was begun with another sweep: model 'drug'") as caught:
        run_to_store(small(other), begun, resume=True)
    assert said in str(caught.value)


def test_a_closure_does_not_go_on_with_the_store_of_another(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_to_store(small(make(-1.0)), tmp_path / "s", block_size=5, progress=half)
    with pytest.raises(ScenarioError, match="the equation of state 'x' has changed"):
        run_to_store(small(make(+1.0)), tmp_path / "s", resume=True)
    result = run_to_store(small(make(-1.0)), tmp_path / "s", resume=True)
    np.testing.assert_allclose(result.last, np.exp(-result.k), rtol=1e-5)


def test_words_may_change_and_folders_too(begun: Path, tmp_path: Path) -> None:
    other = load(tmp_path, *WORDS)
    result = run_to_store(small(other), begun, resume=True)
    np.testing.assert_allclose(result.last, np.exp(-result.k), rtol=1e-5)
    assert rerun(begun, model=other).same


def test_a_result_says_what_has_changed_since(tmp_path: Path) -> None:
    attributes = carsim.simulate(load(tmp_path), stop=1.0).attrs
    load(tmp_path, ("drug.py", "parameter(1.0", "parameter(1.5"))
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(ScenarioError, match=r"has changed since .* default 1\.0 -> 1\.5"):
            rebuild_scenario(attributes)
    finally:
        sys.path.remove(str(tmp_path))
        for name in FILES:
            sys.modules.pop(name.removesuffix(".py"), None)


# --- recordings ------------------------------------------------------------------------------

Function = Callable[[Any, Any], Any]
OPERATIONS: list[Callable[..., Any]] = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    maximum,
    lambda a, b: hill(a, 2.0, 3) + exp(b),
    lambda a, b: where((a > b) & ~(b > 1.0), a, abs(-b)),
    lambda a, b: a**2 - np.float64(2.0) * b,
]


def functions(constants: list[float], choices: list[tuple[int, int, int]]) -> Function:
    """A function of two values, by a program: operations on what is there already."""

    def function(x: Any, y: Any) -> Any:
        known = [x, y, *constants]
        for operation, a, b in choices:
            known.append(OPERATIONS[operation](known[a % len(known)], known[b % 2]))
        return known[-1] * x

    return function


CONSTANTS = st.lists(st.floats(0.1, 3.0), min_size=1, max_size=3)
CHOICES = st.lists(
    st.tuples(st.integers(0, len(OPERATIONS) - 1), st.integers(0, 9), st.integers(0, 1)),
    min_size=1,
    max_size=6,
)


@given(CONSTANTS, CHOICES)
def test_recordings_compute_the_same_and_equal_ones_have_equal_digests(
    constants: list[float], choices: list[tuple[int, int, int]]
) -> None:
    symbols = symbol("x"), symbol("y")
    function = functions(constants, choices)
    recording = Recording(symbols, [function(*symbols)])
    assert Recording(symbols, [function(*symbols)]).digests == recording.digests
    x, y = np.array([0.5, 1.5]), np.array([2.0, 0.7])
    with np.errstate(all="ignore"):
        assert np.array_equal(recording.replay([x, y])[0], function(x, y), equal_nan=True)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_the_digest_tells_constants_apart(a: float, b: float) -> None:
    x = symbol("x")
    same = float(a).hex() == float(b).hex()
    assert ((x * a).digest == (x * b).digest) == same
    assert (x * 2).digest == (x * 2.0).digest


def test_an_array_of_numbers_meets_a_symbol_element_by_element() -> None:
    x = symbol("x")
    total = (np.array([1.0, 2.0]) * x).sum()
    assert isinstance(total, Probe)
    assert Recording([x], [total]).replay([3.0]) == [9.0]


# --- functions that cannot be recorded -------------------------------------------------------


def counting(limit: float, table: Any = None) -> Callable[[float], float]:
    def count(x: float) -> float:
        """Count."""
        while x < limit:
            x += step(x)
        return x if table is None else table[0]

    return count


def step(x: float) -> float:
    return FACTOR


def test_a_fingerprint_knows_all_that_a_function_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    first = fingerprint(counting(1.0))
    assert fingerprint(counting(1.0)) == first
    assert fingerprint(counting(2.0)) != first
    tables = [np.array([1.0, 2.0]), np.array([1.0, 3.0]), {"a": (1.0, 2)}, {"a": (1.0, 3)}]
    assert len({fingerprint(counting(1.0, table)) for table in tables}) == 4
    monkeypatch.setitem(globals(), "FACTOR", 0.5)
    assert fingerprint(counting(1.0)) != first
    monkeypatch.undo()
    monkeypatch.setitem(globals(), "step", lambda x: FACTOR)
    assert fingerprint(counting(1.0)) != first


def test_a_fingerprint_reads_through_classes_partials_and_recursion() -> None:
    class Rule:
        factor = 2.0

        def __init__(self, start: float) -> None:
            self.start = start

        def __call__(self, x: float) -> float:
            return self.factor * x + self.start

    def factorial(n: int) -> int:
        return 1 if n < 2 else n * factorial(n - 1)

    rule = Rule(1.0)
    before = fingerprint(rule)
    assert fingerprint(Rule(1.0)) == before
    assert fingerprint(Rule(2.0)) != before
    Rule.factor = 3.0
    assert fingerprint(rule) != before
    assert fingerprint(factorial) == fingerprint(factorial)
    assert fingerprint(np.linalg.norm) != fingerprint(np.linalg.solve)


def test_variants_of_a_model_are_in_its_hash() -> None:
    """As `products.py` of the flagship, which holds no equation."""

    def rhs(t: float, y: Y, p: P) -> Y:
        return Y(x=-p.k * y.x)

    def build(value: float) -> str:
        fast = variant("fast", "fast", {"k": (value, Assumed("test"))})
        return Model("m", rhs, Y, P, variants=[fast]).hash

    assert build(1.76) != build(0.76)

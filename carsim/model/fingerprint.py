"""A digest of what a Python function does, for functions that cannot be recorded.

Such a function loops until something converges, or works on arrays only. Its digest is that of its
text without comments, docstrings and annotations, of its defaults, of what it closes over, and of
every global that it names: constants by value, helper functions of the same project in the same
way, libraries by name.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from carsim.installed import announced_modules
from carsim.model.records import RecordType

__all__ = ["fingerprint", "is_library"]

_LIBRARIES = tuple(
    str(Path(sysconfig.get_path(name)).resolve())
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def fingerprint(function: Any) -> str:
    """Digest of a function and of all that it uses.

    Parameters
    ----------
    function : callable
        Function of a model.

    Returns
    -------
    str
        32 hexadecimal digits. The same in every process and folder.
    """
    return _Reader(getattr(function, "__module__", None) or "").digest(function)


class _Reader:
    """Turns values into digests; what is met twice is not read twice."""

    def __init__(self, module: str) -> None:
        self._package = module.partition(".")[0]
        self._numbers: dict[int, int] = {}
        # What has a number must live on: a number is given by address.
        self._met: list[Any] = []

    def digest(self, value: Any) -> str:
        inside = hashlib.blake2b(digest_size=16)
        for part in self._parts(value):
            data = part if isinstance(part, bytes) else part.encode()
            inside.update(f"{len(data)}:".encode() + data)
        return inside.hexdigest()

    def _apart(self) -> _Reader:
        """A reader that knows what this one has met, for what has no order."""
        reader = _Reader(self._package)
        reader._numbers, reader._met = dict(self._numbers), list(self._met)
        return reader

    def _parts(self, value: Any) -> Iterator[str | bytes]:
        if value is None or isinstance(value, (bool, int, complex, str, bytes)):
            yield type(value).__name__
            yield value if isinstance(value, bytes) else str(value)
        elif isinstance(value, float):
            yield "float"
            yield value.hex()
        elif isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
            yield f"array {value.dtype.str} {value.shape}"
            yield value.tobytes()
        elif isinstance(value, ModuleType):
            yield f"module {value.__name__ if self._is_library(value.__name__) else ''}"
        elif id(value) in self._numbers:
            yield f"again {self._numbers[id(value)]}"
        else:
            self._numbers[id(value)] = len(self._numbers)
            self._met.append(value)
            yield from self._compound(value)

    def _compound(self, value: Any) -> Iterator[str | bytes]:
        if isinstance(value, (tuple, list)):
            yield type(value).__name__
            yield from map(self.digest, value)
        elif isinstance(value, (set, frozenset)):
            yield "set"
            yield from sorted(self._apart().digest(each) for each in value)
        elif isinstance(value, dict):
            yield "mapping"
            for key, item in value.items():
                yield self.digest(key)
                yield self.digest(item)
        elif isinstance(value, RecordType):
            yield f"record {value.__name__} {' '.join(value._fields)}"
        elif isinstance(value, MethodType):
            yield "method"
            yield self.digest(value.__func__)
            yield self.digest(value.__self__)
        elif self._is_library(getattr(value, "__module__", None) or type(value).__module__):
            yield from self._of_library(value)
        elif isinstance(value, FunctionType):
            yield from self._function(value)
        elif isinstance(value, type):
            yield f"class {value.__name__}"
            yield from map(self.digest, value.__bases__)
            for name, member in vars(value).items():
                if not (name.startswith("__") and name.endswith("__")) or callable(member):
                    yield name
                    yield self.digest(getattr(member, "__func__", member))
        else:
            yield from self._object(value)

    def _of_library(self, value: Any) -> Iterator[str | bytes]:
        """A function by its name; an object, such as an interpolator, with what it holds."""
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
        if isinstance(name, str):
            yield f"library {getattr(value, '__module__', None)}.{name}"
        else:
            yield from self._object(value)

    def _object(self, value: Any) -> Iterator[str | bytes]:
        yield f"object {type(value).__qualname__}"
        wrapped = getattr(value, "__wrapped__", None) or getattr(value, "py_func", None)
        if wrapped is not None:
            yield self.digest(wrapped)
            return
        if not self._is_library(type(value).__module__):
            yield self.digest(type(value))
        if hasattr(value, "__dict__"):
            yield self.digest(dict(vars(value)))
            return
        try:
            reduced = value.__reduce_ex__(2)
        except Exception:  # an object may refuse in any way
            return
        yield self.digest(reduced[1:3] if isinstance(reduced, tuple) else reduced)

    def _function(self, function: FunctionType) -> Iterator[str | bytes]:
        yield "function"
        yield _text_of(function)
        yield self.digest(function.__defaults__)
        yield self.digest(function.__kwdefaults__)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            yield name
            try:
                yield self.digest(cell.cell_contents)
            except ValueError:
                yield "empty"
        for name in _names(function.__code__):
            used = function.__globals__.get(name, function)
            if used is function:
                continue
            yield name
            yield self.digest(used)
            if isinstance(used, ModuleType) and not self._is_library(used.__name__):
                for attribute in _names(function.__code__):
                    if attribute in vars(used):
                        yield attribute
                        yield self.digest(vars(used)[attribute])

    def _is_library(self, module: str) -> bool:
        return is_library(module, self._package)


def is_library(module: str, package: str) -> bool:
    """Whether a module is one of Python, carsim or an installed library, and no part of a model.

    Parameters
    ----------
    module : str
        Dotted name of a loaded module.
    package : str
        First part of the name of the module that defines the model.
    """
    first = module.partition(".")[0]
    if first in (package, "__main__") or first in _packages_of_models():
        return False
    if first == "carsim" or first in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(first), "__file__", None)
    if file is None:
        return first in sys.stdlib_module_names
    return str(Path(file).resolve()).startswith(_LIBRARIES)


@functools.cache
def _packages_of_models() -> frozenset[str]:
    """Installed packages whose functions are read like those of a file."""
    return frozenset(name.partition(".")[0] for name in announced_modules("carsim.models"))


def _names(code: CodeType) -> list[str]:
    """Names that a function and those inside it look up, sorted."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found.update(_names(constant))
    return sorted(found)


def _text_of(function: FunctionType) -> str | bytes:
    """The text in one spelling, which no version of Python changes; else the bytecode."""
    code = function.__code__
    computed = _bytecode(code)
    lines, functions = _file(code.co_filename)
    if computed not in functions.get((code.co_firstlineno, code.co_name), ()):
        return computed  # typed into a console, or edited since
    text = textwrap.dedent("".join(lines[code.co_firstlineno - 1 : _last_line(code)]))
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a lambda in the middle of something
        return computed
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return ast.unparse(_Bare().visit(found[0])) if len(found) == 1 else computed


def _last_line(code: CodeType) -> int:
    inside = [_last_line(each) for each in code.co_consts if isinstance(each, CodeType)]
    ends = [end for _, end, _, _ in code.co_positions() if end is not None]
    return max((*ends, *inside, code.co_firstlineno))


_File = tuple[list[str], dict[tuple[int, str], list[bytes]]]


def _file(path: str) -> _File:
    """Lines of a file, and what its functions compute, by first line and name."""
    try:
        status = Path(path).stat()
        return _read(path, (status.st_mtime_ns, status.st_size))
    except (OSError, ValueError, SyntaxError):
        return [], {}


@functools.lru_cache(maxsize=64)
def _read(path: str, stamp: tuple[int, int]) -> _File:
    text = Path(path).read_text(encoding="utf-8")
    waiting = [compile(text, path, "exec", dont_inherit=True)]
    functions: dict[tuple[int, str], list[bytes]] = {}
    while waiting:
        for each in waiting.pop().co_consts:
            if isinstance(each, CodeType):
                waiting.append(each)
                place = each.co_firstlineno, each.co_name
                functions.setdefault(place, []).append(_bytecode(each))
    return text.splitlines(keepends=True), functions


def _bytecode(code: CodeType) -> bytes:
    """What a function computes, without its lines, names of files and docstring."""
    digest = hashlib.blake2b(code.co_code, digest_size=16)
    digest.update(" ".join((*code.co_names, *code.co_varnames)).encode())
    # A docstring is the first constant.
    for number, constant in enumerate(code.co_consts):
        if isinstance(constant, CodeType):
            digest.update(_bytecode(constant))
        elif isinstance(constant, frozenset):
            digest.update(" ".join(sorted(map(repr, constant))).encode())
        elif number or not isinstance(constant, str) or code.co_name == "<lambda>":
            digest.update(repr(constant).encode())
    return digest.digest()


class _Bare(ast.NodeTransformer):
    """Without docstrings, annotations and decorators, which change no number of a function."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body = node.body[1:] or [ast.Pass()]
        node.returns = None
        node.decorator_list = []
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

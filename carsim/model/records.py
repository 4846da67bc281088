"""Records of states and parameters: immutable, named, built with keywords, without defaults.

A record class is written like a dataclass. Its fields lose their declarations (they are kept in
``_members``), so that a record of derivatives cannot silently take an initial value for a
forgotten equation.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, cast, dataclass_transform

from carsim.errors import ModelError, did_you_mean, unknown
from carsim.model.fields import ParameterField, StateField, computed, parameter, state

__all__ = ["Leaf", "Parameters", "Record", "RecordType", "State", "leaves"]

Leaf: TypeAlias = StateField | ParameterField


@dataclass_transform(
    kw_only_default=True, frozen_default=True, field_specifiers=(state, parameter, computed)
)
class RecordType(type):
    """Metaclass that turns annotated declarations into the fields of a record."""

    _members: dict[str, Any]
    _fields: tuple[str, ...]

    def __new__(
        metaclass, name: str, bases: tuple[type, ...], namespace: dict[str, Any]
    ) -> RecordType:
        """Create the class without its declarations and remember them in order."""
        declared = {
            key: value
            for key, value in namespace.items()
            if isinstance(value, (StateField, ParameterField))
        }
        body = {key: value for key, value in namespace.items() if key not in declared}
        cls = super().__new__(metaclass, name, bases, body)
        members: dict[str, Any] = {}
        for base in reversed(cls.__mro__[1:]):
            members.update(vars(base).get("_members", {}))
        # Record, State and Parameters themselves declare nothing.
        if bases and bases != (Record,):
            members.update(_own_members(cls, declared))
        cls._members = members
        cls._fields = tuple(members)
        return cls


def _own_members(cls: RecordType, declared: dict[str, Leaf]) -> dict[str, Any]:
    kind, leaf_type, example = _kind(cls)
    where = f"record {cls.__name__} ({cls.__module__})"
    try:
        annotations = inspect.get_annotations(cls, eval_str=True)
    except NameError as error:
        raise ModelError(
            f"{where}: {error}. A record reads its annotations: define nested records before "
            "they are used, in the same file or imported at run time."
        ) from None
    for name in declared:
        if name not in annotations:
            raise ModelError(f"{where}: write '{name}: float = ...', with the annotation.")
    members: dict[str, Any] = {}
    for name, annotation in annotations.items():
        if name.startswith("_"):
            raise ModelError(f"{where}: a field cannot start with an underscore: {name!r}.")
        if isinstance(annotation, RecordType):
            if name in declared:
                raise ModelError(
                    f"{where}: {name!r} is a nested record and takes no declaration: write "
                    f"'{name}: {annotation.__name__}'."
                )
            if not issubclass(annotation, kind):
                raise ModelError(
                    f"{where}: {name!r} is a {annotation.__name__}; a {kind.__name__} record nests "
                    f"{kind.__name__} records only."
                )
            members[name] = annotation
        elif name not in declared:
            raise ModelError(
                f"{where}: {name!r} has no declaration. Write '{name}: float = {example}', or "
                "annotate it with another record class."
            )
        elif not isinstance(declared[name], leaf_type):
            raise ModelError(
                f"{where}: {name!r} is declared with the wrong function. Write "
                f"'{name}: float = {example}'."
            )
        elif annotation is not float:
            raise ModelError(f"{where}: annotate {name!r} with float, not {annotation!r}.")
        else:
            members[name] = declared[name]
    return members


def _kind(cls: RecordType) -> tuple[type, type, str]:
    if issubclass(cls, Parameters):
        return Parameters, ParameterField, 'parameter(1.0, "unit", "words", SOURCE)'
    return State, StateField, 'state(1.0, "unit", "words")'


class Record(metaclass=RecordType):
    """What `State` and `Parameters` have in common. Do not derive from it directly."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _members: ClassVar[dict[str, Any]] = {}

    def __init__(self, *args: Any, **values: Any) -> None:
        cls = type(self)
        if args:
            raise ModelError(
                f"{cls.__name__}(...): write every field with its name, "
                f"{cls.__name__}({', '.join(f'{name}=...' for name in cls._fields[:3])}"
                f"{', ...' if len(cls._fields) > 3 else ''})."
            )
        members = cls._members
        for name in values:
            if name not in members:
                raise ModelError(unknown("field", name, members, cls.__name__))
        missing = [name for name in members if name not in values]
        if missing:
            advice = "every field needs its value"
            if isinstance(self, State):
                advice = "every field needs its derivative (or value); write 0.0 if it stays"
            names = ", ".join(map(repr, missing))
            raise ModelError(f"{cls.__name__}(...) is missing {names}: {advice}.")
        for name, member in members.items():
            value = values[name]
            if type(value) is not float or isinstance(member, RecordType):
                _check_value(cls, name, member, value)
            self.__dict__[name] = value

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{type(self).__name__} is immutable: build a new one with _replace({name}=...)."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable.")

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__dict__.values())

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash((type(self), *self))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({inside})"

    if not TYPE_CHECKING:  # a type checker must go on reporting misspelt names

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(
                f"{type(self).__name__} has no field {name!r}.{did_you_mean(name, self._fields)}",
                name=name,
                obj=self,
            )

    def _replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return type(self)(**{**self.__dict__, **changes})

    def _asdict(self) -> dict[str, Any]:
        """Fields by name; nested records stay records."""
        return dict(self.__dict__)

    @classmethod
    def _from_leaves(cls, values: Iterable[Any]) -> Self:
        """Build the nested record from its leaves in declaration order, without checks."""
        return cls._take(iter(values))

    @classmethod
    def _take(cls, values: Iterator[Any]) -> Self:
        record = object.__new__(cls)
        for name, member in cls._members.items():
            nested = isinstance(member, RecordType)
            record.__dict__[name] = cast(Any, member)._take(values) if nested else next(values)
        return record

    def _leaves(self) -> list[Any]:
        """Values of all leaves in declaration order."""
        flat: list[Any] = []
        for value in self.__dict__.values():
            if isinstance(value, Record):
                flat.extend(value._leaves())
            else:
                flat.append(value)
        return flat


def _check_value(cls: RecordType, name: str, member: Any, value: Any) -> None:
    if isinstance(member, RecordType):
        if not isinstance(value, member):
            raise ModelError(
                f"{cls.__name__}({name}=...): expected a {member.__name__} record, "
                f"got {_describe(value)}."
            )
    elif value is None or isinstance(value, (Record, str, tuple, list, dict, set, bool)):
        raise ModelError(
            f"{cls.__name__}({name}=...): expected a number, got {_describe(value)}."
            + (" Does a function lack its 'return'?" if value is None else "")
        )


def _describe(value: Any) -> str:
    if value is None:
        return "None"
    return f"a {type(value).__name__}"


class State(Record):
    """Record of the states of a model; its fields are declared with `state`.

    The same class holds states and, as the result of ``rhs``, their derivatives.

    Examples
    --------
    >>> class Blood(State):
    ...     virus: float = state(100.0, "virion/mL", "free virus")
    >>> Blood(virus=-1.0).virus
    -1.0
    """


class Parameters(Record):
    """Record of the parameters of a model; its fields are declared with `parameter`.

    Examples
    --------
    >>> from carsim import Assumed
    >>> class Rates(Parameters):
    ...     c: float = parameter(0.67, "1/day", "clearance", Assumed("example"))
    >>> Rates(c=0.5).c
    0.5
    """


def leaves(record: RecordType, prefix: str = "") -> list[tuple[str, Leaf]]:
    """Dotted names and declarations of all leaves of a record class, in declaration order."""
    found: list[tuple[str, Leaf]] = []
    for name, member in record._members.items():
        if isinstance(member, RecordType):
            found.extend(leaves(member, f"{prefix}{name}."))
        else:
            found.append((f"{prefix}{name}", member))
    return found

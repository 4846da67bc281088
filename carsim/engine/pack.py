"""Eight floats side by side, as a type that numba's compiled functions compute with.

LLVM turns a loop over lanes into vector instructions only as long as it finds the loop simple;
beyond some two hundred memory operands it gives up without a word. The generated kernels therefore
compute with packs, which are vectors by construction: ``load(y, 16)`` takes elements 16 to 23, the
operators act on all eight.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

from carsim.engine.jit import instruction

WIDTH = 8
_DOUBLES = ir.VectorType(ir.DoubleType(), WIDTH)
_BITS = ir.VectorType(ir.IntType(1), WIDTH)


class PackType(types.Type):
    """Eight float64."""

    def __init__(self) -> None:
        super().__init__(name=f"float64x{WIDTH}")


class MaskType(types.Type):
    """Eight booleans."""

    def __init__(self) -> None:
        super().__init__(name=f"boolean_x{WIDTH}")


PACK = PackType()
MASK = MaskType()


@register_model(PackType)
class _PackModel(models.PrimitiveModel):
    def __init__(self, manager: Any, frontend_type: Any) -> None:
        super().__init__(manager, frontend_type, _DOUBLES)


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, frontend_type: Any) -> None:
        super().__init__(manager, frontend_type, _BITS)


def splat(builder: Any, value: Any) -> Any:
    """The pack that holds a float in all places; packs as they are."""
    if isinstance(value.type, ir.VectorType):
        return value
    if isinstance(value, ir.Constant):
        return ir.Constant(_DOUBLES, [value.constant] * WIDTH)
    one = builder.insert_element(
        ir.Constant(_DOUBLES, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    places = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(one, ir.Constant(_DOUBLES, ir.Undefined), places)


_PAIRS = ((PACK, PACK), (PACK, types.float64), (types.float64, PACK))


class _First(ConcreteTemplate):
    """Types of an operator on packs or masks.

    An operator has many meanings in numba, which are tried in turn for each use; in a kernel with
    thousands of them that takes longer than the rest. Those for the processor come first, and those
    that look at their arguments cost the others nothing.
    """

    metadata: ClassVar = {"target": "cpu"}  # type: ignore[misc]  # numba declares none

    def apply(self, args: Any, kws: Any) -> Any:
        return super().apply(args, kws) if PACK in args or MASK in args else None


def _binary(function: Any, build: Callable[[Any, Any, Any], Any], result: types.Type) -> None:
    """Teach numba an operator on packs, and on a pack and a float."""

    @infer_global(function)
    class _Template(_First):
        cases: ClassVar = [signature(result, *pair) for pair in _PAIRS]

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        a, b = (splat(builder, argument) for argument in arguments)
        return build(builder, a, b)

    for pair in _PAIRS:
        lower_builtin(function, *pair)(generate)


_binary(operator.add, lambda builder, a, b: builder.fadd(a, b), PACK)
_binary(operator.sub, lambda builder, a, b: builder.fsub(a, b), PACK)
_binary(operator.mul, lambda builder, a, b: builder.fmul(a, b), PACK)
_binary(operator.truediv, lambda builder, a, b: builder.fdiv(a, b), PACK)
for _comparison, _symbol in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
):

    def _compare(builder: Any, a: Any, b: Any, symbol: str = _symbol) -> Any:
        return builder.fcmp_ordered(symbol, a, b)

    _binary(_comparison, _compare, MASK)


@infer_global(operator.neg)
class _Negation(_First):
    cases: ClassVar = [signature(PACK, PACK)]


@lower_builtin(operator.neg, PACK)
def _negate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
    return builder.fneg(arguments[0])


for _function, _name in ((operator.and_, "and_"), (operator.or_, "or_")):

    @infer_global(_function)
    class _MaskTemplate(_First):
        cases: ClassVar = [signature(MASK, MASK, MASK)]

    def _generate(context: Any, builder: Any, sig: Any, arguments: Any, name: str = _name) -> Any:
        return getattr(builder, name)(*arguments)

    lower_builtin(_function, MASK, MASK)(_generate)


@infer_global(operator.invert)
class _Inversion(_First):
    cases: ClassVar = [signature(MASK, MASK)]


@lower_builtin(operator.invert, MASK)
def _invert(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
    return builder.not_(arguments[0])


def _address(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(cgutils.gep(builder, data, offset), ir.PointerType(_DOUBLES))


@instruction
def load(typing_context: Any, array: Any, offset: Any) -> Any:
    """The eight elements of a flat array from `offset` on."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        pointer = _address(context, builder, sig.args[0], *arguments)
        instruction = builder.load(pointer)
        instruction.align = 8
        return instruction

    return PACK(array, types.intp), generate


@instruction
def store(typing_context: Any, array: Any, offset: Any, value: Any) -> Any:
    """Write a pack, or one float eight times, to a flat array from `offset` on."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        pointer = _address(context, builder, sig.args[0], *arguments[:2])
        instruction = builder.store(splat(builder, arguments[2]), pointer)
        instruction.align = 8
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


@instruction
def element(typing_context: Any, array: Any, offset: Any) -> Any:
    """One element, without the test for an index that counts from the end."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, arguments[0]).data
        return builder.load(cgutils.gep(builder, data, arguments[1]))

    return types.float64(array, types.intp), generate


@instruction
def select(typing_context: Any, condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        mask, yes, no = arguments
        return builder.select(mask, splat(builder, yes), splat(builder, no))

    return PACK(MASK, a, b), generate


@instruction
def some(typing_context: Any, condition: Any) -> Any:
    """Whether the condition holds anywhere."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(WIDTH), 0))

    return types.boolean(MASK), generate


@instruction
def nowhere(typing_context: Any) -> Any:
    """The condition that holds in no place."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return ir.Constant(_BITS, [0] * WIDTH)

    return MASK(), generate


@instruction
def repeat(typing_context: Any, x: Any) -> Any:
    """A pack of eight times the same float."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return splat(builder, arguments[0])

    return PACK(types.float64), generate


def _llvm_function(name: str) -> Any:
    @instruction
    def function(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            kind = ir.FunctionType(_DOUBLES, [_DOUBLES])
            declared = cgutils.get_or_insert_function(builder.module, kind, f"{name}.v{WIDTH}f64")
            return builder.call(declared, arguments)

        return PACK(PACK), generate

    return function


square_root = _llvm_function("llvm.sqrt")
magnitude = _llvm_function("llvm.fabs")


@instruction
def hyperbolic_tangent(typing_context: Any, x: Any) -> Any:
    """tanh, one element after the other."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()])
        function = cgutils.get_or_insert_function(builder.module, kind, "tanh")
        result = ir.Constant(_DOUBLES, ir.Undefined)
        for i in range(WIDTH):
            place = ir.Constant(ir.IntType(32), i)
            value = builder.call(function, [builder.extract_element(arguments[0], place)])
            result = builder.insert_element(result, value, place)
        return result

    return PACK(PACK), generate

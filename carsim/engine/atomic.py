"""A counter that threads share."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from carsim.engine.jit import INTEGERS, instruction


@instruction
def fetch_and_add(typing_context: Any, counter: Any, position: Any, amount: Any) -> Any:
    """Add `amount` to ``counter[position]`` and return what was there before, as one operation."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = cgutils.get_item_pointer(
            context, builder, signature.args[0], array, [arguments[1]], wraparound=False
        )
        value = builder.bitcast(arguments[2], ir.IntType(64))
        return builder.atomic_rmw("add", pointer, value, "monotonic")

    return types.int64(INTEGERS, types.int64, types.int64), generate

"""Subnormal numbers count as zero while the driver runs.

Decayed pools run into numbers below 2.3e-308, which processors compute with many times slower than
with others. A flag of the processor makes them zero, for the thread that sets it. It is known how
to set on x86 (MXCSR) and aarch64 (FPCR); elsewhere subnormals stay what they are.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from carsim.engine.jit import instruction

_WORD = ir.IntType(32)
_LONG = ir.IntType(64)
_MACHINE = platform.machine().lower()
# MXCSR: subnormal results (bit 15) and operands (bit 6) are zero. FPCR: both (bit 24).
_MXCSR_FLAGS = 1 << 15 | 1 << 6
_FPCR_FLAG = 1 << 24

FLUSHES = _MACHINE in ("x86_64", "amd64", "aarch64", "arm64")
"""Whether subnormals are flushed on this machine."""


def _exchange_mxcsr(builder: Any, asked: Any, mask: Any) -> Any:
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte])
    read = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.stmxcsr")
    write = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.ldmxcsr")
    place = cgutils.alloca_once(builder, _WORD)
    address = builder.bitcast(place, byte)
    builder.call(read, [address])
    old = builder.load(place)
    new = builder.or_(builder.and_(old, builder.not_(mask)), builder.and_(asked, mask))
    builder.store(new, place)
    builder.call(write, [address])
    return old


def _exchange_fpcr(builder: Any, asked: Any, mask: Any) -> Any:
    read = ir.InlineAsm(ir.FunctionType(_LONG, []), "mrs $0, fpcr", "=r", side_effect=True)
    write = ir.InlineAsm(
        ir.FunctionType(ir.VoidType(), [_LONG]), "msr fpcr, $0", "r", side_effect=True
    )
    old = builder.call(read, [])
    new = builder.or_(builder.and_(old, builder.not_(mask)), builder.and_(asked, mask))
    builder.call(write, [new])
    return old


@instruction
def exchange_flags(typing_context: Any, asked: Any) -> Any:
    """Set the flags to those of `asked` (-1 sets all of them); the register as it was.

    What comes back, given again, restores it.
    """

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        if _MACHINE in ("x86_64", "amd64"):
            word = builder.trunc(arguments[0], _WORD)
            old = _exchange_mxcsr(builder, word, ir.Constant(_WORD, _MXCSR_FLAGS))
            return builder.zext(old, _LONG)
        if _MACHINE in ("aarch64", "arm64"):
            return _exchange_fpcr(builder, arguments[0], ir.Constant(_LONG, _FPCR_FLAG))
        return arguments[0]

    return types.int64(types.int64), generate

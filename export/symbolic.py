"""Sizes that an ONNX graph gives as formulas, such as `(((frames - 1)//2)) + 1`, as numbers."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

_BINARY: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_CALLS: Mapping[str, Callable[..., int]] = {"Min": min, "Max": max}


def evaluated(formula: str, known: Mapping[str, int]) -> int:
    """Raises ValueError for a name that is not known, or anything but whole-number arithmetic."""
    try:
        return _value(ast.parse(formula.strip(), mode="eval").body, known)
    except (SyntaxError, KeyError, ZeroDivisionError, RecursionError) as problem:
        raise ValueError(f"the size {formula!r} cannot be computed") from problem


def _value(node: ast.expr, known: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return known[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, known)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return _BINARY[type(sign)](_value(left, known), _value(right, known))
        case ast.Call(func=ast.Name(id=name), args=given, keywords=[]):
            return _CALLS[name](*(_value(one, known) for one in given))
        case _:
            raise KeyError(ast.dump(node))

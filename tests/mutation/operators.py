"""Small changes to Python source that a test must notice, one at a time, in the order of the source."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "floor_to": "ceil_to", "ceil_to": "floor_to"}

Change = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """The whole module with one change; `what` names it, `line` is where."""

    line: int
    what: str
    source: str
    lines: range
    """Of the statement that holds the change."""
    in_function: bool


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module, deterministic."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    for number, node in enumerate(nodes):
        lines, inside = _place(node, nodes)
        for what, change in _changes(node, nodes):
            fresh = copy.deepcopy(tree)
            change(list(ast.walk(fresh))[number])
            text = ast.unparse(ast.fix_missing_locations(fresh))
            if text != ast.unparse(tree):
                yield Mutant(getattr(node, "lineno", 0), what, text, lines, inside)


def _place(node: ast.AST, nodes: list[ast.AST]) -> tuple[range, bool]:
    """Lines of the innermost statement around a node (of a compound one, its head); whether it is in a function."""
    line = getattr(node, "lineno", 0)
    around = [n for n in nodes if isinstance(n, ast.stmt) and n.lineno <= line <= (n.end_lineno or n.lineno)]
    if not around:
        return range(line, line + 1), False
    inner = max(around, key=lambda n: (n.lineno, -(n.end_lineno or 0)))
    body = getattr(inner, "body", None)
    end = body[0].lineno - 1 if isinstance(body, list) and body else (inner.end_lineno or inner.lineno)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    inside = any(isinstance(n, functions) and n.body[0].lineno <= line for n in around)
    return range(inner.lineno, max(end, inner.lineno) + 1), inside


def _changes(node: ast.AST, nodes: list[ast.AST]) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Compare():
            for place, found in enumerate(node.ops):
                for other in COMPARISONS[type(found)]:
                    yield f"{type(found).__name__} -> {other.__name__}", _operator(place, other)
        case ast.BinOp() if type(node.op) in ARITHMETIC and not _is_text(node):
            other_op = ARITHMETIC[type(node.op)]
            yield f"{type(node.op).__name__} -> {other_op.__name__}", lambda n: setattr(n, "op", other_op())
        case ast.AugAssign() if type(node.op) in ARITHMETIC:
            other_op = ARITHMETIC[type(node.op)]
            yield f"{type(node.op).__name__}= -> {other_op.__name__}=", lambda n: setattr(n, "op", other_op())
        case ast.BoolOp():
            other_bool = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield f"{type(node.op).__name__} -> {other_bool.__name__}", lambda n: setattr(n, "op", other_bool())
        case ast.UnaryOp() if isinstance(node.op, ast.Not):
            yield "not dropped", _drop_operator
        case ast.UnaryOp() if isinstance(node.op, ast.USub):
            yield "minus dropped", _drop_operator
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            yield f"{name} -> {NAMES[name]}", lambda n: setattr(n.func, "id", NAMES[name])
        case ast.If() | ast.IfExp() | ast.While():
            for value in (True, False):
                yield f"condition always {value}", lambda n, v=value: setattr(n, "test", ast.Constant(v))
        case ast.Constant(value=bool(value)):
            yield f"{value} -> {not value}", lambda n: setattr(n, "value", not value)
        case ast.Constant(value=int() | float() as number):
            yield f"{number} -> {number + 1}", lambda n: setattr(n, "value", number + 1)
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield "returns None", lambda n: setattr(n, "value", ast.Constant(None))
        case ast.Break():
            yield "break -> continue", _become(ast.Continue())
        case ast.Continue():
            yield "continue -> break", _become(ast.Break())
        case ast.Assign() | ast.AugAssign() | ast.Expr() if _in_function(node, nodes) and not _is_docstring(node):
            yield "statement dropped", _become(ast.Pass())
        case _:
            return


def _operator(place: int, other: type[ast.cmpop]) -> Change:
    def change(node: Any) -> None:
        node.ops[place] = other()

    return change


def _drop_operator(node: Any) -> None:
    operand = node.operand
    node.__class__ = operand.__class__
    node.__dict__.clear()
    node.__dict__.update(operand.__dict__)


def _become(other: ast.stmt) -> Change:
    def change(node: Any) -> None:
        node.__class__ = other.__class__
        node.__dict__.clear()

    return change


def _is_text(node: ast.BinOp) -> bool:
    """Concatenated text, or a union of types in an annotation."""
    sides = (node.left, node.right)
    if isinstance(node.op, ast.BitOr):
        return any(_is_none(side) or isinstance(side, ast.Name | ast.Subscript) for side in sides)
    return any(isinstance(side, ast.JoinedStr) or isinstance(getattr(side, "value", None), str) for side in sides)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _in_function(node: ast.AST, nodes: list[ast.AST]) -> bool:
    return any(
        isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) and any(each is node for each in ast.walk(outer))
        for outer in nodes
    )

"""The small changes that `mutate.py` tries, and how running code is given one."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FunctionType

OTHERS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.FloorDiv: (ast.Mult,),
    ast.Div: (ast.Mult,),
    ast.Mod: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
NAMES |= {"first": "last", "last": "first"}
STEPS = dict.fromkeys(["filter", "exclude", "order_by", "distinct"])
STEPS |= dict.fromkeys(["select_for_update", "select_related"])
KINDS = {"property", "cached_property", "classmethod", "staticmethod"}
TEXTS = {"_", "gettext", "ngettext"}


@dataclass(frozen=True)
class Mutant:
    """One place in a function, and what it is replaced with."""

    tree: ast.Module
    lines: range
    old: ast.AST
    new: ast.AST

    def __str__(self) -> str:
        if isinstance(self.old, ast.FunctionDef):
            gone = ast.unparse(self.old.decorator_list[0])
            return f"{self.lines[0]}: {self.old.name} without @{gone}"
        old, new = (ast.unparse(n).splitlines()[0] for n in (self.old, self.new))
        return f"{self.lines[0]}: {old}  ->  {new}"


class Replacing(ast.NodeTransformer):
    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.mutant.old:
            return self.mutant.new
        return self.generic_visit(node)


def mutants(file: Path) -> Iterator[Mutant]:
    """Yield what can be changed in the functions of a file."""
    tree = ast.parse(file.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        if function.decorator_list and not _is_declared(function):
            lines = range(function.body[0].lineno, (function.end_lineno or 0) + 1)
            yield Mutant(tree, lines, function, ast.Pass())
        for statement in _within(function):
            lines = range(statement.lineno, _last_line(statement) + 1)
            for node in _own(statement):
                for new in _changed(node):
                    ast.fix_missing_locations(ast.copy_location(new, node))
                    yield Mutant(tree, lines, node, new)


def fatal(found: list[Mutant], by: Callable[[Mutant], int]) -> Mutant:
    """Return a mutant that always fails, at the return that has most of something."""
    mutant = max((m for m in found if isinstance(m.old, ast.Return)), key=by)
    fails = ast.copy_location(
        ast.Raise(ast.Name("SystemError", ast.Load())), mutant.old
    )
    return replace(mutant, new=ast.fix_missing_locations(fails))


def _is_declared(function: ast.FunctionDef) -> bool:
    return any(_name(name) in KINDS for name in function.decorator_list)


def _within(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    for node in function.body:
        yield from _statements(node)


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return
    if isinstance(node, ast.stmt):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _statements(child)


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement's own nodes: no statement in it, no type and no text."""
    yield node
    for name, value in ast.iter_fields(node):
        if name == "annotation":
            continue
        for child in value if isinstance(value, list) else [value]:
            is_text = isinstance(child, ast.Call) and _name(child.func) in TEXTS
            if isinstance(child, ast.AST) and not (
                is_text or isinstance(child, ast.stmt)
            ):
                yield from _own(child)


def _last_line(statement: ast.stmt) -> int:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or 0
    return max(statement.lineno, last)


def _name(node: ast.AST) -> str:
    return getattr(node, "id", getattr(node, "attr", ""))


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left, [operator], right):
            for other in OTHERS[type(operator)]:
                yield ast.Compare(left, [other()], right)
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(OTHERS[type(operator)][0](), values)
            for left_out in values:
                rest = [value for value in values if value is not left_out]
                yield ast.BoolOp(operator, rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(ast.Not() | ast.USub() | ast.Invert(), operand):
            yield operand
        case ast.BinOp(left, operator, right) if not _is_text(left):
            for other in OTHERS.get(type(operator), ()):
                yield ast.BinOp(left, other(), right)
        case ast.AugAssign(target, operator, value):
            for other in OTHERS.get(type(operator), ()):
                yield ast.AugAssign(target, other(), value)
            yield ast.Assign([target], value)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() as value):
            yield ast.Constant(value + 1)
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.If(_, body, orelse):
            for constant in (True, False):
                yield ast.If(ast.Constant(constant), body, orelse)
        case ast.comprehension(target, iterable, [_, *_]):
            yield ast.comprehension(target, iterable, [], node.is_async)
        case ast.Return(value) if value and getattr(value, "value", "") is not None:
            yield ast.Return(ast.Constant(None))
        case ast.Expr(ast.Call()) | ast.Raise():
            yield ast.Pass()
        case ast.Assign([ast.Attribute()]):
            yield ast.Pass()
        case ast.Call():
            yield from _called_otherwise(node)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _called_otherwise(call: ast.Call) -> Iterator[ast.AST]:
    function, arguments, keywords = call.func, call.args, call.keywords
    if _name(function) in (NAMES | STEPS) and len(arguments) + len(keywords) > 1:
        for argument in arguments:
            rest = [other for other in arguments if other is not argument]
            yield ast.Call(function, rest, keywords)
    for keyword in keywords:
        others = [other for other in keywords if other is not keyword]
        yield ast.Call(function, arguments, others)
    match function:
        case ast.Name(name) if name in NAMES:
            yield ast.Call(ast.Name(NAMES[name], ast.Load()), arguments, keywords)
        case ast.Attribute(value, "first" | "last" as name):
            other = ast.Attribute(value, NAMES[name], ast.Load())
            yield ast.Call(other, arguments, keywords)
        case ast.Attribute(value, name) if name in STEPS:
            yield value


def apply(
    mutant: Mutant | None, file: Path, module: str, functions: list[FunctionType]
) -> bool:
    """Give a module's functions the mutant's code; tell whether it was possible.

    With None they get their own code again.
    """
    if mutant and isinstance(mutant.old, ast.FunctionDef):
        return _undecorate(mutant.old, module)
    tree = ast.parse(file.read_text()) if mutant is None else mutant.tree
    if mutant:
        Replacing(mutant).visit(tree)
    code = compile(ast.fix_missing_locations(tree), str(file), "exec")
    codes = {(c.co_name, c.co_firstlineno): c for c in _codes(code)}
    for function in functions:
        old = function.__code__
        new = codes.get((old.co_name, old.co_firstlineno), old)
        if old.co_freevars != new.co_freevars:
            return False
        function.__code__ = new
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def functions_of(file: Path) -> list[FunctionType]:
    """Return all functions of a file that there are in this process, wrapped or not."""
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, FunctionType) and found.__code__.co_filename == str(file)
    ]


def _undecorate(function: ast.FunctionDef, module: str) -> bool:
    """Put a function without its outermost decorator wherever it was with it."""
    owners: list[object] = [m for m in list(sys.modules.values()) if m]
    own = vars(sys.modules[module])
    classes = [c for c in own.values() if isinstance(c, type)]
    wrapped = {
        found
        for owner in (sys.modules[module], *classes)
        if isinstance(found := vars(owner).get(function.name), FunctionType)
        and hasattr(found, "__wrapped__")
    }
    for owner in (*owners, *classes):
        for name, value in list(vars(owner).items()):
            if isinstance(value, FunctionType) and value in wrapped:
                setattr(owner, name, value.__wrapped__)
    return bool(wrapped)

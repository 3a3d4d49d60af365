"""Small changes to a file of code, one at a time: to Python in its syntax tree, to SQL in its text."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parents[1]

EXEMPT = re.compile(r"^(BATCH|PATIENCE|CHUNK|LOCK|TRIES|_?AT_ONCE|_?PAGE|log|T)$")
"""Names whose values are tuning: any value is right."""

SILENT = ("log.", "logger.", "audit.", "warnings.", "calling.report(")
"""Calls for the operator's eyes: their words may be any."""

LOCKS = ("with_for_update", "populate_existing")
"""Arguments that only matter side by side, and on PostgreSQL: SQLite has one writer at a time."""

LOCKING = ("_lock",)
"""Functions that do nothing but lock rows, for the same reason; calls of them, too."""

_SQL = re.compile(r"\b(select|insert into|update|delete from|where|exists|case when|join|coalesce|union all|sum)\b")
_SQL_CHANGES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), to)
    for pattern, to in (
        (r"(?<![<>=|])<(?![>=])", "<="),
        (r"<=", "<"),
        (r"(?<![<>|])>(?!=)", ">="),
        (r">=", ">"),
        (r"<>", "="),
        (r"(?<![<>=|:])=(?!=)", "<>"),
        (r"\band\b", "or"),
        (r"\bor\b", "and"),
        (r"(?<=\w) \+ (?=[\w:(])", " - "),
        (r"(?<=[\w)]) - (?=[\w:(])", " + "),
        (r"(?<=[\w)]) \* (?=[\w:(])", " / "),
        (r"(?<=[\w)]) / (?=[\w:(])", " * "),
        (r"\bnot exists\b", "exists"),
        (r"(?<!not )\bexists\b", "not exists"),
        (r"\bis null\b", "is not null"),
        (r"\bis not null\b", "is null"),
        (r"\bmin\(", "max("),
        (r"\bmax\(", "min("),
        (r"\bleft join\b", "join"),
        (r"\bunion all\b", "union"),
        (r"\bdesc\b", "asc"),
        (r"(?<!limit )(?<!select )(?<![\w:.'])(\d+)(?![\w'])", "+1"),
        (r"'[a-z_]+'", "'other'"),
    )
)

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change in one module."""

    module: str
    """Its path."""
    line: int
    within: str
    """The function it is in (``Class.method``), or the constant at the module's top; empty if neither."""
    what: str
    place: int
    variant: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line}  {self.within}  {self.what}"

    def code(self) -> CodeType:
        """The module with the change, compiled."""
        tree = ast.parse((ROOT / self.module).read_text())
        place = _places(tree)[self.place]
        _put(tree, place, list(_variants(place))[self.variant][1])
        ast.fix_missing_locations(tree)
        return compile(tree, self.module, "exec")


def mutants(path: Path) -> Iterator[Mutant]:
    """Every change that is tried in a file."""
    tree = ast.parse(path.read_text())
    for number, place in enumerate(_places(tree)):
        for variant, (what, replacement) in enumerate(_variants(place)):
            before = ast.unparse(place)
            described = what or f"{_short(before)}  ->  {_short(ast.unparse(replacement))}"
            line = getattr(place, "lineno", 0)
            name = str(path.relative_to(ROOT))
            yield Mutant(
                module=name, line=line, within=_within(tree, line), what=described, place=number, variant=variant
            )


def _within(tree: ast.Module, line: int) -> str:
    """The name of the outermost function or constant that a line is in."""
    body, start = tree.body, ""
    for node in body:
        if not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        if isinstance(node, ast.ClassDef):
            body, start = node.body, f"{node.name}."
            for inner in body:
                if inner.lineno <= line <= (inner.end_lineno or 0) and isinstance(inner, ast.FunctionDef):
                    return f"{start}{inner.name}"
            return node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return node.name
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        return target.id if isinstance(target, ast.Name) else ""
    return ""


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) < 90 else f"{flat[:87]}..."


def _places(tree: ast.AST) -> list[ast.AST]:
    """The nodes that may be changed: no annotations, decorators, docstrings, error texts, log lines or imports."""
    found: list[ast.AST] = []
    if isinstance(tree, ast.JoinedStr):  # its pieces are SQL if any is
        pieces = [each for each in tree.values if isinstance(each, ast.Constant)]
        if any(_SQL.search(str(each.value)) for each in pieces):
            for each in pieces:
                vars(each)["sql"] = True
            return [*pieces, *(inner for each in tree.values for inner in _places(each))]
    for name, field in ast.iter_fields(tree):
        for node in field if isinstance(field, list) else [field]:
            if not isinstance(node, ast.AST) or name in ("annotation", "returns", "decorator_list", "exc", "msg"):
                continue
            if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert):
                continue
            if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.Or) and ast.unparse(node) == "0":
                continue  # for what always says a number, but whose type does not
            if isinstance(node, ast.keyword) and node.arg in LOCKS:
                continue
            if isinstance(tree, ast.Call) and name == "args" and getattr(tree.func, "attr", "") == "limit":
                continue  # before first(): more rows would be read, and none of them used
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring
            if isinstance(node, ast.Expr) and ast.unparse(node).startswith(SILENT):
                continue
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            if isinstance(node, ast.FunctionDef) and node.name in LOCKING:
                continue
            if isinstance(node, ast.Expr) and ast.unparse(node).startswith(tuple(f"{name}(" for name in LOCKING)):
                continue
            if isinstance(node, ast.Assign | ast.AnnAssign) and _is_exempt(node):
                continue
            found += [node, *_places(node)]
    return found


def _is_exempt(node: ast.Assign | ast.AnnAssign) -> bool:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return isinstance(target, ast.Name) and bool(EXEMPT.match(target.id))


def _variants(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARED:
            made = copy.deepcopy(node)
            made.ops = [_COMPARED[type(operator)]()]
            yield "", made
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _RECKONED and not _is_text(node):
            changed = copy.deepcopy(node)
            changed.op = _RECKONED[type(operator)]()
            yield "", changed
        case ast.BoolOp(op=operator):
            either = copy.deepcopy(node)
            either.op = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield "", either
        case ast.UnaryOp(op=ast.Not()):
            yield "", copy.deepcopy(node.operand)
        case ast.If() | ast.While() | ast.IfExp():
            other = copy.deepcopy(node)
            other.test = ast.UnaryOp(op=ast.Not(), operand=other.test)
            yield f"if not: {_short(ast.unparse(node.test))}", other
        case ast.Expr(value=ast.Call()):
            yield f"left out: {_short(ast.unparse(node))}", ast.Pass()
        case ast.Name(id=name, ctx=ast.Load()) if name in _NAMES:
            yield "", ast.Name(id=_NAMES[name], ctx=ast.Load())
        case ast.Constant(value=bool(value)):
            yield "", ast.Constant(value=not value)
        case ast.Constant(value=int(value)):
            yield "", ast.Constant(value=value + 1)
        case ast.Constant(value=str(value)) if _SQL.search(value) or hasattr(node, "sql"):
            yield from _sql(value)


def _is_text(node: ast.BinOp | ast.AugAssign) -> bool:
    sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in sides
    )


def _sql(text: str) -> Iterator[tuple[str, ast.AST]]:
    for pattern, to in _SQL_CHANGES:
        for found in pattern.finditer(text):
            new = str(int(found[0]) + 1) if to == "+1" else to
            if new == found[0]:
                continue
            around = text[max(0, found.start() - 30) : found.end() + 30]
            changed = text[: found.start()] + new + text[found.end() :]
            yield f"SQL {found[0].strip()} -> {new.strip()} in {_short(around)!r}", ast.Constant(value=changed)


def _put(tree: ast.AST, place: ast.AST, replacement: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, field in ast.iter_fields(parent):
            if field is place:
                setattr(parent, name, replacement)
                return
            if isinstance(field, list) and any(each is place for each in field):
                setattr(parent, name, [replacement if each is place else each for each in field])
                return

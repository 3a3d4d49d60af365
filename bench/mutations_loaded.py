"""Puts a change into code that is loaded already, so that a forked child need not load anything again.

Functions keep their identity and get the changed code, for others have imported them; constants are replaced wherever
they were imported, and modules whose own constants are made of them are reckoned anew.
"""

from __future__ import annotations

import ast
import functools
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.mutations import ROOT, Mutant


def put_in(mutant: Mutant) -> None:
    """Change the loaded module; whatever the changed code raises when it is loaded is raised here."""
    name = _module_name(mutant.module)
    changed = [(name, _load(name, mutant.code()))]
    for name, new in changed:
        moved = _carry_over(sys.modules[name], new)
        if moved:
            for other in _made_of(name):
                if all(other != known for known, _ in changed):
                    source = (ROOT / f"{other.replace('.', '/')}.py").read_text()
                    changed.append((other, _load(other, compile(source, other, "exec"))))


def users_of(mutant: Mutant) -> dict[str, set[int]]:
    """The lines, by module, of functions that use a constant or function by its name, directly or through others."""
    wanted, found = {mutant.within.split(".")[0]}, dict[str, set[int]]()
    for path, tops in _tops().items():
        names = set(wanted)
        grown = True
        while grown:
            grown = False
            for _, name, lines, used in tops:
                if used & names:
                    if lines:
                        found.setdefault(path, set()).update(lines)
                    elif name not in names:
                        names.add(name)
                        grown = True
        if path == mutant.module:
            wanted |= names
    return found


@functools.cache
def _tops() -> dict[str, list[tuple[int, str, frozenset[int], frozenset[str]]]]:
    """What stands at the top of the core's modules: line, name, a function's lines, the names that are used in it."""
    found: dict[str, list[tuple[int, str, frozenset[int], frozenset[str]]]] = {}
    for path in sorted((ROOT / "core").rglob("*.py")):
        tops = []
        for node in ast.parse(path.read_text()).body:
            used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            used |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", node)
            name = getattr(target, "id", "") or getattr(target, "name", "")
            lines: frozenset[int] = frozenset()
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                lines = frozenset(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
            tops.append((node.lineno, name, lines, frozenset(used)))
        found[str(path.relative_to(ROOT))] = tops
    return found


def _module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def _load(name: str, code: types.CodeType) -> dict[str, Any]:
    fresh = types.ModuleType(name)
    fresh.__file__ = str(ROOT / f"{name.replace('.', '/')}.py")
    fresh.__package__ = name.rpartition(".")[0]
    exec(code, fresh.__dict__)
    return fresh.__dict__


def _made_of(name: str) -> Iterator[str]:
    """Loaded modules with a text at their top that is made with what they import from this one."""
    short = name.rpartition(".")[2]
    for other, module in list(sys.modules.items()):
        if not other.startswith("core.") or other == name or other.endswith(".tables"):
            continue
        path = Path(getattr(module, "__file__", None) or "")
        if path.suffix != ".py" or short not in (source := path.read_text()):
            continue
        if any(isinstance(each, ast.JoinedStr) for node in ast.parse(source).body
               if isinstance(node, ast.Assign | ast.AnnAssign) for each in ast.walk(node)):  # fmt: skip
            yield other


def _carry_over(module: types.ModuleType, new: dict[str, Any]) -> bool:
    """Whether a constant changed."""
    moved = False
    old = vars(module)
    for name, value in new.items():
        if name.startswith("__") or name not in old:
            continue
        before = old[name]
        if isinstance(value, types.ModuleType) or before is value:
            continue
        if _function(before) is not None or isinstance(before, type):
            if getattr(before, "__module__", None) == module.__name__:
                _replace(before, value)
        elif repr(before) != repr(value):
            moved = True
            for other in list(sys.modules.values()):
                if getattr(other, "__name__", "").startswith("core") and vars(other).get(name) is before:
                    setattr(other, name, value)
    return moved


def _function(thing: Any) -> types.FunctionType | None:
    thing = getattr(thing, "fget", None) or getattr(thing, "__func__", thing)
    while hasattr(thing, "__wrapped__"):
        thing = thing.__wrapped__
    return thing if isinstance(thing, types.FunctionType) else None


def _replace(before: Any, value: Any) -> None:
    if isinstance(before, type):
        for name, part in list(vars(value).items()):
            known = vars(before).get(name)
            mine, theirs = _function(known), _function(part)
            if mine is not None and theirs is not None:
                if len(mine.__code__.co_freevars) == len(theirs.__code__.co_freevars):
                    _replace(known, part)
                else:  # "super()" came or went
                    setattr(before, name, part)
            elif not name.startswith("__") and isinstance(part, int | str | tuple | frozenset) and part != known:
                setattr(before, name, part)
        return
    old, new = _function(before), _function(value)
    if old is None or new is None:
        return
    for mine, theirs in zip(old.__closure__ or (), new.__closure__ or (), strict=False):
        if isinstance(mine.cell_contents, int | str | tuple | frozenset | None):  # a dataclass's defaults
            mine.cell_contents = theirs.cell_contents
    if len(old.__code__.co_freevars) == len(new.__code__.co_freevars):
        old.__code__ = new.__code__
    old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
    if hasattr(before, "cache_clear"):
        before.cache_clear()

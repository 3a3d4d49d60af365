"""What an examination finds, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.markup import escape

from config.commands import show

_MARKS = {"well": "[green]ok[/]", "note": "[cyan]note[/]", "attention": "[yellow]look[/]", "broken": "[red]broken[/]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; ``remedy`` is what to do about it."""

    what: str
    state: Literal["well", "note", "attention", "broken"]
    text: str
    remedy: str = ""


def print_findings(findings: Sequence[Finding]) -> None:
    """The findings as a table; what needs attention has its remedy below it."""
    made = show.table(["", "what", "as found"])
    for finding in findings:
        text = escape(finding.text) + (f"\n[bold]->[/] {escape(finding.remedy)}" if finding.remedy else "")
        made.add_row(_MARKS[finding.state], escape(finding.what), text)
    show.console().print(made)

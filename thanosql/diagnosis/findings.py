"""What a check found, and all of them as text."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

MARKS = {"ok": "ok     ", "note": "note   ", "warning": "warning", "error": "ERROR  "}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. An error keeps statements from working, a warning may; `cure` is what to do."""

    subject: str
    severity: Literal["ok", "note", "warning", "error"]
    message: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings; `ok` where none is an error. As text it is a line a finding, its cure below it."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.severity != "error" for finding in self.findings)

    def __str__(self) -> str:
        lines = []
        for finding in self.findings:
            begin = f"{MARKS[finding.severity]}  {finding.subject:<13} "
            lines.append(textwrap.fill(finding.message, 110, initial_indent=begin, subsequent_indent=" " * 23))
            if finding.cure:
                lines.append(
                    textwrap.fill(finding.cure, 110, initial_indent=" " * 23 + "→ ", subsequent_indent=" " * 25)
                )
        counts = {kind: sum(finding.severity == kind for finding in self.findings) for kind in ("error", "warning")}
        ends = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items() if count]
        return "\n".join([*lines, ", ".join(ends) + "." if ends else "No problems found."])

    __repr__ = __str__

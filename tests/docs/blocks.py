"""A page of Markdown in, its fenced code blocks out, each with its language, attributes and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

_OPENING = re.compile(r"^(?P<indent> *)```+ *(?:\{ *\.(?P<braced>\w+)(?P<attributes>[^}]*)\}|(?P<plain>\w*).*)$")
_ATTRIBUTE = re.compile(r'(?:data-)?([\w-]+)="([^"]*)"')


@dataclass(frozen=True)
class Block:
    """`line` is the 1-based one of the opening fence; `attributes` are those in braces, without their `data-`."""

    page: Path
    line: int
    language: str
    text: str
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, in their order."""
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        opening = _OPENING.match(line)
        if opening is None:
            continue
        indent = len(opening["indent"])
        inside = []
        for _, below in lines:
            if below.strip().startswith("```"):
                break
            inside.append(below[indent:])
        else:
            raise ValueError(f"{page}:{number}: a code block is not closed")
        attributes = dict(_ATTRIBUTE.findall(opening["attributes"] or ""))
        yield Block(page, number, opening["braced"] or opening["plain"] or "text", "\n".join(inside), attributes)

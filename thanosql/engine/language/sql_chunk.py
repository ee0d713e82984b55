"""Chunks of SQL that the lexer reads as one: what is open in one while it is read, the token that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lark import Token


class SQLChunk(Token):
    """What stands for many tokens: a stretch of SQL, its `parts` text and parameters, or a list's literals."""

    parts: tuple[Any, ...]

    @classmethod
    def of(cls, kind: str, text: str, start: int, end: int, parts: Sequence[Any]) -> SQLChunk:
        chunk = cls(kind, text[start:end], start, end_pos=end)
        chunk.parts = tuple(parts)
        return chunk


@dataclass(slots=True)
class Region:
    """A stretch of SQL while it is read. `last` is its last character that is neither white space nor comment."""

    parenthesis: int | None
    ours: bool
    last: int = -1
    openers: list[int] = field(default_factory=list)
    outer: int = -1  # the parenthesis it begins with
    blocks: int = 0  # BEGIN ATOMIC … END, and CASE … END in it

    def ends_with(self, sign: str) -> bool:
        if self.openers:
            return False
        return self.blocks == 0 if sign == ";" else sign == ")" and self.parenthesis is not None

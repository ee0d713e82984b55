"""What follows USING, as data: a model's or base's name, where its files are, and which state of them is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Model:
    """What follows USING: `checkpoint` is a folder or hub id, `key` tells one state of it from any other.

    `family` is its model_type; empty for a hub id of which nothing is known yet. `language` is the one that it is heard in,
    of the `languages` (a number) that it has; None where it has only one.
    """

    name: str
    checkpoint: str
    family: str
    base: str
    version: int | None = None
    card: Mapping[str, Any] | None = None
    key: str = ""
    language: str | None = None
    languages: int = 0

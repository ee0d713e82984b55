"""Values or a file in, a short fingerprint out: 16 hexadecimal digits of SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DIGITS = 16


def digest(parts: Iterable[Any]) -> str:
    """A fingerprint of values in their order; bytes by their content, the others by how they are written.

    >>> digest(["ab", "c"]) == digest(["a", "bc"])
    False
    """
    found = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else repr(part).encode()
        found.update(len(content).to_bytes(8, "big"))
        found.update(content)
    return found.hexdigest()[:DIGITS]


def file_digest(path: Path) -> str:
    """A fingerprint of a file's content. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]

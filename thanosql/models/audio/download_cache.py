"""Files fetched from other machines in, their bytes out again and again, from one file that has no name.

The operating system lets go of it with the process, however that ends: a kill leaves nothing behind. `Downloads` stands
for a cache where handles cannot go: in the process that opened the cache it finds that one, in another it opens its own.
"""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Downloads:
    """A download cache as data: the folder on whose disk it lies, and what tells it from others."""

    folder: Path
    key: str

    def cache(self) -> DownloadCache:
        """The cache, opened where this process has it not yet; such a one lasts as long as the process."""
        with _turn:
            if self.key not in _open:
                self.folder.mkdir(parents=True, exist_ok=True)
                _open[self.key] = DownloadCache(self.folder)
            return _open[self.key]


_open: dict[str, DownloadCache] = {}
_turn = threading.Lock()


class DownloadCache:
    """A context manager; `folder` is on the disk that the content goes to."""

    def __init__(self, folder: Path) -> None:
        self.downloads = Downloads(folder, secrets.token_hex(8))
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  (closed by `close`)
        self._places: dict[str, tuple[int, int]] = {}  # offset and length in bytes
        self._end = 0
        self._turn = threading.Lock()

    def content(self, name: str, fetch: Callable[[str], bytes]) -> bytes:
        """What `fetch` gave for this name when it was first asked for. Threads may ask at once.

        Raises what `fetch` raises, and OSError, with the folder, when the disk is full.
        """
        with self._turn:
            known = self._read(name)
        if known is not None:
            return known
        content = fetch(name)
        with self._turn:
            # Two may have come for one file: the first is kept.
            if name not in self._places:
                begin = self._file.seek(self._end)
                try:
                    left = memoryview(content)
                    while left:
                        left = left[self._file.write(left) :]
                except OSError as error:
                    raise OSError(error.errno, error.strerror, str(self.downloads.folder)) from error
                self._places[name], self._end = (begin, len(content)), begin + len(content)
        return content

    def _read(self, name: str) -> bytes | None:
        place = self._places.get(name)
        if place is None:
            return None
        self._file.seek(place[0])
        return self._file.read(place[1])

    def close(self) -> None:
        _open.pop(self.downloads.key, None)
        self._file.close()

    def __enter__(self) -> Self:
        _open[self.downloads.key] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""A text file of any encoding in, its bytes as UTF-8 out, without byte order mark and without the lines before its table."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from thanosql import confinement
from thanosql.errors import ThanoSQLDataError, ThanoSQLOptionError

BLOCK = 1 << 20
# The longer marks first: UTF-32's begins as UTF-16's does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
OTHER_ENCODING = "OPTIONS (encoding='cp1252') or (encoding='cp949') reads what Windows wrote in the West or in Korea."


@dataclass(frozen=True)
class Encoding:
    """How a file's bytes are read: the codec's name as Python has it, and the bytes of the mark before the text."""

    codec: str = "utf-8"
    mark: int = 0

    @property
    def said(self) -> str:
        """For the note; "" for plain UTF-8."""
        return "" if self.codec == "utf-8" else self.codec.upper()


def find_encoding(path: Path, named: str | None) -> Encoding:
    """The encoding that the option names, else the one of the byte order mark, else UTF-8.

    Raises ThanoSQLOptionError for a name that Python does not know, ThanoSQLDataError for UTF-16 without a mark.
    """
    with confinement.open_file(path) as file:
        head = file.read(4096)
    found = next((Encoding(codec, len(mark)) for mark, codec in _MARKS if head.startswith(mark)), None)
    if named is not None:
        try:
            codec = codecs.lookup(named)
        except (LookupError, ValueError) as error:
            raise ThanoSQLOptionError(
                f"There is no encoding '{named}'.",
                hint="Known are utf-8, utf-16, cp1252, cp949, euc-kr and Python's others.",
            ) from error
        if not codec._is_text_encoding:
            raise ThanoSQLOptionError(f"'{named}' is no encoding of text.")
        # utf-16 and utf-8-sig take the byte order from the mark.
        base = codec.name.removesuffix("-sig")
        if found is not None and found.codec.startswith(base):
            return found
        return Encoding(base)
    if found is not None:
        return found
    # Letters of the Latin alphabet in UTF-16 have a NUL in every other byte.
    for parity, codec_name in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = head[parity::2]
        if len(half) >= 4 and half.count(0) > len(half) * 0.8 and head[1 - parity :: 2].count(0) < len(half) * 0.2:
            raise ThanoSQLDataError(
                f"{path}: every other byte is NUL, as in UTF-16 without a byte order mark.",
                hint=f"OPTIONS (encoding='{codec_name}') reads it.",
            )
    return Encoding()


class Utf8Reader(io.RawIOBase):
    """The file as UTF-8, `skip` lines left out at its beginning. `progress` is told the bytes read from the file."""

    def __init__(
        self, path: Path, encoding: Encoding, *, skip: int = 0, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        self._path = path
        self._file = confinement.open_file(path)
        self._file.seek(encoding.mark)
        self._progress = progress
        self._codec = encoding.codec
        self._decoder = None if encoding.codec == "utf-8" else codecs.getincrementaldecoder(encoding.codec)()
        self._rest = b""
        self._rest = self._after(skip)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """The next piece, of any size; b"" at the end. Raises ThanoSQLDataError for what the encoding has not."""
        if self._rest:
            buffer, self._rest = self._rest, b""
            return buffer
        while block := self._file.read(BLOCK):
            self._progress(self._file.tell())
            if self._decoder is None:
                return block
            if text := self._decoded(block, final=False):
                return text
        return self._decoded(b"", final=True) if self._decoder is not None else b""

    def _decoded(self, block: bytes, *, final: bool) -> bytes:
        assert self._decoder is not None
        try:
            return self._decoder.decode(block, final=final).encode("utf-8")
        except UnicodeError as error:
            raise ThanoSQLDataError(f"{self._path} cannot be read as {self._codec}: {error}.") from error

    def _after(self, lines: int) -> bytes:
        buffer = b""
        while lines:
            block = self.read()
            if not block:
                return b""
            buffer += block
            while lines and (end := buffer.find(b"\n")) >= 0:
                buffer, lines = buffer[end + 1 :], lines - 1
        return buffer

    def close(self) -> None:
        self._file.close()
        super().close()

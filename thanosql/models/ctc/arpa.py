"""A language model's file in, the model out: ARPA text read here, or by KenLM where that is installed.

The format is Doug Paul's (MIT Lincoln Laboratory), as SRILM and KenLM write it: a line an n-gram, its probability and
its backoff as logarithms to the base 10.
"""

from __future__ import annotations

import gzip
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

from thanosql import confinement
from thanosql.errors import ThanoSQLModelError
from thanosql.models.ctc.ngram import BEGIN, END, UNKNOWNS, NGram, Table

LN10 = math.log(10)
BINARY = (".bin", ".binary", ".klm", ".mmap", ".trie")  # what people name KenLM's own files


class LanguageModel(Protocol):
    """What a decoder asks of a language model; a context is whatever the model likes."""

    @property
    def words(self) -> Iterator[str]:
        """The words that it knows; none where its file does not tell."""

    def start(self) -> Any:
        """The context that a text begins in."""

    def score(self, context: Any, word: str) -> tuple[float, Any]:
        """The natural log-probability of a word in a context, and the context after it."""

    def end(self, context: Any) -> float:
        """The natural log-probability that the text ends here."""


def open_model(path: Path) -> LanguageModel:
    """The model of an ARPA file, gzipped or not, or of KenLM's binary. Raises ThanoSQLModelError.

    With KenLM installed it answers, and only the words are read here: it holds a large model in less memory.
    """
    if not path.is_file():
        raise ThanoSQLModelError(f"There is no language model at {path}.")
    try:
        import kenlm
    except ImportError as error:
        if path.suffix in BINARY:
            raise ThanoSQLModelError(
                f"{path} is a binary of KenLM, which is not installed.",
                hint="pip install kenlm, or give the ARPA file.",
            ) from error
        return read(path)
    try:
        return KenLM(kenlm, path)
    except (OSError, RuntimeError) as error:
        raise ThanoSQLModelError(f"{path} cannot be read: {error}") from error


class KenLM:
    """A model that KenLM holds (Heafield 2011)."""

    def __init__(self, kenlm: Any, path: Path) -> None:
        self._kenlm = kenlm
        with confinement.pinned(path) as place:
            self._model = kenlm.Model(str(place))
        self._words = () if path.suffix in BINARY else tuple(words(path))

    @property
    def words(self) -> Iterator[str]:
        return iter(self._words)

    def start(self) -> Any:
        state = self._kenlm.State()
        self._model.BeginSentenceWrite(state)
        return state

    def score(self, context: Any, word: str) -> tuple[float, Any]:
        state = self._kenlm.State()
        return self._model.BaseScore(context, word, state) * LN10, state

    def end(self, context: Any) -> float:
        return float(self._model.BaseScore(context, END, self._kenlm.State()) * LN10)


def read(path: Path) -> NGram:
    """The model of an ARPA file. Raises ThanoSQLModelError when it is missing or damaged, with the line."""
    reader = _Reader(path)
    with _Opened(path) as file:
        return reader.model(file)


def words(path: Path) -> Iterator[str]:
    """The words of an ARPA file, without the marks of sentences and of unknown words. Raises what `read` raises."""
    inside = False
    with _Opened(path) as file:
        for line in file:
            if line.startswith("\\"):
                if inside:
                    return
                inside = line.strip() == "\\1-grams:"
            elif inside and line.strip():
                word = line.split()[1]
                if word not in (BEGIN, END, *UNKNOWNS):
                    yield word


class _Opened:
    """A text file, gzipped or not; what the system says against it is translated."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> TextIO:
        try:
            self._raw = confinement.open_file(self.path)
            unpacked = gzip.open(self._raw) if self.path.suffix == ".gz" else self._raw
            file: TextIO = io.TextIOWrapper(unpacked, encoding="utf-8")
        except OSError as error:
            raise ThanoSQLModelError(f"{self.path} cannot be read: {error.strerror or error}") from error
        self._file = file
        return file

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._file.close()
        self._raw.close()  # which gzip leaves open
        if isinstance(error, OSError | EOFError | UnicodeDecodeError):
            raise ThanoSQLModelError(
                f"{self.path} cannot be read: {error}", hint="A language model is a file in ARPA format."
            ) from error


class _Reader:
    """Line after line of one file, and what was understood of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.declared: list[int] = []
        self.numbers: dict[str, int] = {}
        self.tables: list[Table] = []
        self.rows: list[tuple[int, float, float]] = []

    def model(self, file: TextIO) -> NGram:
        order, number = -1, 0  # -1 before \data\, 0 within it
        for number, line in enumerate(file, start=1):
            line = line.strip()
            if order < 0:
                order = 0 if line == "\\data\\" else -1
            elif not line:
                continue
            elif line == "\\end\\":
                self._close(order, number)
                if len(self.tables) != len(self.declared):
                    raise self._damaged(number, f"{len(self.declared)} orders are declared, {len(self.tables)} follow")
                return NGram(list(self.numbers), self.tables)
            elif match := re.fullmatch(r"\\(\d+)-grams:", line):
                self._close(order, number)
                order = int(match[1])
                if order != len(self.tables) + 1 or order > len(self.declared):
                    raise self._damaged(number, f"{line} is not expected here")
            elif order == 0 and (match := re.fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", line)):
                self.declared.append(int(match[2]))
            elif order > 0:
                self._row(order, number, line)
            else:
                raise self._damaged(number, f"{line[:40]!r} is not expected here")
        raise self._damaged(number, "it has no \\data\\" if order < 0 else "it ends before its \\end\\")

    def _row(self, order: int, number: int, line: str) -> None:
        fields = line.split()
        if len(fields) not in (order + 1, order + 2):
            raise self._damaged(number, f"an n-gram of {order} has {order + 1} or {order + 2} fields")
        try:
            log = float(fields[0]) * LN10
            backoff = float(fields[order + 1]) * LN10 if len(fields) == order + 2 else 0.0
        except ValueError as error:
            raise self._damaged(number, "no number where there should be one") from error
        if order == 1:
            self.rows.append((self.numbers.setdefault(fields[1], len(self.numbers)), log, backoff))
            return
        place = -1
        for length, word in enumerate(fields[1 : order + 1], start=1):
            if word not in self.numbers:
                raise self._damaged(number, f"'{word}' is none of the 1-grams")
            key = self.numbers[word] if length == 1 else place * len(self.numbers) + self.numbers[word]
            place = key if length in (1, order) else self._place(length, key)
            if place < 0:
                raise self._damaged(number, f"'{' '.join(fields[1:order])}' is none of the {order - 1}-grams")
        self.rows.append((place, log, backoff))

    def _place(self, length: int, key: int) -> int:
        keys = self.tables[length - 1].keys
        place = int(keys.searchsorted(key))
        return place if place < len(keys) and keys[place] == key else -1

    def _close(self, order: int, number: int) -> None:
        """Put the rows read since the last heading in order."""
        if order <= 0:
            return
        if len(self.rows) != self.declared[order - 1]:
            raise self._damaged(
                number, f"{self.declared[order - 1]:,} {order}-grams are declared, and there are {len(self.rows):,}"
            )
        self.rows.sort()
        keys = np.array([key for key, _, _ in self.rows], dtype=np.int64)
        if (keys[1:] == keys[:-1]).any():
            raise self._damaged(number, f"one of the {order}-grams is listed twice")
        logs = np.array([log for _, log, _ in self.rows], dtype=np.float32)
        backoffs = np.array([backoff for _, _, backoff in self.rows], dtype=np.float32)
        self.tables.append(Table(keys, logs, backoffs))
        self.rows = []

    def _damaged(self, number: int, why: str) -> ThanoSQLModelError:
        return ThanoSQLModelError(
            f"{self.path}, line {number}: {why}.", hint="A language model is a file in ARPA format."
        )

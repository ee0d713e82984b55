"""A text cut into pieces of one or more readings in; the text as it is read, by itself or beside another, out.

1984 is 'nineteen eighty four' and 'one thousand nine hundred eighty four': which of them was said, the text does not tell.
Where two texts are compared, the reading is taken that is nearest to the other text, as NIST's sclite does with the
alternatives of a reference ({ a / b }).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, product

MOST_READINGS = 48  # of one piece; those behind are rare combinations of rare readings
_ROUNDS = 3  # until no piece changes any more; two are enough but for readings that depend on each other

Readings = tuple[str, ...]
Piece = str | Readings  # as it is written, or all that may be said for it, the usual reading first
Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], Readings]]


@dataclass(frozen=True)
class SpokenText:
    """`pieces` in the order of the text, none of which is cut inside a word."""

    pieces: tuple[Piece, ...]

    def usual(self) -> str:
        """The text with the first reading of each piece.

        >>> SpokenText(("at ", ("two hundred five", "two oh five"))).usual()
        'at two hundred five'
        """
        return _joined(piece if isinstance(piece, str) else piece[0] for piece in self.pieces)

    def choice(self) -> tuple[str, str] | None:
        """The usual reading of the first piece that may be said in other words, and the next of them; None where the text
        leaves no choice.

        >>> SpokenText(("at ", ("세 시", "세시"), ("two hundred five", "two oh five"))).choice()
        ('two hundred five', 'two oh five')
        """
        for piece in self.pieces:
            if isinstance(piece, tuple):
                usual = "".join(piece[0].split())
                other = next((reading for reading in piece if "".join(reading.split()) != usual), None)
                if other is not None:
                    return piece[0].strip(), other.strip()
        return None

    def nearest(self, other: str, fold: Callable[[str], str]) -> str:
        """The text with those readings that make it most like `other`, the usual one where two are as near, folded.

        `other` is folded already. Nearness is the edit distance of words, then of characters.

        >>> SpokenText(("at ", ("two hundred five", "two oh five"))).nearest("at two oh nine", str.lower)
        'at two oh five'
        """
        chosen = [piece if isinstance(piece, str) else piece[0] for piece in self.pieces]
        text = fold(_joined(chosen))
        open_ = [index for index, piece in enumerate(self.pieces) if not isinstance(piece, str) and len(piece) > 1]
        if not open_ or text == other:
            return text
        words, best = other.split(), _distance(text, other, other.split())
        for _ in range(_ROUNDS):
            before = best
            for index in open_:
                for reading in self.pieces[index]:
                    tried = fold(_joined([*chosen[:index], reading, *chosen[index + 1 :]]))
                    if (distance := _distance(tried, other, words)) < best:
                        best, text, chosen[index] = distance, tried, reading
            if best == before:
                break
        return text


def nearest_pair(
    spoken: Callable[[str], SpokenText], fold: Callable[[str], str], reference: str, hypothesis: str
) -> tuple[str, str]:
    """Two texts as they are read and folded: first the reference beside the hypothesis, then the other way round."""
    first, second = spoken(reference), spoken(hypothesis)
    read = first.nearest(fold(second.usual()), fold)
    return read, second.nearest(read, fold)


def cut(text: str, rules: Sequence[Rule], gap: str = "") -> SpokenText:
    """The text with all that a rule finds replaced by its readings; an earlier rule goes first.

    `gap` comes between a reading and a letter or another reading that it would touch.
    """
    pieces: list[Piece] = [text]
    for pattern, readings in rules:
        pieces = [part for piece in pieces for part in _cut(piece, pattern, readings) if part]
    apart: list[Piece] = []
    for index, piece in enumerate(pieces):
        if not isinstance(piece, str):
            after = gap if index + 1 < len(pieces) and _touches(pieces[index + 1], 0) else ""
            before = gap if index and isinstance(pieces[index - 1], str) and _touches(pieces[index - 1], -1) else ""
            piece = tuple(f"{before}{reading}{after}" for reading in piece)
        apart.append(piece)
    return SpokenText(tuple(apart))


def _touches(neighbour: Piece, end: int) -> bool:
    return not isinstance(neighbour, str) or neighbour[end].isalnum()


def _cut(piece: Piece, pattern: re.Pattern[str], readings: Callable[[re.Match[str]], Readings]) -> Iterable[Piece]:
    if not isinstance(piece, str):
        yield piece
        return
    done = 0
    for match in pattern.finditer(piece):
        if found := readings(match):
            yield piece[done : match.start()]
            yield found
            done = match.end()
    yield piece[done:]


def combined(*parts: Sequence[str]) -> Readings:
    """Every way to read parts that follow each other, the usual reading of each first, each way once.

    >>> combined(("two", "a couple"), ("dollars",))
    ('two dollars', 'a couple dollars')
    """
    ways = (" ".join(filter(None, way)) for way in product(*parts))
    return tuple(dict.fromkeys(islice(ways, MOST_READINGS)))


def one_of(*readings: Sequence[str]) -> Readings:
    """All of these readings in their order, each once.

    >>> one_of(("a", "b"), ("b", "c"))
    ('a', 'b', 'c')
    """
    return tuple(dict.fromkeys(reading for some in readings for reading in some))[:MOST_READINGS]


def _joined(parts: Iterable[str]) -> str:
    return " ".join("".join(parts).split())


def _distance(text: str, other: str, words: list[str]) -> tuple[int, int]:
    from rapidfuzz.distance import Levenshtein  # what jiwer counts errors with

    return Levenshtein.distance(text.split(), words), Levenshtein.distance(text, other)

"""Words before and a word in; the probability that it follows them out: n-gram models with backoff.

They are read from ARPA files (`arpa.py`) or made of counted texts, smoothed as Witten and Bell (1991, method C) do:
what follows a context is interpolated with what follows any, so that all add up to one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from thanosql.errors import ThanoSQLModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
UNKNOWNS = (UNKNOWN, "<UNK>")  # both spellings are about
NEVER = -200.0  # what stands lower, as -99 in base 10, is a mark and no probability

Context = tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """All n-grams of one length: `keys` int64 in order, natural `logs` and `backoffs` float32 beside them.

    The key of an n-gram is the place of its first n - 1 words in the shorter table, times the number of words, plus the
    number of its last word.
    """

    keys: NDArray[np.int64]
    logs: NDArray[np.float32]
    backoffs: NDArray[np.float32]


class NGram:
    """A language model; a context is the numbers of the words before, as many as the model looks back."""

    def __init__(self, words: Sequence[str], tables: Sequence[Table], *, sentences: bool = True) -> None:
        """`words` by their number; `sentences` says that the model knows where they begin and end."""
        self.numbers = {word: number for number, word in enumerate(words)}
        self.tables = tables
        self.unknown = next((self.numbers[word] for word in UNKNOWNS if word in self.numbers), None)
        self.sentences = sentences and BEGIN in self.numbers and END in self.numbers
        self._floor = float(tables[0].logs[tables[0].logs > NEVER].min(initial=0.0))

    @property
    def order(self) -> int:
        return len(self.tables)

    @property
    def words(self) -> Iterator[str]:
        """What may stand in a text."""
        return (word for word in self.numbers if word not in (BEGIN, END, *UNKNOWNS))

    def start(self) -> Context:
        return (self.numbers[BEGIN],) if self.sentences and self.order > 1 else ()

    def score(self, context: Context, word: str) -> tuple[float, Context]:
        """The natural log-probability of a word after a context, and the context with it.

        One that the model does not know has the probability of `<unk>`, or of the rarest word where there is no such.
        """
        number = self.numbers.get(word, self.unknown)
        if number is None:
            return self._floor, ()
        return self._log(context, number), (*context, number)[max(0, len(context) + 2 - self.order) :]

    def end(self, context: Context) -> float:
        """The natural log-probability that the sentence ends here; 0 for a model that knows no sentences."""
        return self._log(context, self.numbers[END]) if self.sentences else 0.0

    def _log(self, context: Context, number: int) -> float:
        total = 0.0
        while True:
            place = self._find((*context, number))
            if place >= 0:
                return total + float(self.tables[len(context)].logs[place])
            before = self._find(context)
            total += float(self.tables[len(context) - 1].backoffs[before]) if before >= 0 else 0.0
            context = context[1:]

    def _find(self, numbers: Context) -> int:
        """The place of an n-gram in its table, -1 where it has none."""
        place = numbers[0]
        for number, table in zip(numbers[1:], self.tables[1:]):
            key = place * len(self.numbers) + number
            place = int(table.keys.searchsorted(key))
            if place == len(table.keys) or table.keys[place] != key:
                return -1
        return place

    @classmethod
    def of_texts(cls, texts: Iterable[tuple[str, float]]) -> NGram:
        """The model of texts, each with how often it was said: of words alone, where no text has two, else of pairs."""
        sentences = [(text.split(), count) for text, count in texts if text.split() and count > 0]
        if not sentences:
            raise ThanoSQLModelError("There are no words to make a language model from.")
        if all(len(words) == 1 for words, _ in sentences):
            return cls._of_counts([(words, count) for words, count in sentences], pairs=False)
        return cls._of_counts([([*words, END], count) for words, count in sentences], pairs=True)

    @classmethod
    def _of_counts(cls, sentences: Sequence[tuple[list[str], float]], *, pairs: bool) -> NGram:
        singles: Counter[str] = Counter()
        followers: dict[str, Counter[str]] = {}
        for words, count in sentences:
            for before, word in zip([BEGIN, *words], words):
                singles[word] += count  # type: ignore[assignment]
                followers.setdefault(before, Counter())[word] += count  # type: ignore[assignment]
        names = [UNKNOWN, *([BEGIN] if pairs else []), *sorted(singles)]
        numbers = {word: number for number, word in enumerate(names)}
        total, kinds = sum(singles.values()), len(singles)
        # What was never said shares its part of the words evenly with those that were.
        share = kinds / (total + kinds) / (kinds + 1)
        alone = {word: singles[word] / (total + kinds) + share for word in names}
        if pairs:
            alone[BEGIN] = 1e-99
        held = {word: len(found) / (sum(found.values()) + len(found)) for word, found in followers.items()}
        first = Table(
            np.arange(len(names)),
            np.log([alone[word] for word in names]).astype(np.float32),
            np.log([held.get(word, 1.0) for word in names]).astype(np.float32),
        )
        if not pairs:
            return cls(names, [first], sentences=False)
        seen = sorted(
            (
                numbers[before] * len(names) + numbers[word],
                math.log(count / (sum(found.values()) + len(found)) + held[before] * alone[word]),
            )
            for before, found in followers.items()
            for word, count in found.items()
        )
        second = Table(
            np.array([key for key, _ in seen], dtype=np.int64),
            np.array([log for _, log in seen], dtype=np.float32),
            np.zeros(len(seen), dtype=np.float32),
        )
        return cls(names, [first, second])

"""A text and a vocabulary in; the figures and signs in it that are not written as they are spoken, and what they cost, out."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.counting import counted
from thanosql.models.text import SPOKEN, spoken_text

if TYPE_CHECKING:
    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.text import Normalizer

UNKNOWN = "unknown figures and signs"
KNOWN = "figures"
_SHOWN = 5  # words named in a reason
_FIGURES = ("Nd", "Nl", "No", "Sc", "Sm")
_UNITS = frozenset("°℃℉№㎞㎝㎜㎏㎡㈜")
_COSTS = {
    "BUILD": "the row cannot be learned",
    "FIT": "the row cannot be learned",
    "EVALUATE": "they count as errors, whatever is recognized",
    "ALIGN": "their sound is only guessed",
}


@dataclass(frozen=True)
class Unspoken:
    """Figures and signs of a text: the words that hold them, of so many, and the characters that the vocabulary lacks."""

    words: tuple[str, ...]
    of: int
    missing: tuple[str, ...]

    def reason(self, kind: str, vocabulary: Vocabulary) -> str:
        shown = " ".join(self.words[:_SHOWN]) + (" …" if len(self.words) > _SHOWN else "")
        said = f"{shown} ({len(self.words)} of {self.of} words): "
        cure = spelled_by(vocabulary)
        if self.missing:
            said += f"the vocabulary lacks {' '.join(self.missing)}, so that {_COSTS.get(kind, _COSTS['EVALUATE'])}"
        else:
            said += "the text does not tell how they are said"
        if kind == "ALIGN" or not cure:
            return said
        return f"{said}; normalizer='{cure}' puts them into words"


def is_unspoken(character: str) -> bool:
    """Whether a character is a figure or a sign, which people say in words.

    >>> [sign for sign in "a1½%$é'한Ⅳ+℃☃" if is_unspoken(sign)]
    ['1', '½', '%', '$', 'Ⅳ', '+', '℃']
    """
    return character in SPOKEN or character in _UNITS or unicodedata.category(character) in _FIGURES


def unspoken(text: str, normalizer: Normalizer, missing: Iterable[str]) -> Unspoken | None:
    """The words of a text that hold figures and signs once it is normalized, where there are any.

    `missing` are the characters that the vocabulary lacks.
    """
    words = normalizer.normalize(text).split()
    lacking = tuple(character for character in missing if is_unspoken(character))
    found = tuple(word for word in words if any(map(is_unspoken, word)))
    return Unspoken(found, len(words), lacking) if found else None


def spelled_by(vocabulary: Vocabulary) -> str:
    """The option's value that spells figures in the letters of a vocabulary; '' where there is none.

    >>> from thanosql.models.ctc.vocabulary import Vocabulary
    >>> [spelled_by(Vocabulary(("<pad>", "<unk>", "|", letter))) for letter in "A한ж"]
    ['english', 'korean', '']
    """
    letters = "".join(vocabulary.characters)
    if re.search("[가-힣ᄀ-ᇿㄱ-ㆎ]", letters):
        return "korean"
    return "english" if re.search("[A-Za-z]", letters) else ""


@dataclass
class UnspokenTotal:
    """What figures and signs cost in all rows together."""

    rows: int = 0
    words: int = 0
    of: int = 0
    characters: Counter[str] | None = None
    choices: int = 0  # rows of which something may be said in other words than those that are learned
    choice: str = ""  # the first of them

    def add_choice(self, text: str, normalizer: Normalizer) -> None:
        """Note it where a text to be learned leaves a choice of words, as '6.25' does."""
        if normalizer.spoken is None or (found := spoken_text(text, normalizer.spoken).choice()) is None:
            return
        self.choices += 1
        usual, other = found
        self.choice = self.choice or f"{usual!r}, where {other!r} may have been said"

    def add(self, found: Unspoken | None, words: int) -> None:
        self.of += words
        if found is None:
            return
        self.rows += 1
        self.words += len(found.words)
        counts = self.characters = self.characters or Counter()
        counts.update(character for word in found.words for character in word if character in found.missing)

    def __str__(self) -> str:
        said = [self._unspoken()] if self.rows else []
        if self.choices:
            said.append(
                f"figures and signs of {counted(self.choices, 'row')} may be said in other words than the usual ones, which are"
                f" learned: {self.choice}"
            )
        return "; ".join(said)

    def _unspoken(self) -> str:
        lacking = ", ".join(f"{sign} ({count:,}×)" for sign, count in (self.characters or Counter()).most_common(12))
        said = f"figures and signs are in {self.words:,} of {self.of:,} words, in {counted(self.rows, 'row')}"
        return f"{said}; the vocabulary lacks {lacking}" if lacking else said

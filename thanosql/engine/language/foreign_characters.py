"""A word in, the character out that is none of SQL's: one that looks like a space or a sign, or that cannot be seen.

Keyboards for Korean and Chinese have signs of their own; web pages and word processors leave the others.
"""

from __future__ import annotations

import unicodedata

from thanosql.engine.language.terminals import Lexeme, Refusal

INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u00ad"  # before a statement they change nothing
_QUOTES = "‘’‚‛“”„‟"
_LIKE = {"、": ",", "。": ".", "−": "-", "–": "-", "—": "-", "´": "'", "×": "*", "⁄": "/", "∗": "*"}


def foreign_character(word: Lexeme) -> Refusal | None:
    """The error for the first such character in a word; None for a word without one.

    >>> foreign_character(Lexeme("WORD", "batch_size＝2", 10, 23)).message
    'The character U+FF1D (＝) looks like = here, but SQL does not know it.'
    """
    if word.text.isascii():
        return None
    for at, character in enumerate(word.text, start=word.start):
        if character.isascii():
            continue
        named = f"The character U+{ord(character):04X}"
        if character.isspace():
            return Refusal(
                f"{named} here looks like a space, but SQL does not read it as one.",
                at,
                1,
                "Replace it with an ordinary space.",
            )
        if character in _QUOTES:
            return Refusal(
                f"{named} ({character}) is a typographic quote.", at, 1, "Write strings in straight single quotes: '…'."
            )
        if unicodedata.category(character) == "Cf":
            return Refusal(
                f"{named} is here: it is invisible, and SQL does not allow it.",
                at,
                1,
                "Remove it, or type the word again.",
            )
        sign = _LIKE.get(character) or unicodedata.normalize("NFKC", character)
        if sign.isascii() and len(sign) == 1 and not sign.isalnum():
            return Refusal(
                f"{named} ({character}) looks like {sign} here, but SQL does not know it.",
                at,
                1,
                f"Replace it with an ordinary {sign}.",
            )
    return None

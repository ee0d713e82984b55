"""A base's folder, the texts to learn and the options in; the vocabulary and the normalizer that are trained out.

No torch: CHECK asks for them as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from thanosql.models.ctc.tokenizer_files import no_vocabulary
from thanosql.models.ctc.vocabulary import Vocabulary, has_vocabulary, read_vocabulary
from thanosql.models.text import SPOKEN_IN, Normalizer, Spoken

if TYPE_CHECKING:
    from thanosql.models.options import TrainOptions

PLAIN = Normalizer(case="lower", keep="'")  # where no base says how texts are folded


@dataclass(frozen=True)
class TrainingVocabulary:
    """`added` are the characters of the vocabulary that the base's own has not, sorted; all of them where it has none."""

    vocabulary: Vocabulary
    normalizer: Normalizer
    added: tuple[str, ...] = ()


def training_vocabulary(folder: Path, texts: Iterable[str], options: TrainOptions) -> TrainingVocabulary:
    """What `options.vocabulary` and `options.normalizer` make of a base and the texts.

    'extend' puts new characters after the base's tokens, which keep their numbers. 'rebuild' is the blank (`<pad>`),
    `<unk>`, `|` between words, and the texts' characters, sorted. Neither takes up the sign between words as a letter.
    Raises ThanoSQLModelError for a base without a vocabulary, unless one is made.
    """
    has_one = has_vocabulary(folder)
    if not has_one and options.vocabulary != "rebuild":
        raise no_vocabulary(folder)
    base = read_vocabulary(folder, options.language) if has_one else None
    normalizer = folded(Normalizer.read(folder, base) if base is not None else PLAIN, options)
    if base is None or options.vocabulary == "rebuild":
        return _rebuilt(base, normalizer, texts)
    if options.vocabulary == "keep":
        return TrainingVocabulary(base, normalizer)
    missing = {letter for text in texts for letter in base.missing_pieces(normalizer.normalize(text))}
    added = tuple(sorted(missing - {base.delimiter or ""}))
    # Where a text is divided and the vocabulary is not, it gets the sign between words as well.
    delimiter = base.delimiter or "|"
    tokens = (*base.tokens, *(delimiter if letter == " " else letter for letter in added))
    return TrainingVocabulary(
        replace(base, tokens=tokens, delimiter=delimiter if " " in added else base.delimiter), normalizer, added
    )


def folded(normalizer: Normalizer, options: TrainOptions) -> Normalizer:
    """A base's normalizer as `options.normalizer` has it."""
    if options.normalizer == "lower":
        return replace(normalizer, case="lower")
    if options.normalizer == "upper":
        return replace(normalizer, case="upper")
    if options.normalizer == "none":
        return replace(normalizer, case="keep", punctuation="keep", spoken=None)
    if options.normalizer in SPOKEN_IN:
        return replace(normalizer, spoken=cast("Spoken", options.normalizer))
    return normalizer


def _rebuilt(base: Vocabulary | None, normalizer: Normalizer, texts: Iterable[str]) -> TrainingVocabulary:
    letters = sorted({letter for text in texts for letter in normalizer.normalize(text)} - {" ", "|"})
    vocabulary = Vocabulary(("<pad>", "<unk>", "|", *letters), bos=None, eos=None)
    # An apostrophe that the model never learns must not stand in the texts that it is given later.
    normalizer = replace(normalizer, keep="".join(sign for sign in normalizer.keep if sign in letters))
    known = base.characters if base is not None else frozenset[str]()
    return TrainingVocabulary(vocabulary, normalizer, tuple(letter for letter in letters if letter not in known))

"""Log-probabilities in; text, how sure it is and when each word was said out: greedy, or by a beam."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from thanosql.errors import ThanoSQLOptionError
from thanosql.models.ctc import alignment, timestamps
from thanosql.models.ctc.beam import search
from thanosql.models.ctc.greedy import greedy
from thanosql.models.ctc.shallow_fusion import ShallowFusion
from thanosql.models.ctc.timestamps import FRAME_SECONDS, Timed
from thanosql.models.ctc.vocabulary import Vocabulary

if TYPE_CHECKING:
    import numpy as np

    from thanosql.models.ctc.arpa import LanguageModel
    from thanosql.models.ctc.word_bounds import WordBounds
    from thanosql.models.options import DecodeOptions


@dataclass(frozen=True, slots=True)
class TimedTranscript:
    """What was recognized in one utterance: `confidence` is from 0 to 1, `words` are words, characters or segments.

    `problem` is what is wrong, in words, where a known text was aligned.
    """

    text: str
    confidence: float
    words: tuple[Timed, ...] = ()
    problem: str | None = None


class Decoder(Protocol):
    """What makes text of log-probabilities."""

    def __call__(self, log_probabilities: np.ndarray, bounds: WordBounds | None = None) -> TimedTranscript:
        """The transcript of one utterance, `(frames, vocab)`; with `bounds` its words begin and end with their sound."""


def decoder(
    vocabulary: Vocabulary,
    options: DecodeOptions,
    normalize: Callable[[str], str],
    model: LanguageModel | None = None,
    *,
    level: str = "word",
    frame_seconds: float = FRAME_SECONDS,
) -> Decoder:
    """What makes transcripts of log-probabilities `(frames, vocab)`; `level` is that of their words, 'none' for no words.

    `normalize` gives a text in the letters of the vocabulary: it is done to hot words and to the words of the language
    model. Raises ThanoSQLOptionError for hot words that the vocabulary cannot spell, and for `lm_closed`
    without any words.
    """
    if options.decoder == "greedy":
        return _Greedy(vocabulary, level, frame_seconds)
    if vocabulary.pieces and (model is not None or options.hotwords):
        raise ThanoSQLOptionError(
            "lm and hotwords work with models whose tokens are letters; the tokens of this one are parts of words.",
            hint="Leave these options out, or choose a model with a vocabulary of letters.",
        )
    words = _spellings(model.words, vocabulary, normalize) if model is not None else {}
    phrases = hot_words(options.hotwords, vocabulary, normalize)
    if options.lm_closed and not words and not phrases:
        raise ThanoSQLOptionError(
            "lm_closed needs a list of words, and the language model has none that the vocabulary can spell.",
            hint="A file in ARPA format has one, and so has lm_query.",
        )
    guidance = ShallowFusion(
        model,
        words,
        phrases,
        weight=options.lm_weight,
        word_bonus=options.word_bonus,
        hot_weight=options.hotword_weight,
        closed=options.lm_closed,
    )
    return _Beam(vocabulary, level, frame_seconds, guidance, options.beam_width)


def hot_words(phrases: Iterable[str], vocabulary: Vocabulary, normalize: Callable[[str], str]) -> list[str]:
    """Words or phrases in the letters of the vocabulary. Raises ThanoSQLOptionError for those that it cannot spell."""
    found = []
    for phrase in phrases:
        spelling = normalize(phrase)
        if missing := vocabulary.missing(spelling):
            raise ThanoSQLOptionError(
                f"The model cannot recognize the hot word '{phrase}': its vocabulary lacks {', '.join(missing)}."
            )
        if not spelling:
            raise ThanoSQLOptionError(f"The hot word '{phrase}' has no letters.")
        found.append(_written(spelling, vocabulary))
    return found


def _spellings(words: Iterable[str], vocabulary: Vocabulary, normalize: Callable[[str], str]) -> dict[str, str]:
    """The language model's word for each that the vocabulary spells as one."""
    found: dict[str, str] = {}
    for word in words:
        spelling = normalize(word)
        if spelling and " " not in spelling and not vocabulary.missing(spelling):
            found.setdefault(_written(spelling, vocabulary), word)
    return found


def _written(spelling: str, vocabulary: Vocabulary) -> str:
    return spelling.upper() if vocabulary.lower_case else spelling


@dataclass(frozen=True)
class _Greedy:
    vocabulary: Vocabulary
    level: str
    frame_seconds: float

    def __call__(self, log_probabilities: np.ndarray, bounds: WordBounds | None = None) -> TimedTranscript:
        transcript = greedy(log_probabilities, self.vocabulary)
        if self.level == "none" or len(log_probabilities) == 0:
            return TimedTranscript(transcript.text, transcript.confidence)
        path = self.vocabulary.joined(log_probabilities.argmax(axis=-1))
        spans = alignment.spans(log_probabilities, path, self.vocabulary.blank)
        # A model may miss the word break in a long pause; the text is left as it is, as transformers gives it.
        words = timestamps.timed(
            spans, self.vocabulary, self.level, self.frame_seconds, bounds, longest_gap=timestamps.PAUSE_SECONDS
        )
        return TimedTranscript(transcript.text, transcript.confidence, words)


@dataclass(frozen=True)
class _Beam:
    vocabulary: Vocabulary
    level: str
    frame_seconds: float
    guidance: ShallowFusion
    width: int

    def __call__(self, log_probabilities: np.ndarray, bounds: WordBounds | None = None) -> TimedTranscript:
        best = search(log_probabilities, self.vocabulary, self.guidance, width=self.width)[0]
        spans = alignment.align(log_probabilities, best.labels, self.vocabulary.blank)
        sure = timestamps.confidence(spans, log_probabilities, self.vocabulary.blank)
        if self.level == "none":
            return TimedTranscript(best.text, sure)
        words = timestamps.timed(spans, self.vocabulary, self.level, self.frame_seconds, bounds)
        return TimedTranscript(best.text, sure, words)

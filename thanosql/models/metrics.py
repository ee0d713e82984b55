"""References and hypotheses in, word and character error rates with their counts out; the counting is jiwer's.

The rules. WER is over words, which are what white space divides (in Korean: spacing units, eojeol). CER is over the
characters of the text, single spaces between words included; both sides are brought to Unicode's NFC first, so that a
Korean syllable is one character whether it came as a syllable or as jamo. An empty reference has no words: whatever was
heard in it counts as insertions; where no reference has any word, the rate is the number of insertions, as in jiwer.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """A step of an alignment: `kind` is 'equal', 'substitute', 'delete' or 'insert'; the other side's word is empty."""

    kind: str
    reference: str
    hypothesis: str


@dataclass(frozen=True, slots=True)
class UtteranceScore:
    """One pair's counts: of words, and `characters` of the reference with `character_errors`; `edits` in their order."""

    substitutions: int
    deletions: int
    insertions: int
    hits: int
    characters: int
    character_errors: int
    edits: tuple[Edit, ...]

    @property
    def words(self) -> int:
        """Words of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """Word errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def wer(self) -> float:
        return _rate(self.errors, self.words)

    @property
    def cer(self) -> float:
        return _rate(self.character_errors, self.characters)


@dataclass(frozen=True, slots=True)
class Scores:
    """Rates are fractions and may pass 1. Substitutions, deletions, insertions and hits count words."""

    utterances: int
    words: int
    characters: int
    wer: float
    cer: float
    substitutions: int
    deletions: int
    insertions: int
    hits: int


def score_each(references: Sequence[str], hypotheses: Sequence[str]) -> list[UtteranceScore]:
    """Each pair's counts and alignment, in order. Sides of unequal length raise ValueError.

    >>> score_each(["one two"], ["one too"])[0].edits[1]
    Edit(kind='substitute', reference='two', hypothesis='too')
    """
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references, but {len(hypotheses)} hypotheses")
    if not references:
        return []
    import jiwer

    expected = [_fold(text) for text in references]
    hypothesized = [_fold(text) for text in hypotheses]
    words = jiwer.process_words(expected, hypothesized)
    characters = jiwer.process_characters(expected, hypothesized)
    found = []
    for pair in range(len(expected)):
        edits = tuple(_edits(words.references[pair], words.hypotheses[pair], words.alignments[pair]))
        kinds = Counter(edit.kind for edit in edits)
        wrong = sum(
            max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
            for chunk in characters.alignments[pair]
            if chunk.type != "equal"
        )
        found.append(
            UtteranceScore(
                substitutions=kinds["substitute"],
                deletions=kinds["delete"],
                insertions=kinds["insert"],
                hits=kinds["equal"],
                characters=len(expected[pair]),
                character_errors=wrong,
                edits=edits,
            )
        )
    return found


def total(scores: Sequence[UtteranceScore]) -> Scores:
    """All pairs together: errors summed, then divided."""
    words = sum(score.words for score in scores)
    characters = sum(score.characters for score in scores)
    return Scores(
        utterances=len(scores),
        words=words,
        characters=characters,
        wer=_rate(sum(score.errors for score in scores), words),
        cer=_rate(sum(score.character_errors for score in scores), characters),
        substitutions=sum(score.substitutions for score in scores),
        deletions=sum(score.deletions for score in scores),
        insertions=sum(score.insertions for score in scores),
        hits=sum(score.hits for score in scores),
    )


def score(references: Sequence[str], hypotheses: Sequence[str]) -> Scores:
    """The scores of all pairs together. Sides of unequal length raise ValueError.

    >>> score(["one two three"], ["one too three four"])
    Scores(utterances=1, words=3, characters=13, wer=0.6666666666666666, cer=0.46153846153846156, substitutions=1, \
deletions=0, insertions=1, hits=2)
    """
    return total(score_each(references, hypotheses))


def confusions(scores: Iterable[UtteranceScore]) -> Counter[tuple[str, str]]:
    """How often each reference word was recognized as each other word; '' stands for none.

    >>> confusions(score_each(["one two", "two"], ["one too", ""]))
    Counter({('two', 'too'): 1, ('two', ''): 1})
    """
    return Counter(
        (edit.reference, edit.hypothesis) for score in scores for edit in score.edits if edit.kind != "equal"
    )


def character_confusions(references: Sequence[str], hypotheses: Sequence[str]) -> Counter[tuple[str, str]]:
    """How often each character of the references was recognized as each other one; '' stands for none.

    >>> character_confusions(["one"], ["ane"])
    Counter({('o', 'a'): 1})
    """
    if not references:
        return Counter()
    import jiwer

    aligned = jiwer.process_characters([_fold(text) for text in references], [_fold(text) for text in hypotheses])
    return Counter(
        (edit.reference, edit.hypothesis)
        for reference, hypothesis, chunks in zip(aligned.references, aligned.hypotheses, aligned.alignments)
        for edit in _edits(reference, hypothesis, chunks)
        if edit.kind != "equal"
    )


def _edits(reference: Sequence[str], hypothesis: Sequence[str], chunks: Iterable[object]) -> Iterable[Edit]:
    """jiwer's chunks, one word a step."""
    for chunk in chunks:
        expected = reference[chunk.ref_start_idx : chunk.ref_end_idx]  # type: ignore[attr-defined]
        found = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]  # type: ignore[attr-defined]
        kind = chunk.type  # type: ignore[attr-defined]
        for step in range(max(len(expected), len(found))):
            yield Edit(kind, expected[step] if step < len(expected) else "", found[step] if step < len(found) else "")


def _rate(errors: int, of: int) -> float:
    # jiwer's rule for nothing to err on: the number of insertions.
    return errors / of if of else float(errors)


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())

"""A reference and a hypothesis in, their words aligned out: what was missed struck through, what was put in marked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from thanosql.notebook.markup import Html, element, join, unseen
from thanosql.notebook.values import language


class Step(NamedTuple):
    """Words of the reference and of the hypothesis that stand against each other; equal where both say the same."""

    reference: str
    hypothesis: str

    @property
    def equal(self) -> bool:
        return self.reference == self.hypothesis


def align(reference: str, hypothesis: str) -> list[Step]:
    """The words in the alignment that the WER counts.

    >>> align("one two three", "one too three four")
    [Step(reference='one', hypothesis='one'), Step(reference='two', hypothesis='too'), \
Step(reference='three', hypothesis='three'), Step(reference='', hypothesis='four')]
    """
    said, heard = reference.split(), hypothesis.split()
    if not said or not heard:
        return [Step(word, "") for word in said] + [Step("", word) for word in heard]
    import jiwer

    steps: list[Step] = []
    for chunk in jiwer.process_words(" ".join(said), " ".join(heard)).alignments[0]:
        left = said[chunk.ref_start_idx : chunk.ref_end_idx]
        right = heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
        length = max(len(left), len(right))
        steps += map(Step, left + [""] * (length - len(left)), right + [""] * (length - len(right)))
    return steps


def as_html(reference: str, hypothesis: str) -> Html:
    """The hypothesis read along the reference; each difference is said to a screen reader in words too."""
    steps = join(_spaced(_step(step) for step in align(reference, hypothesis)))
    return element("span", steps, lang=language(reference + hypothesis))


def as_text(reference: str, hypothesis: str) -> str:
    """The same in plain text.

    >>> as_text("one two three", "one too three four")
    'one [-two-]{+too+} three {+four+}'
    """
    return " ".join(
        step.reference
        if step.equal
        else (f"[-{step.reference}-]" if step.reference else "")
        + (f"{{+{step.hypothesis}+}}" if step.hypothesis else "")
        for step in align(reference, hypothesis)
    )


def _step(step: Step) -> Html:
    if step.equal:
        return element("span", step.reference)
    said = element("del", unseen("said: "), step.reference, unseen(", ")) if step.reference else None
    heard = element("ins", unseen("heard: "), step.hypothesis, unseen(", ")) if step.hypothesis else None
    return join((said, " " if said and heard else None, heard))


def _spaced(parts: Iterator[Html]) -> Iterator[str]:
    for index, part in enumerate(parts):
        if index:
            yield " "
        yield part

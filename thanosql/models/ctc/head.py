"""A checkpoint's own CTC head and another vocabulary in, the head for that vocabulary out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from thanosql.models.ctc.vocabulary import Vocabulary


def fitted(
    own: tuple[torch.Tensor, torch.Tensor] | None,
    width: int,
    spread: float,
    old: Vocabulary | None,
    vocabulary: Vocabulary,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The head's weight `(vocab, width)` and bias `(vocab,)`, in float32; `own` are those of the old vocabulary.

    Rows of tokens that the `old` head has are kept to the last bit, the blank, the unknown token and the sign between
    words by the part they play, a letter of another case by its other form. A new letter starts halfway between the
    blank and the mean of the old head's letters: its logit is then never above the highest of theirs, so that until it
    is learned the model says what it said before. A small random row has a logit near 0, which may be far above all
    others or far below (only differences of logits count), and was measured to be learned more slowly. Without an old
    head all rows start small, drawn with the standard deviation `spread`.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    weight = torch.empty(len(vocabulary.tokens), width).normal_(0.0, spread, generator=generator)
    bias = torch.zeros(len(vocabulary.tokens))
    if own is not None and old is not None:
        own = own[0].float(), own[1].float()
        letters = [old.ids[token] for token in old.tokens if token in old.characters]
        if letters:
            weight[:] = (own[0][old.blank] + own[0][letters].mean(0)) / 2
            bias[:] = (own[1][old.blank] + own[1][letters].mean()) / 2
        for number, known in _known(old, vocabulary).items():
            weight[number], bias[number] = own[0][known], own[1][known]
    return weight, bias


def _known(old: Vocabulary, vocabulary: Vocabulary) -> dict[int, int]:
    """The tokens' numbers, and those that they have in the old vocabulary, of those that it has."""
    parts = {vocabulary.pad: old.pad, vocabulary.unk: old.unk}
    if vocabulary.delimiter is not None and old.delimiter is not None:
        parts[vocabulary.delimiter] = old.delimiter
    found = {}
    for number, token in enumerate(vocabulary.tokens):
        forms = (parts.get(token, token), token.upper(), token.lower())
        known = next((old.ids[form] for form in forms if form in old.ids), None)
        if known is not None:
            found[number] = known
    return found

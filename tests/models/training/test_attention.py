from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from thanosql.models.training import attention

SCALE = 0.5


def inputs(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 3, 11, 4, generator=generator).to(dtype).requires_grad_() for _ in range(3))
    return query, key, value


def padding() -> Tensor:
    """The first of two utterances ends three frames early."""
    mask = torch.ones(2, 1, 1, 11, dtype=torch.bool)
    mask[0, ..., -3:] = False
    return mask


def learned(answer: Tensor, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    return torch.autograd.grad((answer * torch.randn(answer.shape, generator=generator)).sum(), parts)


@pytest.mark.parametrize("block", [4 * 2 * 3 * 11, 1_000, 1 << 20], ids=["a query", "some", "all"])
@pytest.mark.parametrize("mask", [None, padding(), padding().expand(-1, -1, 11, -1)], ids=["none", "keys", "whole"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.bfloat16, 0.05)], ids=["f32", "bf16"])
def test_answers_and_gradients_are_those_of_plain_attention_with_the_same_weights_dropped(
    monkeypatch: pytest.MonkeyPatch, block: int, mask: Tensor | None, dtype: torch.dtype, tolerance: float
) -> None:
    monkeypatch.setattr(attention, "BLOCK_BYTES", block)
    parts = inputs(dtype)
    found = attention._Attention.apply(*parts, mask, 0.3, SCALE, 5)
    query, key, value = plain = tuple(part.detach().float().requires_grad_() for part in parts)
    scores = query @ key.transpose(-1, -2) * SCALE
    weights = (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1)
    dropped = torch.cat(
        [attention._dropped(weights[:, :, rows], 0.3, 5 + rows.start) for rows in attention._blocks(query, key)], 2
    )
    assert 0.15 < float(dropped.float().mean()) < 0.45
    expected = weights.masked_fill(dropped, 0.0) / 0.7 @ value
    assert (found - expected).abs().max() < tolerance
    for got, wanted in zip(learned(found.float(), parts), learned(expected, plain), strict=True):
        assert (got - wanted).abs().max() < 4 * tolerance


def test_without_dropout_it_is_torch_s_own() -> None:
    parts = inputs()
    found, _ = attention.attend(None, *parts, padding(), 0.0, SCALE)
    expected = scaled_dot_product_attention(*parts, attn_mask=padding(), scale=SCALE)
    assert torch.equal(found.transpose(1, 2), expected)


def test_the_generator_says_what_is_dropped_and_each_weight_is_as_likely_to_be() -> None:
    torch.manual_seed(3)
    first = attention.attend(None, *inputs(), None, 0.1)[0]
    other = attention.attend(None, *inputs(), None, 0.1)[0]
    torch.manual_seed(3)
    assert torch.equal(first, attention.attend(None, *inputs(), None, 0.1)[0])
    assert not torch.equal(first, other)
    draws = torch.stack([attention._dropped(torch.empty(8, 40), 0.1, seed).float() for seed in range(2_000)])
    assert (draws.mean(0) - 0.1).abs().max() < 0.035  # five standard deviations of 2,000 draws

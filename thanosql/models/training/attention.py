"""Queries, keys and values in, what attention makes of them out, to learn from: without all its weights held at once.

Attention weighs every frame against every other: of a minute of audio, 9 million weights a head and layer. torch's fused
attention never holds them, but has no dropout on a CPU; with dropout, which most checkpoints ask for, it holds several
copies until the backward pass. Here they are made block by block of queries and made again for the gradient, as in Rabe and
Staats 2021, "Self-attention does not need O(n²) memory". Dropout falls on the softmaxed weights, as in transformers: each
is set to zero with the same probability, the others scaled up; only which ones are drawn is another draw.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

NAME = "thanosql_blockwise"  # as transformers' table of attentions has it
BLOCK_BYTES = 4 << 20  # of weights made at a time: they stay in the processor's cache
_LEVELS = 1 << 16  # a dropout's probability is rounded to so many


def register() -> None:
    """Enter `attend` in transformers' table; a model takes it whose config says `_attn_implementation = NAME`."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    position_bias: Tensor | None = None,
    **rest: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attention of `(batch, heads, frames, width)`, as transformers calls it; its answer is `(batch, frames, heads, width)`.

    `attention_mask` is bool, `(batch, 1, frames or 1, frames)`: where a query may look. With a `position_bias` (Wav2Vec2-
    Conformer's), which has frames² numbers itself, it is transformers' own attention.
    """
    if position_bias is not None:
        from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

        rest |= {"dropout": dropout, "scaling": scaling, "position_bias": position_bias}
        theirs: tuple[Tensor, Tensor | None] = ALL_ATTENTION_FUNCTIONS["sdpa"](
            module, query, key, value, attention_mask, **rest
        )
        return theirs
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if dropout and query.device.type == "cpu":
        seed = int(torch.randint(1 << 62, ()))
        found = _Attention.apply(query, key, value, attention_mask, dropout, scale, seed)  # type: ignore[no-untyped-call]
    else:
        found = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask, dropout_p=dropout, scale=scale
        )
    return found.transpose(1, 2).contiguous(), None


class _Attention(torch.autograd.Function):
    """softmax(q kᵀ · scale) with dropout, times v; nothing of frames² is kept for the backward pass."""

    @staticmethod
    def forward(
        context: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        dropout: float,
        scale: float,
        seed: int,
    ) -> Tensor:
        found = torch.empty_like(value, memory_format=torch.contiguous_format)
        with torch.autocast(query.device.type, enabled=False):
            for rows in _blocks(query, key):
                weights = _weights(query[:, :, rows] * scale, key, _of(mask, rows))
                weights.masked_fill_(_dropped(weights, dropout, seed + rows.start), 0.0)
                found[:, :, rows] = torch.matmul(weights.to(value.dtype), value).div_(1 - dropout)
        context.save_for_backward(query, key, value, mask, found)
        context.how = dropout, scale, seed
        return found

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        query, key, value, mask, found = context.saved_tensors
        dropout, scale, seed = context.how
        (gradient,) = gradients
        # The softmax's own part of the gradient: the sum of weight times gradient is that of answer times gradient.
        shared = (gradient.float() * found.float()).sum(-1, keepdim=True)
        of_query = torch.empty_like(query)
        of_key, of_value = (torch.zeros(one.shape, device=one.device) for one in (key, value))
        for rows in _blocks(query, key):
            weights = _weights(query[:, :, rows] * scale, key, _of(mask, rows))
            dropped = _dropped(weights, dropout, seed + rows.start)
            here = gradient[:, :, rows] / (1 - dropout)
            scores = torch.matmul(here, value.transpose(-1, -2)).float().masked_fill_(dropped, 0.0)
            scores = scores.sub_(shared[:, :, rows]).mul_(weights).to(query.dtype)
            weights = weights.masked_fill_(dropped, 0.0).to(value.dtype)
            of_value += torch.matmul(weights.transpose(-1, -2), here)
            of_query[:, :, rows] = torch.matmul(scores, key).mul_(scale)
            of_key += torch.matmul(scores.transpose(-1, -2), query[:, :, rows])
        return of_query, of_key.mul_(scale).to(key.dtype), of_value.to(value.dtype), None, None, None, None


def _blocks(query: Tensor, key: Tensor) -> list[slice]:
    """Queries taken together."""
    batch, heads, count, _ = query.shape
    size = max(1, BLOCK_BYTES // (4 * batch * heads * key.shape[2]))
    return [slice(begin, min(begin + size, count)) for begin in range(0, count, size)]


def _weights(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    """Softmaxed weights of scaled queries, float32 `(batch, heads, queries, keys)`."""
    scores = torch.matmul(query, key.transpose(-1, -2)).float()
    if mask is not None:
        scores.masked_fill_(~mask, float("-inf"))
    return scores.softmax(-1)


def _of(mask: Tensor | None, rows: slice) -> Tensor | None:
    return mask if mask is None or mask.shape[2] == 1 else mask[:, :, rows]


def _dropped(weights: Tensor, probability: float, seed: int) -> Tensor:
    """Which weights are dropped, bool in their shape: the same ones for the same seed."""
    generator = torch.Generator(weights.device).manual_seed(seed)
    # Four 16-bit numbers a draw: drawing is slower than all the rest of a block.
    draws = torch.empty(-(-weights.numel() // 4), dtype=torch.int64, device=weights.device)
    draws.random_(-(1 << 63), None, generator=generator)
    numbers = draws.view(torch.int16)[: weights.numel()].view(weights.shape)
    return numbers < round(probability * _LEVELS) - _LEVELS // 2

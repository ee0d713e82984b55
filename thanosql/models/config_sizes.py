"""A config.json and the shapes of the weights in; an error, before anything is made, where the sizes cannot be a model's, out.

A configuration comes from anyone: a million layers, or a table of 10^12 tokens, would fill the memory before the weights
are found not to fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thanosql.errors import ThanoSQLModelError

WIDTHS = ("hidden_size", "intermediate_size", "output_hidden_size")
TOKENS = 1 << 24
# The largest that any is taken for; the published models are far below.
COUNTS = {
    "num_hidden_layers": 1_000,
    "num_attention_heads": 1 << 10,
    "num_feat_extract_layers": 64,
    "num_conv_pos_embedding_groups": 1 << 12,
    "num_conv_pos_embeddings": 1 << 12,
    "conv_pos_kernel_size": 1 << 12,
    "num_adapter_layers": 64,
    "adapter_kernel_size": 1 << 10,
    "adapter_stride": 1 << 10,
    "squeeze_factor": 64,
    "subsampling_factor": 64,
    "subsampling_conv_channels": 1 << 14,
    "subsampling_conv_kernel_size": 64,
    "subsampling_conv_stride": 16,
    "context_size": 1 << 12,
    "conv_expansion_factor": 64,
    "head_dim": 1 << 12,
    "num_key_value_heads": 1 << 10,
    "num_mel_bins": 1 << 12,
    "conv_kernel_size": 1 << 10,
    "feature_projection_input_dim": 1 << 12,
    "num_buckets": 1 << 14,
    "max_bucket_distance": 1 << 16,
    "position_buckets": 1 << 14,
    "max_position_embeddings": 1 << 16,
    "max_source_positions": 1 << 16,
    "conv_depthwise_kernel_size": 1 << 10,
    "adapter_attn_dim": 1 << 14,
    "num_labels": 1 << 16,  # of which a dictionary is made, though nobody here uses it
    **dict.fromkeys(WIDTHS, 1 << 16),
    "vocab_size": TOKENS,
}
LISTS = ("conv_dim", "conv_kernel", "conv_stride")


def check_sizes(config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], folder: Path) -> None:
    """Raises ThanoSQLModelError for sizes that are no whole numbers from 1 on, or larger than any model's or than the weights.

    `shapes` are empty where the weights are a pickle, which says nothing before it is read.
    """
    path = folder / "config.json"
    for name, most in COUNTS.items():
        value = config.get(name)
        if value is not None:
            _check(value, most, name, path)
    lists = [config.get(name) for name in LISTS]
    for name, value in zip(LISTS, lists, strict=True):
        if value is None:
            continue
        if not isinstance(value, list) or not 1 <= len(value) <= COUNTS["num_feat_extract_layers"]:
            raise ThanoSQLModelError(f"{path} is damaged: {name} is {_shown(value)}.")
        for size in value:
            _check(size, 1 << 16, name, path)
    if len({len(value) for value in lists if value is not None}) > 1:
        raise ThanoSQLModelError(f"{path} is damaged: conv_dim, conv_kernel and conv_stride differ in length.")
    if not shapes:
        return
    widest = max((size for shape in shapes.values() for size in shape), default=0)
    for name in WIDTHS[:2]:
        if config.get(name, 0) > widest:
            raise ThanoSQLModelError(
                f"{path} does not fit the weights: {name} is {config[name]:,}, the largest of theirs {widest:,}."
            )
    if config.get("num_hidden_layers", 0) > len(shapes):
        raise ThanoSQLModelError(
            f"{path} does not fit the weights: {config['num_hidden_layers']:,} layers, and {len(shapes):,} tensors."
        )


def _check(value: Any, most: int, name: str, path: Path) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise ThanoSQLModelError(
            f"{path} is damaged: {name} is {_shown(value)}, and must be a whole number from 1 to {most:,}."
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"

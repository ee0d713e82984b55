"""Parakeet and Wav2Vec2-BERT, tiny and random, in the layouts that the hub has them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.models import checkpoints

PIECES = [
    "<unk>",
    *(f"▁{piece}" for piece in ("", "t", "th", "the", "a", "on", "se")),
    *"etaonihsrdlz",
    "ing",
    "ven",
    "<pad>",
]


def parakeet(folder: Path, **changes: Any) -> Path:
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import ParakeetCTCConfig, ParakeetFeatureExtractor, ParakeetForCTC, ParakeetTokenizer

    torch.manual_seed(0)
    encoder = {
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "subsampling_conv_channels": 16,
        "num_mel_bins": 80,
        **changes,
    }
    config = ParakeetCTCConfig(encoder_config=encoder, vocab_size=len(PIECES), pad_token_id=len(PIECES) - 1)
    model = ParakeetForCTC(config).eval()
    with torch.no_grad():
        model.ctc_head.weight.mul_(40)
    model.save_pretrained(folder)
    made = Tokenizer(BPE({piece: number for number, piece in enumerate(PIECES)}, [], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    ParakeetTokenizer(tokenizer_object=made, unk_token="<unk>", pad_token="<pad>").save_pretrained(folder)
    ParakeetFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder


def bert(folder: Path, **changes: Any) -> Path:
    from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertConfig, Wav2Vec2BertForCTC

    torch.manual_seed(0)
    config = Wav2Vec2BertConfig(
        **{
            "vocab_size": len(checkpoints.LETTERS),
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "output_hidden_size": 48,
            "pad_token_id": 0,
            **changes,
        }
    )
    model = Wav2Vec2BertForCTC(config).eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(20)
    model.save_pretrained(folder)
    checkpoints.write_processor(folder, checkpoints.LETTERS)
    SeamlessM4TFeatureExtractor().save_pretrained(folder)
    return folder


KINDS: dict[str, Callable[[Path], Path]] = {
    "parakeet": lambda folder: parakeet(folder),
    "parakeet, by four": lambda folder: parakeet(folder, subsampling_factor=4),
    "bert": lambda folder: bert(folder),
    "bert, adapter": lambda folder: bert(folder, add_adapter=True),
    "bert, rotary": lambda folder: bert(folder, position_embeddings_type="rotary"),
}

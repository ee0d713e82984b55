"""Parakeet, LASR, Granite Speech and Wav2Vec2-BERT, tiny and random, in the layouts that the hub has them in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.models import checkpoints
from thanosql.models.families.log_mel_ctc import granite_features

PIECES = [
    "<unk>",
    *(f"▁{piece}" for piece in ("", "t", "th", "the", "a", "on", "se")),
    *"etaonihsrdlz",
    "ing",
    "ven",
    "<pad>",
]


TINY = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def parakeet(folder: Path, **changes: Any) -> Path:
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import ParakeetCTCConfig, ParakeetFeatureExtractor, ParakeetForCTC, ParakeetTokenizer

    torch.manual_seed(0)
    encoder = {**TINY, "subsampling_conv_channels": 16, "num_mel_bins": 80, **changes}
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


def lasr(folder: Path, **changes: Any) -> Path:
    """As google/medasr: pieces by Unigram, <pad> first."""
    from transformers import LasrCTCConfig, LasrFeatureExtractor, LasrForCTC, LasrTokenizer

    torch.manual_seed(0)
    encoder = {**TINY, "subsampling_conv_channels": 16, "num_mel_bins": 128, "conv_kernel_size": 8, **changes}
    pieces = ["<pad>", "</s>", "<unk>", *(piece for piece in PIECES if not piece.startswith("<"))]
    config = LasrCTCConfig(encoder_config=encoder, vocab_size=len(pieces), pad_token_id=0)
    model = LasrForCTC(config).eval()
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight.mul_(10 if weight.dim() > 1 else 1)
        model.ctc_head.weight.mul_(40)
    model.save_pretrained(folder)
    scores = [(piece, 0.0 if piece.startswith("<") else -8.0 + len(piece)) for piece in pieces]
    LasrTokenizer(vocab=scores, extra_ids=0).save_pretrained(folder)
    LasrFeatureExtractor().save_pretrained(folder)
    return folder


def granite(folder: Path, **changes: Any) -> Path:
    """As ibm-granite/granite-speech-5.0-470m-turboctc: pieces in bytes, the blank first, the head that of its middle."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import GraniteSpeech5CTCConfig, GraniteSpeech5ForCTC, ParakeetTokenizer

    torch.manual_seed(0)
    pieces = ["<|blank|>", *(piece.replace("▁", "Ġ") for piece in PIECES if not piece.startswith("<")), "Ã", "©"]
    encoder = {
        **TINY,
        "num_hidden_layers": 3,
        "context_size": 8,
        "max_position_embeddings": 16,
        "vocab_size": len(pieces),
        **changes,
    }
    config = GraniteSpeech5CTCConfig(encoder_config=encoder, vocab_size=len(pieces), pad_token_id=0)
    model = GraniteSpeech5ForCTC(config).eval()
    with torch.no_grad():
        model.encoder.input_linear.weight.unflatten(1, (2, 2, -1))[:, :, 1].mul_(
            100
        )  # the deltas: what differs in noise
        model.ctc_head.weight.mul_(40)
    model.save_pretrained(folder)
    made = Tokenizer(BPE({piece: number for number, piece in enumerate(pieces)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel()
    made.decoder = decoders.ByteLevel()
    ParakeetTokenizer(tokenizer_object=made, pad_token="<|blank|>").save_pretrained(folder)
    extractor = {"feature_extractor_type": "GraniteSpeech5FeatureExtractor", "sampling_rate": 16_000, "n_fft": 512}
    (folder / "preprocessor_config.json").write_text(json.dumps({**extractor, "win_length": 400, "hop_length": 160}))
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


def extractor(folder: Path) -> Any:
    """What makes the features of a folder's model: transformers', but for Granite's, which needs torchaudio there."""
    from transformers import AutoFeatureExtractor

    return granite_features.read(folder) or AutoFeatureExtractor.from_pretrained(folder)


KINDS: dict[str, Callable[[Path], Path]] = {
    "parakeet": lambda folder: parakeet(folder),
    "parakeet, by four": lambda folder: parakeet(folder, subsampling_factor=4),
    "lasr": lambda folder: lasr(folder),
    "lasr, by nine": lambda folder: lasr(folder, subsampling_conv_kernel_size=4, subsampling_conv_stride=3),
    "granite": lambda folder: granite(folder),
    "granite, by four": lambda folder: granite(folder, subsample_layers=[1]),
    "bert": lambda folder: bert(folder),
    "bert, adapter": lambda folder: bert(folder, add_adapter=True),
    "bert, rotary": lambda folder: bert(folder, position_embeddings_type="rotary"),
}

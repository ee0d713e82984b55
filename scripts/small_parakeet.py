"""The architecture of ParakeetTiny and its folder: random or given weights in, a ParakeetForCTC in Hugging Face's layout out.

It hears 40 ms a frame, twice Wav2Vec2Tiny's, and spells in the same letters.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from languages import ENGLISH
from transformers import ParakeetCTCConfig, ParakeetForCTC
from transformers.audio_utils import mel_filter_bank

N_BINS = 80
EXTRACTOR = {
    "feature_extractor_type": "ParakeetFeatureExtractor",
    "feature_size": N_BINS,
    "hop_length": 160,
    "n_fft": 512,
    "padding_side": "right",
    "padding_value": 0.0,
    "preemphasis": 0.97,
    "return_attention_mask": True,
    "sampling_rate": 16000,
    "win_length": 400,
}
ENCODER = {
    "hidden_size": 144,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "intermediate_size": 576,
    "conv_kernel_size": 9,
    "subsampling_factor": 4,
    "subsampling_conv_channels": 48,
    "num_mel_bins": N_BINS,
    "max_position_embeddings": 5000,
    "dropout": 0.1,
    "layerdrop": 0.0,
    "activation_dropout": 0.1,
    "attention_dropout": 0.1,
    "dropout_positions": 0.0,
    "scale_input": False,
}
FLOOR = 2.0**-24  # what ParakeetFeatureExtractor adds before it takes the logarithm
EPSILON = 1e-5


def new_model(seed: int, start: Path | None = None) -> ParakeetForCTC:
    torch.manual_seed(seed)
    if start is not None:
        return ParakeetForCTC.from_pretrained(start, dtype=torch.float32)
    blank = ENGLISH.vocabulary[ENGLISH.pad]
    return ParakeetForCTC(
        ParakeetCTCConfig(encoder_config=ENCODER, vocab_size=len(ENGLISH.symbols), pad_token_id=blank)
    )


class Features:
    """What ParakeetFeatureExtractor computes of a batch, on the batch's device."""

    def __init__(self, device: torch.device) -> None:
        n_fft, rate = EXTRACTOR["n_fft"], EXTRACTOR["sampling_rate"]
        filters = mel_filter_bank(n_fft // 2 + 1, N_BINS, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney")
        self.filters = torch.from_numpy(filters.T.astype("float32")).contiguous().to(device)
        self.window = torch.hann_window(EXTRACTOR["win_length"], periodic=False, device=device)
        self.n_fft, self.hop, self.preemphasis = n_fft, EXTRACTOR["hop_length"], EXTRACTOR["preemphasis"]

    def __call__(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 `(n_batch, n_frames, n_bins)` and the mask of valid frames, of `(n_batch, n_samples)`."""
        inside = torch.arange(waveforms.shape[1], device=waveforms.device) < lengths[:, None]
        raised = torch.cat([waveforms[:, :1], waveforms[:, 1:] - self.preemphasis * waveforms[:, :-1]], dim=1) * inside
        found = torch.stft(
            raised, self.n_fft, self.hop, len(self.window), self.window, pad_mode="constant", return_complex=True
        )
        mel = torch.log(self.filters @ found.abs().square() + FLOOR).transpose(1, 2)
        n_frames = lengths // self.hop
        mask = torch.arange(mel.shape[1], device=waveforms.device) < n_frames[:, None]
        valid = mask[:, :, None]
        mean = (mel * valid).sum(dim=1, keepdim=True) / n_frames[:, None, None]
        variance = ((mel - mean).square() * valid).sum(dim=1, keepdim=True) / (n_frames - 1)[:, None, None]
        return (mel - mean) / (variance.sqrt() + EPSILON) * valid, mask


def n_frames(lengths: torch.Tensor) -> torch.Tensor:
    """How many frames the encoder makes of so many samples; int64."""
    mel = lengths // EXTRACTOR["hop_length"]
    return ((mel - 1) // 2) // 2 + 1  # two convolutions of kernel 3, stride 2, padding 1


def save(model: ParakeetForCTC, folder: Path) -> None:
    """Write config, float32 weights, feature extractor and tokenizer; `from_pretrained` reads the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer = {
        "tokenizer_class": "Wav2Vec2CTCTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": ENGLISH.unknown,
        "pad_token": ENGLISH.pad,
        "word_delimiter_token": "|",
        "replace_word_delimiter_char": " ",
        "do_lower_case": False,
    }
    for name, content in (
        ("preprocessor_config.json", EXTRACTOR),
        ("tokenizer_config.json", tokenizer),
        ("vocab.json", ENGLISH.vocabulary),
    ):
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

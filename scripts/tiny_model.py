"""The architecture of the bundled models and their folders: a language in, a Wav2Vec2ForCTC in Hugging Face's layout out."""

import json
import types
from pathlib import Path

import torch
import torch.nn.functional as F
from languages import ENGLISH, Language
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

CONFIG = {
    "hidden_size": 144,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 576,
    "conv_dim": (32, 48, 64, 64, 96, 128, 128),
    "conv_stride": (5, 2, 2, 2, 2, 2, 2),
    "conv_kernel": (10, 3, 3, 3, 3, 2, 2),
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 31,
    "num_conv_pos_embedding_groups": 8,
    "hidden_dropout": 0.05,
    "activation_dropout": 0.0,
    "attention_dropout": 0.05,
    "feat_proj_dropout": 0.0,
    "final_dropout": 0.05,
    "layerdrop": 0.0,
    # SpecAugment for utterances as short as 0.15 s: a mask of 2 frames (40 ms) fits into each.
    "apply_spec_augment": True,
    "mask_time_prob": 0.05,
    "mask_time_length": 2,
    "mask_time_min_masks": 0,
    "mask_feature_prob": 0.05,
    "mask_feature_length": 8,
    "ctc_loss_reduction": "mean",
    "ctc_zero_infinity": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def new_model(seed: int, language: Language = ENGLISH, start: Path | None = None) -> Wav2Vec2ForCTC:
    """A model with random weights drawn from `seed`, or the weights of the folder `start`; a head of other symbols is new."""
    torch.manual_seed(seed)
    pad = language.vocabulary[language.pad]
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**CONFIG, vocab_size=len(language.symbols), pad_token_id=pad))
    if start is not None:
        known = Wav2Vec2ForCTC.from_pretrained(start)
        model.wav2vec2.load_state_dict(known.wav2vec2.state_dict())
        if json.loads((start / "vocab.json").read_text(encoding="utf-8")) == language.vocabulary:
            model.lm_head.load_state_dict(known.lm_head.state_dict())
    return model


def save(model: Wav2Vec2ForCTC, folder: Path, language: Language = ENGLISH) -> None:
    """Write config, float32 weights, feature extractor and tokenizer; `from_pretrained` reads the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | language.fine_tuning
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    extractor = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "processor_class": "Wav2Vec2Processor",
        "feature_size": 1,
        "sampling_rate": 16000,
        "padding_value": 0.0,
        "padding_side": "right",
        "do_normalize": True,
        "return_attention_mask": True,
    }
    tokenizer = {
        "tokenizer_class": "Wav2Vec2CTCTokenizer",
        "processor_class": "Wav2Vec2Processor",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": language.unknown,
        "pad_token": language.pad,
        "word_delimiter_token": "|",
        "replace_word_delimiter_char": " ",
        "do_lower_case": False,
    }
    for name, content in (
        ("preprocessor_config.json", extractor),
        ("tokenizer_config.json", tokenizer),
        ("vocab.json", language.vocabulary),
    ):
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def use_channels_last(model: Wav2Vec2ForCTC) -> Wav2Vec2ForCTC:
    """Let the feature encoder compute with channels last, as matrix products: twice as fast on CPU, same numbers.

    The layer norms then read contiguous channels, and a kernel of at most two strides is the sum of two matrix
    products over reshaped (not copied) frames.
    """
    encoder = model.wav2vec2.feature_extractor
    encoder.forward = types.MethodType(_channels_last_forward, encoder)
    return model


def _channels_last_forward(self, waveforms: torch.Tensor) -> torch.Tensor:
    """waveforms, shape = (n_batch, n_samples), to features, shape = (n_batch, n_channels, n_frames)."""
    hidden = waveforms[:, :, None]
    for layer in self.conv_layers:
        hidden = layer.activation(layer.layer_norm(_convolve(hidden, layer.conv)))
    return hidden.transpose(1, 2)


def _convolve(hidden: torch.Tensor, conv: torch.nn.Conv1d) -> torch.Tensor:
    """`conv` of hidden, shape = (n_batch, n_frames, n_channels), for stride <= kernel <= 2 * stride."""
    n_out, n_in, kernel = conv.weight.shape
    stride = conv.stride[0]
    n_batch, n_frames, _ = hidden.shape
    n_frames_out = (n_frames - kernel) // stride + 1
    weight = conv.weight.permute(0, 2, 1).reshape(n_out, kernel * n_in)
    blocks = n_frames_out + (kernel > stride)
    if n_frames < blocks * stride:
        hidden = F.pad(hidden, (0, 0, 0, blocks * stride - n_frames))
    hidden = hidden[:, : blocks * stride].reshape(n_batch, blocks, stride * n_in)
    here = F.linear(hidden[:, :n_frames_out], weight[:, : stride * n_in], conv.bias)
    if kernel == stride:
        return here
    return here + F.linear(hidden[:, 1:, : (kernel - stride) * n_in], weight[:, stride * n_in :])

"""A small architecture in, folders in the layouts that the hub has them in out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from thanosql.models.families.waveform_ctc.architectures import ARCHITECTURES

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
SMALL = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "conv_dim": [16, 16, 16, 24, 24, 24, 32],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
BASE = {"feat_extract_norm": "group", "do_stable_layer_norm": False, "conv_bias": False}
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
SQUEEZED = {
    "squeeze_factor": 2,
    "conv_dim": [16, 24, 24, 24, 24, 32, 32],
    "conv_kernel": [10, 3, 1, 3, 1, 3, 1],
    "conv_stride": [5, 4, 1, 4, 1, 4, 1],
}
# What a type of model needs to be as small, and to be unlike the others.
OF_TYPE: dict[str, dict[str, Any]] = {
    "data2vec-audio": {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 7},
    "sew": SQUEEZED,
    "sew-d": {**SQUEEZED, "max_position_embeddings": 64, "position_buckets": 32},
    "wav2vec2-conformer": {"position_embeddings_type": "relative", "conv_depthwise_kernel_size": 7},
}


def make(
    folder: Path,
    tokens: list[str] | None = None,
    *,
    model_type: str = "wav2vec2",
    mask: bool = False,
    seed: int = 0,
    sharpness: float = 20,
    **changes: Any,
) -> Path:
    """A random model of a type in the hub's layout: of the base architecture unless `changes` say otherwise."""
    import transformers

    tokens = tokens or LETTERS
    torch.manual_seed(seed)
    settings = {**SMALL, **BASE, **OF_TYPE.get(model_type, {}), "vocab_size": len(tokens), "pad_token_id": 0, **changes}
    name = ARCHITECTURES[model_type].name
    config = getattr(transformers, f"{name}Config")(**settings)
    model = getattr(transformers, f"{name}ForCTC")(config).eval()
    with torch.no_grad():  # random heads give nearly flat answers: made sharper, a wrong forward pass shows
        model.lm_head.weight.mul_(sharpness)
    model.save_pretrained(folder)
    write_processor(folder, tokens, mask=mask)
    return folder


def write_processor(folder: Path, tokens: list[str], *, mask: bool = False) -> None:
    files = {
        "vocab.json": {token: number for number, token in enumerate(tokens)},
        "tokenizer_config.json": {
            "tokenizer_class": "Wav2Vec2CTCTokenizer",
            "unk_token": "<unk>",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "do_lower_case": False,
            "return_attention_mask": mask,
            "do_normalize": True,
        },
        "preprocessor_config.json": {
            "do_normalize": True,
            "feature_size": 1,
            "padding_side": "right",
            "padding_value": 0.0,
            "return_attention_mask": mask,
            "sampling_rate": 16000,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def only_pickled(folder: Path, old_names: bool = True) -> None:
    """Turn a folder into one that holds pytorch_model.bin alone, its weight norm named as old checkpoints name it."""
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    if old_names:
        for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
            for name in [name for name in weights if name.endswith(f"parametrizations.weight.{new}")]:
                weights[name.removesuffix(f"parametrizations.weight.{new}") + old] = weights.pop(name)
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def into_cache(folder: Path, cache: Path, name: str, commit: str = "0123456789abcdef0123456789abcdef01234567") -> Path:
    """Lay a folder out as the hub's cache under HF_HOME does; the snapshot's folder comes back."""
    repository = cache / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        blob = repository / "blobs" / f"{number:040d}"
        blob.write_bytes(path.read_bytes())
        (snapshot / path.name).symlink_to(Path("../../blobs") / blob.name)
    return snapshot

"""A folder laid out as facebook/mms-1b-all is: English weights, and adapters, heads and vocabularies of other languages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.models import checkpoints

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "|"]
LANGUAGES: Mapping[str, Sequence[str]] = {
    "deu": [*SPECIAL, *"eniratsdhulgmcobkwfzpvüäößjyxq"],
    "eng": checkpoints.LETTERS,
    "kor": [*SPECIAL, *"이다가은는을를에서하고지의도한나그것수있없어요오일삼사육칠팔구영"],
}


def make(folder: Path, *, own: str | None = "eng", adapters: Sequence[str] = ("deu", "eng", "kor")) -> Path:
    """The weights are English; `own` is what the tokenizer is set to, `adapters` the languages whose files are there."""
    from safetensors.torch import save_file
    from transformers import Wav2Vec2ForCTC

    checkpoints.make(folder, **checkpoints.LARGE, adapter_attn_dim=8)
    vocabularies = {code: {token: number for number, token in enumerate(tokens)} for code, tokens in LANGUAGES.items()}
    (folder / "vocab.json").write_text(json.dumps(vocabularies, ensure_ascii=False), encoding="utf-8")
    set_to(folder, own)
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    for code in sorted(adapters):
        generator = torch.Generator().manual_seed(sum(code.encode()))
        model.lm_head = torch.nn.Linear(48, len(LANGUAGES[code]))
        weights = {
            name: (0.3 if ".adapter_layer." in name else 1.0) * torch.randn(value.shape, generator=generator)
            if code != "eng"
            else value.detach()
            for name, value in model._get_adapters().items()
        }
        if code == "eng":
            weights |= {f"lm_head.{name}": value for name, value in _english_head(folder).items()}
        weights = {name: value.contiguous() for name, value in weights.items()}
        save_file(weights, folder / f"adapter.{code}.safetensors", metadata={"format": "pt"})
    return folder


def set_to(folder: Path, language: str | None) -> None:
    path = folder / "tokenizer_config.json"
    settings = {name: value for name, value in json.loads(path.read_text()).items() if name != "target_lang"}
    path.write_text(json.dumps(settings | ({"target_lang": language} if language else {})), encoding="utf-8")


def theirs(folder: Path, language: str, waves: Sequence[np.ndarray], *, adapters: Path | None = None) -> list[str]:
    """What transformers makes of each waveform alone, set to a language as its documentation says; the adapters and the
    tokenizer from `adapters` where they are not the model's own."""
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC

    model: Any = Wav2Vec2ForCTC.from_pretrained(folder).eval()
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(adapters or folder, target_lang=language)
    model.config._name_or_path = str(adapters or folder)
    model.load_adapter(language)
    found: list[str] = []
    for wave in waves:
        heard = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
        with torch.inference_mode():
            found += tokenizer.batch_decode(model(torch.from_numpy(heard)[None]).logits.argmax(-1))
    return found


def _english_head(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    return {name: weights[f"lm_head.{name}"] for name in ("weight", "bias")}

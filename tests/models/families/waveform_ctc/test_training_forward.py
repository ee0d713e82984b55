from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models import checkpoints
from thanosql.models.ctc.loss import ctc_losses, frames_needed
from thanosql.models.families.waveform_ctc.architectures import ARCHITECTURES
from thanosql.models.families.waveform_ctc.checkpoint import load_model
from thanosql.models.families.waveform_ctc.training import WaveformModel
from thanosql.models.families.waveform_ctc.training_forward import encode, frame_logits
from thanosql.models.options import TrainOptions
from thanosql.models.training import schedule
from thanosql.models.training.transformers_model import start_learning

DROPOUTS = (
    "hidden_dropout",
    "attention_dropout",
    "activation_dropout",
    "feat_proj_dropout",
    "final_dropout",
    "conformer_conv_dropout",
)
QUIET = dict.fromkeys((*DROPOUTS, "layerdrop", "mask_time_prob", "mask_feature_prob"), 0.0)
KINDS: dict[str, dict[str, Any]] = {
    "base": checkpoints.BASE,
    "large": checkpoints.LARGE,
    **{kind: {"model_type": kind} for kind in ARCHITECTURES if kind != "wav2vec2"},
    "hubert large": {"model_type": "hubert", **checkpoints.LARGE},
    "conformer, rotary": {"model_type": "wav2vec2-conformer", "position_embeddings_type": "rotary"},
}
LABELS = [[5, 6, 7, 7], [8], [9, 4, 10, 11, 12, 4, 5], [13, 14]]


def quiet_model(folder: Path, **changes: object) -> torch.nn.Module:
    """Without dropout and masks, its head as a new one is: a loss of 60 has its last digits from rounding alone."""
    model = load_model(checkpoints.make(folder, **{**QUIET, **changes}))
    start_learning(model)
    model.lm_head.weight.data.div_(20)
    return model


def waveforms(lengths: list[int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, generator=generator) for length in lengths]


def theirs(model: torch.nn.Module, sound: list[torch.Tensor], labels: list[list[int]]) -> float:
    """transformers' own loss of a batch without padding, its gradients left in the model."""
    padded = torch.full((len(labels), max(map(len, labels))), -100)
    for row, label in enumerate(labels):
        padded[row, : len(label)] = torch.tensor(label)
    loss = model(torch.stack(sound), labels=padded).loss
    loss.backward()
    return float(loss.detach())


def ours(model: torch.nn.Module, sound: list[torch.Tensor], labels: list[list[int]]) -> float:
    padded = ARCHITECTURES[model.config.model_type].padded
    logits, lengths = frame_logits(model, encode(model, sound), padded=padded)
    loss = ctc_losses(logits, lengths, labels, 0).sum() / len(labels)
    loss.backward()
    return float(loss.detach())


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "whole"])
def test_loss_and_gradients_are_those_of_transformers_on_a_batch_without_padding(
    tmp_path: Path, kind: dict[str, object], frozen: bool
) -> None:
    settings = {"ctc_loss_reduction": "mean", "ctc_zero_infinity": True}
    model = quiet_model(tmp_path, **kind, **settings)
    if frozen:
        model.freeze_feature_encoder()
    sound = waveforms([9_000] * 4)
    expected, wanted = theirs(model, sound, LABELS), gradients(model)
    assert ours(model, sound, LABELS) == pytest.approx(expected, abs=1e-5)
    got = gradients(model)
    assert got.keys() == wanted.keys()
    assert any(name.startswith(f"{model.base_model_prefix}.feature_extractor") for name in got) is not frozen
    for name, gradient in wanted.items():
        assert (got[name] - gradient).abs().max() < 1e-5 * max(1.0, float(gradient.abs().max())), name


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_utterance_has_the_loss_and_gradient_that_it_has_alone_whatever_it_is_padded_to(
    tmp_path: Path, kind: dict[str, object]
) -> None:
    model = quiet_model(tmp_path, **kind)
    sound = waveforms([4_000, 12_345, 7_001, 5_555])
    together = ours(model, sound, LABELS)
    got = gradients(model)
    alone = 0.0
    for waveform, label in zip(sound, LABELS, strict=True):
        alone += ours(model, [waveform], [label])
    assert together == pytest.approx(alone / 4, abs=1e-5)
    for name, gradient in gradients(model).items():
        assert (got[name] - gradient / 4).abs().max() < 1e-5 * max(1.0, float(gradient.abs().max())), name


@pytest.mark.parametrize("kind", ["wav2vec2", "wavlm", "sew-d", "wav2vec2-conformer"])
def test_layers_computed_anew_give_the_same_gradients_dropout_included(tmp_path: Path, kind: str) -> None:
    model = quiet_model(tmp_path, model_type=kind, **dict.fromkeys(DROPOUTS[:3], 0.2), layerdrop=0.0)
    trained = WaveformModel(model, ARCHITECTURES[kind])
    sound = waveforms([9_000] * 2)
    found = []
    for on in (False, True):
        trained.recompute(on)
        torch.manual_seed(0)
        found.append((ours(model, sound, LABELS[:2]), gradients(model)))
    (loss, kept), (again, anew) = found
    assert again == pytest.approx(loss, abs=1e-6)
    assert kept.keys() == anew.keys()
    for name, gradient in kept.items():
        assert (anew[name] - gradient).abs().max() < 1e-5 * max(1.0, float(gradient.abs().max())), name


def test_a_text_that_cannot_fit_its_frames_adds_neither_loss_nor_gradient(tmp_path: Path) -> None:
    model = quiet_model(tmp_path)
    assert ours(model, waveforms([1_000]), [[5, 6, 7, 8, 9, 10]]) == 0.0
    assert all(float(gradient.abs().max()) == 0.0 for gradient in gradients(model).values())


def test_frames_needed_counts_a_blank_between_equal_labels() -> None:
    assert frames_needed([]) == 0
    assert frames_needed([5, 5, 6, 6, 6]) == 8


def test_hidden_frames_and_channels_do_not_reach_the_answer(tmp_path: Path) -> None:
    model = quiet_model(tmp_path, mask_time_prob=0.1).eval()
    sound, other = waveforms([6_000]), [-waveform for waveform in waveforms([6_000])]
    features, others = encode(model, sound), encode(model, other)
    every = [np.ones(len(features[0]), bool)]
    channels = [np.ones(model.config.hidden_size, bool)]
    with torch.no_grad():
        assert not torch.equal(frame_logits(model, features)[0], frame_logits(model, others)[0])
        for masks in ((every, None), (None, channels)):
            first = frame_logits(model, features, *masks)[0]
            assert torch.equal(first, frame_logits(model, others, *masks)[0])


def test_norms_biases_and_vectors_do_not_decay(tmp_path: Path) -> None:
    model = load_model(checkpoints.make(tmp_path))
    model.freeze_feature_encoder()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed, plain = (
        {names[id(parameter)] for parameter in group["params"]}
        for group in schedule.adamw(model, TrainOptions(weight_decay=0.1)).param_groups
    )
    assert {"lm_head.weight", "wav2vec2.encoder.layers.0.attention.q_proj.weight"} <= decayed
    assert "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0" in plain
    assert not any(name.endswith("bias") or "norm" in name for name in decayed)
    assert not any(name.startswith("wav2vec2.feature_extractor") for name in decayed | plain)


def test_the_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    options = TrainOptions(learning_rate=1e-3, warmup_ratio=0.1)
    rates = [schedule.learning_rate(step, 100, options) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[9] == pytest.approx(1e-3)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert 0 < rates[-1] < 1e-6

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models import checkpoints
from thanosql.models import measurements
from thanosql.models.ctc import packed_modules, products
from thanosql.models.families.waveform_ctc import attention, checkpoint
from thanosql.models.families.waveform_ctc.architectures import ARCHITECTURES
from thanosql.models.families.waveform_ctc.checkpoint import Features
from thanosql.models.families.waveform_ctc.convolutions import sample_count
from thanosql.models.families.waveform_ctc.cpu_model import CPUModel
from thanosql.models.families.waveform_ctc.forward import Forward, forward
from thanosql.models.families.waveform_ctc.preparation import prepare

CPU = torch.device("cpu")
LENGTHS = (16_000, 400, 719, 5_000, 31_234)  # samples
SQUEEZED = (16_000, 960, 1_199, 5_000, 31_234)  # for models that hear two frames as one
KINDS = {
    "base": checkpoints.BASE,
    "large": checkpoints.LARGE,
    "group, stable": {**checkpoints.BASE, "do_stable_layer_norm": True},
    "layer, not stable": {**checkpoints.LARGE, "do_stable_layer_norm": False, "num_conv_pos_embeddings": 15},
    "short adapter": {**checkpoints.LARGE, "add_adapter": True, "num_adapter_layers": 1},
    "attention adapter": {**checkpoints.LARGE, "adapter_attn_dim": 8},
    "other activations": {**checkpoints.BASE, "hidden_act": "relu", "feat_extract_activation": "gelu_new"},
    **{
        kind: {"model_type": kind, "sharpness": 100 if "sew" in kind else 20}
        for kind in ARCHITECTURES
        if kind != "wav2vec2"
    },
    "hubert large": {"model_type": "hubert", **checkpoints.LARGE},
    "hubert, batch norm": {"model_type": "hubert", "conv_pos_batch_norm": True, "feat_proj_layer_norm": False},
    "wavlm large": {"model_type": "wavlm", **checkpoints.LARGE},
    "wavlm, short adapter": {"model_type": "wavlm", "add_adapter": True, "num_adapter_layers": 1},
    "data2vec, odd kernel": {"model_type": "data2vec-audio", "conv_pos_kernel_size": 8, "num_conv_pos_embeddings": 2},
    "unispeech, attention adapter": {"model_type": "unispeech", **checkpoints.LARGE, "adapter_attn_dim": 8},
    "sew large": {"model_type": "sew", **checkpoints.LARGE, "sharpness": 100},
    "conformer, rotary": {"model_type": "wav2vec2-conformer", "position_embeddings_type": "rotary"},
    "conformer large": {"model_type": "wav2vec2-conformer", **checkpoints.LARGE},
}
PLAIN = ("adapter", "batch-norm", "wavlm", "sew", "conformer")  # in the names of those that are not written out


def waves(*samples: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [(random.normal(size=count) * random.uniform(0.01, 0.5)).astype(np.float32) for count in samples]


def lengths(folder: Path) -> tuple[int, ...]:
    return SQUEEZED if "sew" in folder.name else LENGTHS


def load(folder: Path, dtype: torch.dtype = torch.float32) -> Forward | CPUModel:
    return forward(checkpoint.load_model(folder), checkpoint.read_architecture(folder), CPU, dtype)


def load_plain(folder: Path) -> Forward:
    return Forward(checkpoint.load_model(folder), checkpoint.read_architecture(folder), CPU, torch.float32)


def heard(*samples: int, seed: int = 0) -> list[np.ndarray]:
    return [prepare(wave, Features()) for wave in waves(*samples, seed=seed)]


def one_by_one(folder: Path, waveforms: list[np.ndarray]) -> list[torch.Tensor]:
    """What plain transformers answers, its processor's own choice of mask included."""
    from transformers import AutoModelForCTC, Wav2Vec2Processor

    model = AutoModelForCTC.from_pretrained(folder).eval()
    processor = Wav2Vec2Processor.from_pretrained(folder)
    found = []
    for wave in waveforms:
        inputs = processor(wave, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode(), warnings.catch_warnings():
            # WavLM's, of transformers: ours gives none, as any warning here is an error.
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask", UserWarning)
            found.append(model(**inputs).logits[0].log_softmax(-1))
    return found


def difference(first: list[torch.Tensor], second: list[torch.Tensor]) -> float:
    assert [one.shape for one in first] == [one.shape for one in second]
    return max(float((one - other).abs().max()) for one, other in zip(first, second, strict=True))


@pytest.fixture(scope="module", params=KINDS, ids=lambda name: name.replace(" ", "-"))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    changes = KINDS[request.param]
    mask = changes.get("feat_extract_norm") == "layer"
    return checkpoints.make(tmp_path_factory.mktemp(request.param.replace(" ", "-")), mask=mask, **changes)


@pytest.mark.parametrize("mask", [False, True], ids=["without-mask", "with-mask"])
def test_log_probabilities_are_those_of_plain_transformers_one_by_one(folder: Path, mask: bool) -> None:
    checkpoints.write_processor(folder, checkpoints.LETTERS, mask=mask)
    expected = one_by_one(folder, waves(*lengths(folder)))
    assert float(expected[0].std()) > 0.3, "answers as flat as these would agree by themselves"
    assert difference(load(folder)(heard(*lengths(folder))), expected) < 1e-4
    assert difference(load_plain(folder)(heard(*lengths(folder))), expected) < 1e-4


def test_what_is_wav2vec2_s_network_is_folded_on_a_cpu(folder: Path) -> None:
    assert isinstance(load(folder), Forward if any(kind in folder.name for kind in PLAIN) else CPUModel)


def test_without_the_private_operators_the_answers_are_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waveforms = heard(16_000, 5_000)
    expected = load(folder)(waveforms)
    for module in (products, packed_modules):
        monkeypatch.setattr(module, "onednn_works", lambda dtype: False)
    assert difference(load(folder)(waveforms), expected) < 1e-4


@pytest.mark.parametrize("private", [True, False], ids=["oneDNN", "torch"])
def test_whichever_product_is_there_an_answer_is_bitwise_the_same_whatever_its_neighbours(
    folder: Path, private: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not private:
        for module in (products, packed_modules):
            monkeypatch.setattr(module, "onednn_works", lambda dtype: False)
    model = load(folder)
    waveforms = heard(*lengths(folder), 1_300, 1_300, 2_000, 8_000)
    alone = [model([wave])[0] for wave in waveforms]
    assert all(torch.equal(one, other) for one, other in zip(alone, model(waveforms), strict=True))


CHOICES = [
    {"product": products.FUSED},
    {"product": products.PACKED},
    {"product": products.TORCH},
    {"attention": attention.TORCH},
    {"attention": attention.PRODUCTS},
    {"product": products.TORCH, "attention": attention.PRODUCTS, "block": "64"},
    {"product": products.PACKED, "attention": attention.PRODUCTS, "block": "128"},
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("choices", CHOICES, ids=lambda choices: " ".join(choices.values()))
@pytest.mark.parametrize("folder", ["base", "large", "sew"], indirect=True)
def test_whatever_is_measured_to_be_the_fastest_one_machine_gives_one_answer(
    folder: Path, choices: dict[str, str], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, way in choices.items():
        monkeypatch.setitem(measurements.forced, kind, way)
    model = load(folder, dtype)
    waveforms = heard(*lengths(folder), 1_300, 1_300, 2_000, 8_000)
    alone = [model([wave])[0] for wave in waveforms]
    assert all(torch.equal(one, other) for one, other in zip(alone, model(waveforms), strict=True))
    assert all(torch.equal(one, other) for one, other in zip(alone, model(waveforms[::-1])[::-1], strict=True))
    if dtype == torch.float32:
        raw = waves(*lengths(folder), 1_300, 1_300, 2_000, 8_000)
        assert difference(alone, one_by_one(folder, raw)) < 1e-4


def test_every_way_counts_the_bytes_of_its_weights(folder: Path) -> None:
    # The spectra of a positional convolution take more than its weights, and a few biases and norms are not counted.
    weights = sum(one.nbytes for one in checkpoint.load_model(folder).parameters())
    assert 0.8 * weights < load(folder).nbytes < 3 * weights


def test_on_a_cpu_transformers_own_layers_are_packed_products(folder: Path) -> None:
    model = load(folder)
    if isinstance(model, Forward) and products.onednn_works(torch.float32):
        assert any(isinstance(layer, packed_modules.PackedLinear) for layer in model.model.modules())


def test_bfloat16_is_near_float32_and_not_the_same(folder: Path) -> None:
    waveforms = heard(16_000, 5_000)
    exact, rounded = load(folder)(waveforms), load(folder, torch.bfloat16)(waveforms)
    assert 1e-4 < difference(rounded, exact) < 0.5


def test_a_padded_batch_gives_the_answers_of_one_by_one(folder: Path) -> None:
    batched = load_plain(folder)
    # An adapter shortens time after the transformer, some hear the padding: such go one by one wherever they run.
    batched.one_by_one = not batched.windowed or not checkpoint.read_architecture(folder).padded
    expected = one_by_one(folder, waves(*lengths(folder), 8_000, seed=1))
    assert difference(batched(heard(*lengths(folder), 8_000, seed=1)), expected) < 1e-4


def test_on_a_cpu_an_answer_is_bitwise_the_same_whatever_its_neighbours(folder: Path) -> None:
    model = load(folder)
    waveforms = heard(16_000, 5_000, 9_999)
    alone = [model([wave])[0] for wave in waveforms]
    together = model(waveforms[::-1])[::-1]
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize("samples", [0, 1, 399])
def test_audio_too_short_for_a_frame_has_no_frames(folder: Path, samples: int) -> None:
    short, long = load(folder)(heard(samples, 8_000))
    assert short.shape == (0, len(checkpoints.LETTERS))
    assert long.shape[0] > 0


def test_silence_gives_finite_answers(folder: Path) -> None:
    (logs,) = load(folder)([np.zeros(8_000, np.float32)])
    assert torch.isfinite(logs).all()


def test_where_an_operator_is_missing_torch_s_own_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", None)
    assert not products.onednn_works.__wrapped__(torch.float32)


def test_a_waveform_is_prepared_as_transformers_prepares_it(folder: Path) -> None:
    from transformers import Wav2Vec2Processor

    for wave in waves(401, 16_000, 12_345):
        expected = Wav2Vec2Processor.from_pretrained(folder)(wave, sampling_rate=16_000).input_values[0]
        assert np.array_equal(prepare(wave, checkpoint.read_features(folder)), expected)


@pytest.mark.parametrize("kind", [kind for kind, one in ARCHITECTURES.items() if not one.padded])
def test_what_goes_one_by_one_would_hear_the_padding(kind: str, tmp_path: Path) -> None:
    batched = load_plain(checkpoints.make(tmp_path / "m", model_type=kind, sharpness=100))
    alone = batched(heard(*SQUEEZED))
    batched.one_by_one = False
    assert difference(batched(heard(*SQUEEZED)), alone) > 0.1


@pytest.mark.parametrize("kind", ["sew", "sew-d"])
def test_fewer_frames_than_are_heard_as_one_are_none(kind: str, tmp_path: Path) -> None:
    model = load(checkpoints.make(tmp_path / "m", model_type=kind))
    least = sample_count(2, model.config.conv_kernel, model.config.conv_stride)
    assert [len(logs) for logs in model(heard(least - 1, least))] == [0, 2]

"""In float32 nothing differs from plain transformers one by one: on trained weights by transcripts, on random by numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models import checkpoints
from thanosql.models.audio import read
from thanosql.models.bases import BASES
from thanosql.models.families import waveform_ctc
from thanosql.models.options import TranscribeOptions

OPTIONS = TranscribeOptions(device="cpu")
UTTERANCES = 1_000
TRAINED = {
    "Wav2Vec2Tiny": BASES["Wav2Vec2Tiny"].checkpoint,  # layer norm, stable, attention mask
    "group norm": str(Path(__file__).parents[3] / "fixtures" / "group_norm"),  # scripts/train_group_norm.py
}
# facebook/wav2vec2-base-960h and wav2vec2-large-xlsr, at their width, of few layers.
CONVOLUTIONS = {"conv_dim": [512] * 7, "num_conv_pos_embeddings": 128, "num_conv_pos_embedding_groups": 16}
BASE = {**checkpoints.BASE, **CONVOLUTIONS, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {**checkpoints.LARGE, **CONVOLUTIONS, "hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    # Products as small as the tiny model's gain nothing from more, and wait for each other on a busy machine.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def recordings(fsdd: Path) -> list[np.ndarray]:
    """Single digits, and some put end to end, of human speech."""
    paths = sorted(fsdd.glob("*.wav"))[:UTTERANCES]
    waves = [read(str(path), ()) for path in paths]
    return [np.concatenate(waves[index : index + index % 3 + 1]) for index in range(len(waves))]


def plain(folder: str) -> tuple[Any, Any]:
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    return Wav2Vec2Processor.from_pretrained(folder), Wav2Vec2ForCTC.from_pretrained(folder).eval()


def one_by_one(processor: Any, model: Any, wave: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        logits = model(**processor(wave, sampling_rate=16_000, return_tensors="pt")).logits[0]
    return logits.log_softmax(-1)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", TRAINED)
def test_on_trained_weights_no_transcript_differs_from_plain_transformers_one_by_one(
    name: str, recordings: list[np.ndarray], tmp_path: Path
) -> None:
    folder = TRAINED[name]
    processor, model = plain(folder)
    recognizer = waveform_ctc.load(folder, OPTIONS)
    found = recognizer.log_probabilities(recordings)
    worst, close = 0.0, 0
    differing = []
    texts = set()
    for index, (wave, ours) in enumerate(zip(recordings, found, strict=True)):
        logs = one_by_one(processor, model, wave)
        apart = (logs - ours).abs().amax(-1)  # of each frame: only one that is closer than twice that could change
        worst = max(worst, float(apart.max()))
        best = logs.topk(2, dim=-1).values
        close += int((best[:, 0] - best[:, 1] < 2 * apart).sum())
        text = processor.decode(logs.argmax(-1))
        texts.add(text)
        if text != recognizer.vocabulary.decode(ours.argmax(-1).tolist()):
            differing.append(index)
    print(
        f"{name}: {len(recordings)} utterances, {len(texts)} transcripts, at most {worst:.1e} apart, {close} frames close"
    )
    assert len(texts) > 50, "transcripts as few as these would agree by themselves"
    assert worst < 1e-4
    assert not differing
    assert close == 0


@pytest.mark.parametrize("mask", [False, True], ids=["without-mask", "with-mask"])
@pytest.mark.parametrize(("shape", "layers"), [(BASE, 3), (LARGE, 2)], ids=["base", "large"])
def test_at_the_width_of_the_real_models_log_probabilities_are_those_of_plain_transformers(
    tmp_path: Path, shape: dict[str, Any], layers: int, mask: bool
) -> None:
    folder = checkpoints.make(tmp_path / "m", mask=mask, sharpness=4, **shape, num_hidden_layers=layers)
    processor, model = plain(str(folder))
    recognizer = waveform_ctc.load(str(folder), OPTIONS)
    random = np.random.default_rng(0)
    waves = [(random.normal(size=count) * 0.1).astype(np.float32) for count in (40_000, 9_999, 17_000)]
    expected = [one_by_one(processor, model, wave) for wave in waves]
    found = recognizer.log_probabilities(waves)
    assert float(expected[0].std()) > 0.3, "answers as flat as these would agree by themselves"
    assert max(float((one - other).abs().max()) for one, other in zip(found, expected, strict=True)) < 1e-4
    backwards = recognizer.log_probabilities(waves[::-1], batch_size=1)[::-1]
    assert all(torch.equal(one, other) for one, other in zip(found, backwards, strict=True))


@pytest.mark.parametrize("shape", [None, BASE, LARGE], ids=["tiny", "base", "large"])
def test_at_the_width_of_the_real_models_an_answer_is_bitwise_the_same_whatever_its_neighbours(
    tmp_path: Path, shape: dict[str, Any] | None
) -> None:
    folder = str(BASES["Wav2Vec2Tiny"].checkpoint)
    if shape is not None:
        folder = str(checkpoints.make(tmp_path / "m", mask=False, **shape, num_hidden_layers=1))
    forward = waveform_ctc.load(folder, OPTIONS).forward
    random = np.random.default_rng(0)
    # From one frame on, several of one length, and one that is longer than a block of the convolutions.
    counts = [*range(400, 3_000, 320), *random.integers(400, 12_000, 6), *[8_000] * 4, 24_000]
    waves = [(random.normal(size=count) * 0.1).astype(np.float32) for count in counts]
    alone = [forward([wave])[0] for wave in waves]
    order = random.permutation(len(waves))
    for part in (order[:3], order[3:]):
        found = forward([waves[index] for index in part])
        assert [index for index, one in zip(part, found, strict=True) if not torch.equal(one, alone[index])] == []

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from thanosql.config import Settings
from thanosql.models import registry, wav2vec2
from thanosql.models.audio import read
from thanosql.models.base import TranscribeOptions

OPTIONS = TranscribeOptions(device="cpu")
UTTERANCES = 1_000


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


def test_on_trained_weights_no_transcript_differs_from_plain_transformers_one_by_one(
    recordings: list[np.ndarray], tmp_path: Path
) -> None:
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    folder = registry.BASES["Wav2Vec2Tiny"].checkpoint
    processor, model = Wav2Vec2Processor.from_pretrained(folder), Wav2Vec2ForCTC.from_pretrained(folder).eval()
    recognizer = wav2vec2.load(folder, Settings(home=tmp_path, audio_roots=()), OPTIONS)
    found = recognizer.log_probabilities(recordings)
    worst, close = 0.0, 0
    differing = []
    for index, (wave, ours) in enumerate(zip(recordings, found, strict=True)):
        with torch.inference_mode():
            logs = model(**processor(wave, sampling_rate=16_000, return_tensors="pt")).logits[0].log_softmax(-1)
        difference = float((logs - ours).abs().max())
        worst = max(worst, difference)
        best = logs.topk(2, dim=-1).values
        close += int((best[:, 0] - best[:, 1] < 2 * difference).sum())
        if processor.decode(logs.argmax(-1)) != recognizer.vocabulary.decode(ours.argmax(-1).tolist()):
            differing.append(index)
    print(f"{len(recordings)} utterances: at most {worst:.1e} apart, {close} frames within twice the difference")
    assert worst < 1e-4
    assert not differing
    assert close == 0

"""A recognizer that leaves long silences out keeps every frame in its place, and hears the rest as if it were cut."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.models import checkpoints
from thanosql.models.audio.silences import KEPT_SECONDS, long_silences
from thanosql.models.audio.waveform import LongWaveform
from thanosql.models.ctc.greedy import greedy
from thanosql.models.ctc.recognizer import FrameRecognizer
from thanosql.models.ctc.stretches import Joined, Silence, stretches
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.families import waveform_ctc
from thanosql.models.options import TranscribeOptions

OPTIONS = TranscribeOptions(device="cpu")
REACH, STEP = 400, 320
LETTERS = Vocabulary(("<pad>", "|", "A", "B"))


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> FrameRecognizer:
    return waveform_ctc.load(str(checkpoints.make(tmp_path_factory.mktemp("base"))), OPTIONS)


def sound(seed: int, samples: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=samples) * 0.1).astype(np.float32)


@given(
    samples=st.integers(REACH, 500_000),
    cuts=st.lists(st.integers(0, 500_000), max_size=8, unique=True).map(sorted),
    unit=st.sampled_from([1, 2, 4]),
)
def test_stretches_and_silences_are_every_frame_once_in_order(samples: int, cuts: list[int], unit: int) -> None:
    count = (samples - REACH) // STEP + 1
    silences = [(begin, min(end, samples)) for begin, end in zip(cuts[::2], cuts[1::2]) if begin < samples]
    found = stretches(samples, count, silences, (REACH, STEP), unit)
    assert found
    at = 0
    for part in found:
        assert at <= part.first < part.last <= count
        assert part.first % unit == 0
        assert part.begin == part.first * STEP
        assert part.end <= samples
        assert (part.end - part.begin - REACH) // STEP + 1 == part.last - part.first
        at = part.last
    for first, second in zip(found, found[1:]):
        assert any(begin <= first.last * STEP and second.begin <= end for begin, end in silences), "no silence is there"


@pytest.mark.parametrize("unit", [1, 4])
@pytest.mark.parametrize("left", [0, 1, 310, 700])
def test_of_a_recording_that_is_silent_to_its_last_frame_something_is_left(left: int, unit: int) -> None:
    (found,) = stretches(8_000, 24, [(0, 8_000 - left)], (REACH, STEP), unit)
    assert found.first % unit == 0
    assert (found.end, found.last) == (8_000, 24)
    assert (found.end - found.begin - REACH) // STEP + 1 == found.last - found.first > 0
    (short,) = stretches(641, 1, [(0, 640)], (REACH, STEP))
    assert (short.begin, short.end, short.first, short.last) == (0, 641, 0, 1)


@given(begin=st.integers(0, 3_000), end=st.integers(0, 3_000))
def test_what_is_joined_is_sliced_as_an_array(begin: int, end: int) -> None:
    wave = np.arange(8_000, dtype=np.float32)
    parts = stretches(8_000, 24, [(1_000, 3_000), (4_000, 6_000)], (REACH, STEP))
    whole = np.concatenate([wave[part.begin : part.end] for part in parts])
    joined = Joined(wave, parts)
    assert len(parts) == 3
    assert len(joined) == len(whole)
    assert np.array_equal(joined[begin:end], whole[begin:end])


def test_a_stretch_is_heard_as_if_it_had_been_cut_out_and_stands_in_its_place(recognizer: FrameRecognizer) -> None:
    first, second = sound(1, 48_000), sound(2, 32_000)
    whole = np.concatenate([first, np.zeros(208_000, np.float32), second])
    ((begin, end),) = long_silences(whole)
    (found,) = recognizer.log_probabilities([whole])
    assert len(found) == recognizer.forward.frames(len(whole))
    heard = recognizer.prepare(np.concatenate([whole[: begin + 80], whole[end:]]))
    logs = recognizer.forward([heard[: begin + 80], heard[begin + 80 :]])
    assert torch.equal(found[: len(logs[0])], logs[0])
    behind = found[-len(logs[1]) :]
    silence = Silence(recognizer.vocabulary)
    assert torch.equal(behind, silence.opened(logs[1]))
    between = found[len(logs[0]) : -len(logs[1])]
    assert len(between) > 390
    assert torch.allclose(between.exp().sum(-1), torch.ones(len(between)), atol=1e-5), "they are probabilities"
    assert int((between.argmax(-1) != recognizer.vocabulary.blank).sum()) <= 1


def test_without_a_long_silence_nothing_changes(recognizer: FrameRecognizer) -> None:
    whole = np.concatenate([sound(1, 48_000), np.zeros(16_000, np.float32), sound(2, 32_000)])
    plain = FrameRecognizer(recognizer.forward, recognizer.vocabulary, recognizer.prepare, lambda _: ())
    assert torch.equal(recognizer.log_probabilities([whole])[0], plain.log_probabilities([whole])[0])
    assert recognizer.transcribe([whole], OPTIONS) == plain.transcribe([whole], OPTIONS)


def test_neither_neighbours_nor_the_batch_change_what_is_left_of_a_recording(recognizer: FrameRecognizer) -> None:
    waves = [
        np.concatenate(
            [np.zeros(200_000, np.float32), sound(1, 48_000), np.zeros(180_000, np.float32), sound(2, 9_000)]
        ),
        sound(3, 30_000),
        np.zeros(180_000, dtype=np.float32),
        np.concatenate([sound(4, 40_000), np.zeros(140_000, np.float32)]),
    ]
    alone = [recognizer.transcribe([wave], OPTIONS)[0] for wave in waves]
    for size in (1, 3, 16):
        options = dataclasses.replace(OPTIONS, batch_size=size)
        assert recognizer.transcribe(waves[::-1], options) == alone[::-1]
    logs = recognizer.log_probabilities(waves)
    assert [greedy(one.numpy(), recognizer.vocabulary) for one in logs] == alone


def test_a_recording_in_a_file_with_silences_gives_what_an_array_does(recognizer: FrameRecognizer) -> None:
    wave = np.concatenate([sound(1, 90_000), np.zeros(200_000, np.float32), sound(2, 80_000)])
    spilled = LongWaveform()
    spilled.append(wave)
    (expected,) = recognizer.log_probabilities([wave], window_seconds=3)
    (found,) = recognizer.log_probabilities([spilled], window_seconds=3)
    assert torch.allclose(found, expected, atol=1e-4)


def test_silence_is_not_sent_through_the_model(tmp_path: Path) -> None:
    recognizer = waveform_ctc.load(str(checkpoints.make(tmp_path / "model")), OPTIONS)
    forward, heard = recognizer.forward, []

    class Watched:
        frames, geometry, windowed, squeeze = forward.frames, forward.geometry, True, 1

        def __call__(self, waveforms: list[np.ndarray]) -> list[torch.Tensor]:
            heard.extend(map(len, waveforms))
            return forward(waveforms)

    recognizer.forward = Watched()  # type: ignore[assignment]
    wave = np.concatenate([np.zeros(1_600_000, np.float32), sound(1, 32_000), np.zeros(1_600_000, np.float32)])
    (found,) = recognizer.log_probabilities([wave])
    assert sum(heard) <= 32_000 + 2 * KEPT_SECONDS * 16_000 + 400
    assert len(found) == forward.frames(len(wave))


def test_a_silence_ends_a_word_once() -> None:
    silence = Silence(LETTERS)
    a = torch.log_softmax(torch.tensor([[0.0, 0.0, 9.0, 0.0]]), -1)
    broken = torch.log_softmax(torch.tensor([[0.0, 9.0, 0.0, 0.0], [0.0, 0.0, 9.0, 0.0]]), -1)
    for behind in (a, broken):
        logs = torch.cat([a, silence.frames(100, 4, ends_a_word=True), silence.opened(behind)])
        assert greedy(logs.numpy(), LETTERS).text == "A A"
    logs = torch.cat([a, silence.frames(100, 4, ends_a_word=False)])
    assert greedy(logs.numpy(), LETTERS).text == "A"


def test_words_on_both_sides_of_a_silence_are_two(tmp_path: Path) -> None:
    class Says:
        """A model that hears 'A' in every frame that is not silent, and never a break."""

        nbytes, frame_seconds, geometry, windowed, squeeze = 0, 0.02, (REACH, STEP), True, 1

        def frames(self, samples: int) -> int:
            return max(0, (samples - REACH) // STEP + 1)

        def __call__(self, waveforms: list[np.ndarray]) -> list[torch.Tensor]:
            found = []
            for wave in waveforms:
                logits = torch.zeros(self.frames(len(wave)), 4)
                for frame in range(len(logits)):
                    logits[frame, 2 if np.abs(wave[frame * STEP : frame * STEP + STEP]).max() > 0 else 0] = 9.0
                found.append(torch.log_softmax(logits, -1))
            return found

    wave = np.concatenate(
        [sound(1, 16_000), np.zeros(128_000, np.float32), sound(2, 16_000), np.zeros(128_000, np.float32)]
    )
    recognizer = FrameRecognizer(Says(), LETTERS)  # type: ignore[arg-type]
    assert recognizer.transcribe([wave], OPTIONS)[0].text == "A A"
    (logs,) = recognizer.log_probabilities([wave])
    assert greedy(logs.numpy(), LETTERS).text == "A A"

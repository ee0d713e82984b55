"""Decoding and resampling against independent decoders, files written by hand, and sounds known by formula."""

from __future__ import annotations

import io
import multiprocessing
import os
import threading
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soxr

from tests.models.recordings import by_av, by_soundfile, decoded_by_av, eight_channels, shift, snr, sweep, wav
from thanosql.models import audio
from thanosql.models.audio import decoding

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("bits", "step"), [(8, 1 / 127), (16, 2**-15), (24, 2**-23), (32, 2**-23), ("f4", 0), ("f8", 1e-7)]
)
def test_wav_samples_are_those_that_were_written(bits: int | str, step: float, channels: int) -> None:
    samples = np.random.default_rng(1).uniform(-0.9, 0.9, (8000, channels)).astype(np.float32)
    heard = audio.read(wav(samples, 16000, bits))
    assert heard.dtype == np.float32
    assert heard.shape == (8000,)
    # Full scale is 1 at 2^(bits-1), while the hand-written file stops one step below it.
    scale = {8: 127 / 128, 16: 32767 / 32768}.get(bits, 1.0)
    assert np.abs(heard - samples.mean(axis=1) * scale).max() <= step + 1e-7


@pytest.mark.parametrize("rate", [8000, 22050, 96000])
def test_wav_of_the_standard_library_is_read_bit_for_bit(rate: int) -> None:
    integers = np.random.default_rng(2).integers(-32768, 32768, (rate // 4, 2)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(2)
        output.setsampwidth(2)
        output.setframerate(rate)
        output.writeframes(integers.tobytes())
    info = audio.probe(file.getvalue())
    assert (info.seconds, info.sampling_rate, info.channels, info.format) == (rate // 4 / rate, rate, 2, "wav/pcm_16")
    mono = (integers / 32768).mean(axis=1).astype(np.float32)
    assert np.abs(audio.read(file.getvalue()) - soxr.resample(mono, rate, 16000, "HQ")).max() < 1e-6


@pytest.mark.parametrize("rate", RATES)
def test_a_resampled_sine_keeps_frequency_level_and_time(rate: int) -> None:
    amplitude, frequency, phase = 0.5, 1000.0, 0.7
    samples = amplitude * np.sin(2 * np.pi * frequency * np.arange(rate * 2) / rate + phase)
    heard = audio.read(wav(samples, rate, "f4"))
    assert len(heard) == 32000
    t = np.arange(32000) / 16000
    inner = slice(1600, -1600)
    # Where frequency, level and phase are all right, the difference from the formula vanishes.
    assert np.abs(heard[inner] - amplitude * np.sin(2 * np.pi * frequency * t + phase)[inner]).max() < 2e-4
    fitted = 2 * np.mean(heard[inner] * np.exp(-2j * np.pi * frequency * t[inner]))
    assert abs(fitted) == pytest.approx(amplitude, rel=1e-3)
    late = (phase - np.pi / 2 - np.angle(fitted)) / (2 * np.pi * frequency) * 16000
    assert abs(late) < 0.01, "in samples of 16 kHz"


@pytest.mark.parametrize("rate", RATES)
def test_a_click_stays_where_it_was(rate: int) -> None:
    samples = np.zeros(rate)
    samples[rate // 2] = 0.9
    assert abs(int(np.abs(audio.read(wav(samples, rate, "f4"))).argmax()) - 8000) <= 1


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
def test_what_16_khz_cannot_hold_is_filtered_and_not_folded(rate: int) -> None:
    samples = 0.5 * np.sin(2 * np.pi * 9500 * np.arange(rate) / rate)
    assert np.abs(audio.read(wav(samples, rate, "f4"))[800:-800]).max() < 0.5 * 10 ** (-90 / 20)


def test_a_long_file_read_block_by_block_is_the_file_read_at_once() -> None:
    samples = np.random.default_rng(3).uniform(-0.5, 0.5, 44100 * 20).astype(np.float32)
    assert np.array_equal(audio.read(wav(samples, 44100, "f4")), soxr.resample(samples, 44100, 16000, "HQ"))


def test_channels_are_averaged() -> None:
    left, right = sweep(16000), np.full(32000, 0.25, np.float32)
    heard = audio.read(wav(np.stack([left, right], axis=1), 16000, "f4"))
    assert np.abs(heard - (left + right) / 2).max() < 1e-6


LIBSNDFILE = {  # (container, subtype): least signal to noise ratio in dB, sampling rates that there are
    ("FLAC", "PCM_16"): (70, (8000, 16000, 44100, 48000, 96000)),
    ("FLAC", "PCM_24"): (120, (8000, 44100, 96000)),
    ("AIFF", "PCM_16"): (70, (8000, 16000, 44100, 48000, 96000)),
    ("AIFF", "FLOAT"): (120, (16000, 48000)),
    ("OGG", "VORBIS"): (20, (8000, 16000, 44100, 48000, 96000)),
    ("OGG", "OPUS"): (14, (8000, 12000, 16000, 24000, 48000)),
    ("MP3", "MPEG_LAYER_III"): (20, (8000, 16000, 22050, 44100, 48000)),
}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("container", "subtype", "rate", "least"),
    [(*names, rate, least) for names, (least, rates) in LIBSNDFILE.items() for rate in rates],
)
def test_what_libsndfile_encodes_is_heard_as_ffmpeg_decodes_it(
    container: str, subtype: str, rate: int, least: float, channels: int
) -> None:
    source = np.stack([sweep(rate)] * channels, axis=1) * np.linspace(1, 0.5, channels)
    data = by_soundfile(source, rate, container, subtype)
    info = audio.probe(data)
    assert (info.sampling_rate, info.channels) == (rate, channels)
    assert info.seconds == pytest.approx(2.0, abs=0.001)
    heard = audio.read(data)
    assert len(heard) == 32000
    known = sweep(16000) * (1 if channels == 1 else 0.75)
    assert shift(heard, known) == 0
    assert snr(heard, known) > least
    other_rate, other = decoded_by_av(data)
    # FFmpeg decodes Opus at 48 kHz only, and libsndfile is one sample of 24 kHz off at that rate.
    assert snr(heard, soxr.resample(other, other_rate, 16000, "HQ")) > (15 if subtype == "OPUS" else 60)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("container", "codec", "rate", "name", "late", "least"),
    [
        ("ipod", "aac", 16000, "mp4/aac", 0, 40),  # .m4a
        ("mp4", "aac", 44100, "mp4/aac", 0, 40),
        ("mp4", "aac", 48000, "mp4/aac", 0, 40),
        ("ipod", "alac", 44100, "mp4/alac", 0, 80),
        ("webm", "libopus", 48000, "webm/opus", 0, 30),
        ("ogg", "libopus", 48000, "ogg/opus", 0, 30),
        ("mp3", "libmp3lame", 44100, "mp3/mp3", 0, 20),
        ("flac", "flac", 96000, "flac/pcm_16", 0, 80),
        ("aiff", "pcm_s16be", 8000, "aiff/pcm_16", 0, 80),
        ("tta", "tta", 48000, "tta/tta", 0, 30),
        # Bare AAC notes no delay of its coder: the first frame, 1,024 samples, stays.
        ("adts", "aac", 16000, "aac/aac", 1024, 40),
        # FFmpeg's WMA coder begins a frame of 512 samples earlier than its decoder expects.
        ("asf", "wmav2", 16000, "asf/wmav2", -512, 30),
    ],
)
def test_what_ffmpeg_encodes_is_heard_as_it_was(
    container: str, codec: str, rate: int, name: str, late: int, least: float, channels: int
) -> None:
    source = np.stack([sweep(rate)] * channels, axis=1) * np.linspace(1, 0.5, channels)
    data = by_av(source, rate, container, codec)
    info = audio.probe(data)
    assert (info.sampling_rate, info.channels, info.format) == (rate, channels, name)
    heard = audio.read(data)
    assert info.seconds == pytest.approx(2.0, abs=0.12)
    assert len(heard) / 16000 == pytest.approx(info.seconds, abs=0.06)
    known = sweep(16000) * (1 if channels == 1 else 0.75)
    assert shift(heard, known) == late
    assert snr(heard, known, late) > least


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_eight_channels_are_heard_without_a_crash(codec: str) -> None:
    content = eight_channels(codec)
    assert audio.probe(content).channels == 8
    heard = audio.read(content)
    # Lossy coders hand the deep channel (LFE) on without its heights: the mean then differs a little.
    known = sweep(16000) * np.linspace(1, 0.3, 8).mean()
    assert shift(heard, known) == 0
    assert snr(heard, known) > 12


def test_a_container_without_a_duration_is_measured_by_its_packets() -> None:
    live = by_av(sweep(48000), 48000, "webm", "libopus", live="1")  # as browsers record
    assert audio.probe(live).seconds == pytest.approx(2.0, abs=0.03)
    aac = by_av(sweep(16000, 10.0), 16000, "adts", "aac")
    assert audio.probe(aac).seconds == len(audio.read(aac)) / 16000


def test_an_mp3_without_a_tag_is_measured_and_read_to_its_end() -> None:
    # A quiet half and a loud half at a variable bit rate: the first frames mislead whoever guesses from them.
    noise = np.random.default_rng(4).uniform(-0.5, 0.5, 16000 * 20)
    noise[: 16000 * 10] *= 0
    data = by_av(noise, 16000, "mp3", "libmp3lame", write_xing="0")
    assert audio.probe(data).seconds == pytest.approx(20.0, abs=0.2)
    assert len(audio.read(data)) / 16000 == pytest.approx(20.0, abs=0.2)


def test_two_mp3_put_end_to_end_are_both_read() -> None:
    one = by_av(sweep(16000), 16000, "mp3", "libmp3lame")
    assert audio.probe(one).seconds == pytest.approx(2.0, abs=0.01)
    assert audio.probe(one + one).seconds == pytest.approx(4.0, abs=0.3)
    assert len(audio.read(one + one)) / 16000 == pytest.approx(4.0, abs=0.3)


def test_titles_in_latin_1_do_not_matter() -> None:
    tag = b"TIT2" + (5).to_bytes(4, "big") + b"\0\0" + b"\x00caf\xe9"
    mp3 = (
        b"ID3\x03\0\0\0\0\0" + bytes([len(tag)]) + tag + by_av(sweep(16000), 16000, "mp3", "libmp3lame", write_xing="0")
    )
    assert audio.probe(mp3).seconds == pytest.approx(2.0, abs=0.15)


def test_a_wav_written_to_a_pipe_promises_no_length_and_is_read_to_its_end() -> None:
    for promised in (0xFFFFFFFF, 0):
        data = wav(sweep(16000), 16000, 16, promised=promised)
        assert audio.probe(data).seconds == pytest.approx(2.0)
        assert len(audio.read(data)) == 32000


def test_recordings_of_other_encoders_agree_between_the_decoders(formats: Path) -> None:
    found = sorted(path for path in formats.iterdir() if path.suffix in (".flac", ".wav", ".mp3", ".opus"))
    assert len(found) >= 10
    for path in found:
        heard = audio.read(str(path))
        rate, other = decoded_by_av(path.read_bytes())
        other = soxr.resample(other, rate, 16000, "HQ")
        assert len(heard) / 16000 == pytest.approx(audio.probe(str(path)).seconds, abs=0.001), path.name
        assert len(heard) == pytest.approx(len(other), abs=2), path.name
        assert snr(heard, other) > (25 if path.suffix == ".opus" else 60), path.name


def test_threads_of_a_session_decode_with_ffmpeg_one_after_the_other() -> None:
    """Two at once hand Python's lock to each other hundreds of times a file."""
    tone = np.sin(np.arange(16_000) / 9) / 2
    mp3, flac = by_soundfile(tone, 16_000, "MP3", "MPEG_LAYER_III"), by_soundfile(tone, 16_000, "FLAC")
    with ThreadPoolExecutor(2) as pool:
        with decoding.opened(io.BytesIO(mp3)):
            waits = pool.submit(audio.read, mp3)
            assert len(pool.submit(audio.read, flac).result(60)) == 16_000
            with pytest.raises(TimeoutError):
                waits.result(0.2)
            with decoding.opened(io.BytesIO(mp3)) as source:  # the same thread does not wait for itself
                assert source.info.sampling_rate == 16_000
        assert len(waits.result(60)) >= 16_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    mp3 = by_soundfile(np.sin(np.arange(16_000) / 9) / 2, 16_000, "MP3", "MPEG_LAYER_III")
    held, end = threading.Event(), threading.Event()

    def hold() -> None:
        with decoding.opened(io.BytesIO(mp3)):
            held.set()
            end.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    child = multiprocessing.get_context("fork").Process(target=audio.read, args=(mp3,))
    child.start()
    child.join(60)
    end.set()
    thread.join()
    ended = child.exitcode
    child.kill()
    assert ended == 0

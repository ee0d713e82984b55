"""A row may mean a part of a recording: the same samples as decoding all of it and cutting, in every format."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from tests.models.recordings import by_av, by_soundfile, sweep, wav
from thanosql.models import audio
from thanosql.models.audio import AudioError, AudioPart, open_recording, reading
from thanosql.models.audio.access import AudioAccess
from thanosql.models.audio.recordings import DecodedAudio, DecodedRecordings
from thanosql.models.audio.waveform import LongWaveform

RESAMPLED = 1e-6  # of full scale: the resampler's rounding, where it begins elsewhere


def noise(seconds: float, rate: int = 16000) -> np.ndarray:
    generator = np.random.default_rng(11)
    return (generator.uniform(-0.5, 0.5, int(seconds * rate)) * np.linspace(0.2, 1, int(seconds * rate))).astype("f4")


def parts_of(seconds: float) -> list[tuple[float, float | None]]:
    return [
        (0.0, 0.2),
        (0.1, 0.5),
        (0.33333, 0.47777),
        (seconds / 2, None),
        (seconds * 0.3, seconds * 0.9),
        (seconds - 0.2, seconds),
        (0.123456, seconds + 0.05),
    ]


def check_parts(name: str, tolerance: float = RESAMPLED, roots: tuple[Path, ...] = ()) -> None:
    whole = audio.read(name, roots)
    seconds = audio.probe(name, roots).seconds
    for start, end in parts_of(seconds):
        part = AudioPart(name, start, end)
        heard = audio.read(part, roots)
        expected = whole[round(start * 16000) : None if end is None else round(end * 16000)]
        assert heard.shape == expected.shape, (name, start, end)
        assert np.abs(heard - expected).max() <= tolerance, (name, start, end)
        assert np.array_equal(audio.decode(part, roots).waveform[:], heard)
        assert audio.probe(part, roots).seconds == pytest.approx(len(heard) / 16000, abs=0.06)


def test_parts_of_other_encoders_recordings_are_cut_exactly(formats: Path) -> None:
    found = [path for path in (*formats.iterdir(), *(formats.parent / "containers").iterdir()) if path.suffix != ".md"]
    assert len(found) >= 40
    for path in sorted(found):
        check_parts(str(path))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 44056])
@pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_24"), ("WAV", "ULAW")])
def test_parts_are_sought_at_any_rate(container: str, subtype: str, rate: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(by_soundfile(noise(7.3, rate), rate, container, subtype))
    check_parts("a", roots=(tmp_path,))


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("mp3", "libmp3lame", 44100), ("ipod", "aac", 44100), ("webm", "libopus", 48000), ("adts", "aac", 16000)],
)
def test_parts_of_coded_recordings_are_those_of_the_whole_to_the_bit(
    container: str, codec: str, rate: int, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(by_av(noise(20.0, rate), rate, container, codec))
    check_parts("a", tolerance=0.0, roots=(tmp_path,))


@pytest.mark.parametrize("subtype", ["OPUS", "VORBIS"])
def test_parts_of_ogg_are_those_of_the_whole_to_the_bit(subtype: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(by_soundfile(noise(30.0, 48000), 48000, "OGG", subtype))
    check_parts("a", tolerance=0.0, roots=(tmp_path,))


def test_parts_of_a_flac_that_does_not_say_how_long_it_is(tmp_path: Path) -> None:
    data = bytearray(by_soundfile(noise(5.0), 16000, "FLAC", "PCM_16"))
    data[21] &= 0xF0  # the count of samples: 36 bits behind the rate, channels and width
    data[22:26] = bytes(4)
    (tmp_path / "a").write_bytes(data)
    assert audio.probe("a", [tmp_path]).seconds == pytest.approx(5.0)
    check_parts("a", roots=(tmp_path,))


def test_bytes_have_parts_too() -> None:
    data = wav(noise(3.0, 22050), 22050, 16)
    assert np.abs(audio.read(AudioPart(data, 1.0, 2.0)) - audio.read(data)[16000:32000]).max() <= RESAMPLED


@pytest.mark.parametrize("make", [lambda s: wav(s, 16000, 16), lambda s: by_av(s, 16000, "ipod", "aac")])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"start": -0.5}, "the start is before the recording (-0.5 s)"),
        ({"start": 1.5, "end": 1.0}, "the end (1 s) is not after the start (1.5 s)"),
        ({"start": 1.0, "end": 1.0}, "the end (1 s) is not after the start (1 s)"),
        ({"start": float("nan")}, "the start is nan, not a number of seconds"),
        ({"end": float("inf")}, "the end is inf, not a number of seconds"),
        ({"start": 7.0}, "the start (7 s) is past the end of the recording (2."),
        ({"end": 2.5}, "the end (2.5 s) is past the end of the recording (2."),
        ({"channel": 2}, "there is no channel 2: it has 1"),
        ({"channel": 0}, "the channel is 0; they count from 1"),
        ({"track": 2}, "there is no audio track 2: it has 1"),
        ({"track": -1}, "the track is -1; they count from 1"),
    ],
)
def test_parts_that_are_not_there_are_refused_before_anything_is_decoded(
    make: Callable[[np.ndarray], bytes], change: dict[str, float], reason: str
) -> None:
    part = replace(AudioPart(make(sweep(16000))), **change)  # type: ignore[arg-type]
    for work in (audio.probe, audio.read, audio.decode):
        with pytest.raises(AudioError) as caught:
            work(part)
        assert str(caught.value).startswith(reason)


def test_an_end_up_to_a_tenth_of_a_second_past_the_recordings_is_cut_to_it() -> None:
    data = wav(noise(2.0), 16000, 16)
    assert audio.probe(AudioPart(data, 1.0, 2.1)).seconds == 1.0
    assert len(audio.read(AudioPart(data, 1.0, 2.1))) == 16000


# Which sound


def stereo(left: np.ndarray, right: np.ndarray) -> bytes:
    return wav(np.stack([left, right], axis=1), 16000, "f4")


def test_a_channel_is_read_alone() -> None:
    left, right = sweep(16000), noise(2.0)
    data = stereo(left, right)
    assert np.array_equal(audio.read(AudioPart(data, channel=1)), left)
    assert np.array_equal(audio.read(AudioPart(data, channel=2)), right)
    assert np.array_equal(audio.read(AudioPart(data, 0.5, 1.5, channel=2)), right[8000:24000])
    assert np.abs(audio.read(data) - (left + right) / 2).max() < 1e-6


@pytest.mark.parametrize("factor", [-1.0, -0.95])
@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG"])
def test_channels_that_cancel_each_other_are_not_mixed_and_that_is_said(factor: float, container: str) -> None:
    left = sweep(16000)
    data = by_soundfile(np.stack([left, left * factor], axis=1), 16000, container)
    for part in (AudioPart(data), AudioPart(data, 0.5, 1.5)):
        decoded = audio.decode(part)
        assert [note.name for note in decoded.notes] == ["channels cancel"]
        assert np.array_equal(decoded.waveform[:], audio.read(replace(part, channel=1)))


def turns(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two channels of a call: one speaks, then the other."""
    return np.concatenate([left, np.zeros_like(right)]), np.concatenate([np.zeros_like(left), right])


def hall(sound: np.ndarray, seed: int) -> np.ndarray:
    """The sound at one of several places of a room."""
    tail = np.random.default_rng(seed).normal(0, 0.3, 3200) * np.exp(-np.arange(3200) / 600)
    return np.convolve(sound, np.concatenate([[1.0], tail]))[: len(sound)].astype("f4")


SWEEP, NOISE = sweep(16000), noise(2.0)
CHANNELS = {
    "one after the other": (*turns(SWEEP, NOISE), "channels differ"),
    "with a little of the other": (
        *(one + 0.1 * other for one, other in (turns(SWEEP, NOISE), turns(SWEEP, NOISE)[::-1])),
        "channels differ",
    ),
    "at once": (np.roll(SWEEP, 8000), np.roll(NOISE * np.linspace(0, 1, 32000, dtype="f4"), 8000), "channels differ"),
    "the same": (SWEEP, SWEEP, ""),
    "panned": (SWEEP, 0.1 * SWEEP, ""),
    "apart by some samples": (SWEEP, np.roll(SWEEP, 20) * 0.7, ""),
    "in a room": (hall(SWEEP, 1), hall(SWEEP, 2) * 0.6, ""),
    "one is silent": (SWEEP, np.zeros(32000), "silent channel"),
    "one has a faint hum": (SWEEP, 1e-5 * SWEEP, "silent channel"),
    "both are silent": (np.zeros(32000), np.zeros(32000), ""),
}


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("container", ["WAV", "FLAC", "MP3"])
def test_channels_that_differ_or_are_silent_are_mixed_and_that_is_said(name: str, container: str) -> None:
    left, right, said = CHANNELS[name]
    data = by_soundfile(np.stack([left, right], axis=1), 16000, container)
    assert [note.name for note in audio.decode(data).notes] == ([said] if said else [])
    assert audio.decode(AudioPart(data, channel=2)).notes == ()


def test_the_note_names_the_option_that_helps() -> None:
    (note,) = audio.decode(stereo(np.zeros(32000), SWEEP)).notes
    assert note.text == "channel 1 is silent, so the mix is quieter than channel=2 would be"
    (note,) = audio.decode(stereo(*turns(SWEEP, NOISE))).notes
    assert "channel_col" in note.text
    (note,) = audio.decode(by_soundfile(np.stack([SWEEP, 0 * SWEEP, 0 * SWEEP], axis=1), 16000, "WAV")).notes
    assert note.text.startswith("channels 2 and 3 are silent")


def test_one_of_several_tracks_is_read_and_the_choice_is_said() -> None:
    tones = [np.sin(2 * np.pi * hertz * np.arange(48000) / 48000).astype("f4") / 2 for hertz in (300, 900, 1500)]
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        streams = [output.add_stream("flac", rate=48000, layout="mono") for _ in tones]
        for stream, tone in zip(streams, tones):
            frame = av.AudioFrame.from_ndarray((tone[None] * 32767).astype("i2"), "s16", "mono")
            frame.sample_rate, frame.pts = 48000, 0
            resampler = av.AudioResampler("s16", "mono", 48000, frame_size=4608)
            for piece in (*resampler.resample(frame), *resampler.resample(None)):
                output.mux(stream.encode(piece))
            output.mux(stream.encode(None))
    data = file.getvalue()
    (note,) = audio.probe(data).notes
    assert (note.name, note.text) == (
        "several tracks",
        "it has 3 audio tracks, of which track 1 is read; track=2 reads the next",
    )
    for track, hertz in ((1, 300), (2, 900), (3, 1500)):
        spectrum = np.abs(np.fft.rfft(audio.read(AudioPart(data, track=track))[:16000]))
        assert int(spectrum.argmax()) == hertz
        assert audio.probe(AudioPart(data, track=track)).notes == ()


# Identity


def test_equal_parts_are_one_sound_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(stereo(sweep(16000), noise(2.0)))
    access = AudioAccess(roots=(tmp_path,))
    whole = access.fingerprint("a.wav")
    assert access.fingerprint(AudioPart("a.wav")) == whole
    parts = [
        AudioPart("a.wav", *span, channel=channel)
        for span in ((0.0, 1.0), (0.5, 1.0), (0.5, None))
        for channel in (None, 1, 2)
    ] + [AudioPart("a.wav", channel=2), AudioPart("a.wav", track=1)]
    assert len({access.fingerprint(part) for part in parts} | {whole}) == len(parts) + 1
    assert access.fingerprint(replace(parts[0])) == access.fingerprint(parts[0])
    assert len({parts[0], replace(parts[0])}) == 1
    assert access.probe(parts[0]).seconds == 1.0
    assert np.array_equal(access.read(parts[1]), audio.read(parts[1], [tmp_path]))


# Recordings in many rows


def test_a_recording_in_many_rows_is_decoded_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[object] = []
    whole = open_recording.whole
    monkeypatch.setattr(open_recording, "whole", lambda *given: (decoded.append(given), whole(*given))[1])
    monkeypatch.setattr(reading, "_RECORDINGS", DecodedRecordings())
    path = tmp_path / "a.m4a"
    path.write_bytes(by_av(noise(8.0), 16000, "ipod", "aac"))
    with ThreadPoolExecutor(4) as pool:
        parts = [AudioPart(str(path), start / 10, start / 10 + 0.5) for start in range(60)]
        heard = list(pool.map(audio.read, parts))
    assert len(decoded) == 1
    expected = audio.read(str(path))
    assert all(np.array_equal(one, expected[n * 1600 : n * 1600 + 8000]) for n, one in enumerate(heard))
    decoded.clear()
    path.write_bytes(by_av(noise(4.0), 16000, "ipod", "aac"))
    audio.read(parts[0])
    assert len(decoded) == 1


def test_a_recording_that_was_decoded_is_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    known = open_recording.opened
    monkeypatch.setattr(
        open_recording, "opened", lambda *given, **more: (opened.append(given), known(*given, **more))[1]
    )
    monkeypatch.setattr(reading, "_RECORDINGS", DecodedRecordings())
    path = tmp_path / "a.mp3"
    path.write_bytes(by_av(noise(4.0), 16000, "mp3", "libmp3lame", write_xing="0"))
    first = audio.read(AudioPart(str(path), 1.0, 2.0))
    so_far = len(opened)
    assert np.array_equal(audio.read(AudioPart(str(path), 1.0, 2.0)), first)
    assert len(opened) == so_far
    seconds = audio.probe(str(path)).seconds
    so_far = len(opened)
    assert len(audio.read(AudioPart(str(path), seconds - 1, seconds + 0.09))) > 0
    for start, end, said in ((1.0, seconds + 0.11, "past the end"), (seconds + 1, None, "is past the end")):
        with pytest.raises(AudioError, match=said):
            audio.read(AudioPart(str(path), start, end))
    assert len(opened) == so_far


def test_long_recordings_lie_in_files_and_take_no_memory_s_place() -> None:
    recordings = DecodedRecordings(most_bytes=4 * 1000, most_file_bytes=4 * 5000)
    asked: list[int] = []

    def decode(key: int, samples: int, *, in_file: bool) -> None:
        def decoded() -> DecodedAudio:
            asked.append(key)
            if not in_file:
                return DecodedAudio(np.zeros(samples, np.float32))
            long = LongWaveform()
            long.append(np.zeros(samples, np.float32))
            return DecodedAudio(long)

        recordings.get(key, decoded)

    for _ in range(2):
        decode(1, 900, in_file=False)
        decode(2, 2000, in_file=True)
        decode(3, 2000, in_file=True)
    assert asked == [1, 2, 3]
    decode(4, 2000, in_file=True)  # of the files, the one that was asked for longest ago goes
    decode(1, 900, in_file=False)
    decode(3, 2000, in_file=True)
    decode(2, 2000, in_file=True)
    assert asked == [1, 2, 3, 4, 2]


def test_a_part_that_is_changed_changes_no_other(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(by_av(noise(2.0), 16000, "ipod", "aac"))
    part = AudioPart("a", 0.5, 1.0)
    heard = audio.read(part, [tmp_path])
    kept = heard.copy()
    heard[:] = 0
    assert np.array_equal(audio.read(part, [tmp_path]), kept)


def test_decoded_recordings_are_let_go_of_when_they_are_too_many() -> None:
    recordings = DecodedRecordings(most_bytes=4 * 1000)
    asked: list[int] = []

    def decode(key: int, samples: int) -> DecodedAudio:
        return recordings.get(key, lambda: (asked.append(key), DecodedAudio(np.zeros(samples, np.float32)))[1])

    for key in (1, 2, 1, 2):
        decode(key, 400)
    assert asked == [1, 2]
    decode(3, 400)  # the one that was asked for longest ago goes
    decode(2, 400)
    decode(1, 400)
    assert asked == [1, 2, 3, 1]
    decode(4, 5000)  # larger than all that may be held: it alone stays
    decode(4, 5000)
    assert asked == [1, 2, 3, 1, 4]
    decode(2, 400)
    assert asked == [1, 2, 3, 1, 4, 2]


def test_a_recording_that_cannot_be_decoded_is_tried_again_and_stops_nobody() -> None:
    recordings = DecodedRecordings()
    begun = threading.Event()

    def fail() -> DecodedAudio:
        begun.wait(5)
        raise AudioError("damaged")

    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(recordings.get, "a", fail) for _ in range(2)]
        begun.set()
        for one in waiting:
            with pytest.raises(AudioError, match="damaged"):
                one.result(10)
    assert recordings.get("a", lambda: DecodedAudio(np.zeros(1, np.float32))).notes == ()


def test_a_part_that_is_long_lies_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONG_SECONDS", 1.0)
    soundfile.write(tmp_path / "a.wav", noise(6.0), 16000)
    (tmp_path / "a.m4a").write_bytes(by_av(noise(6.0), 16000, "ipod", "aac"))
    for name in ("a.wav", "a.m4a"):
        long = audio.decode(AudioPart(name, 1.0, 4.0), [tmp_path]).waveform
        assert isinstance(long, LongWaveform)
        assert np.array_equal(long[:], audio.read(name, [tmp_path])[16000:64000])

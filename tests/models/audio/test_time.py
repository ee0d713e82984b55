"""Time is the container's own: gaps and a late start are silence, and a sound that ends before its film is whole."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from tests.models.recordings import by_soundfile, shift, sweep, wav
from thanosql.models import audio
from thanosql.models.audio import AudioError, AudioPart, Note
from thanosql.models.audio.reading import facts
from thanosql.models.audio.timeline import LEAST_GAP, Timeline

RATE = 48_000
SOUND = sweep(RATE)  # 2 s, which is loudest after 1 s


def muxed(
    container: str, codec: str, parts: Sequence[tuple[float, np.ndarray]], *, film: float = 0, **options: str
) -> bytes:
    """Each part as a recorder with pauses writes it, from its second on; with a film of so many seconds beside it."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options) as output:
        if film:
            picture = output.add_stream("vp8" if container == "webm" else "mpeg4", rate=10)
            picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        stream = output.add_stream(codec, rate=RATE, layout="mono", bit_rate=128_000)
        for number in range(int(film * 10)):
            image = av.VideoFrame(64, 64, "yuv420p")
            image.pts, image.time_base = number, Fraction(1, 10)
            output.mux(picture.encode(image))
        if film:
            output.mux(picture.encode())
        size = 960 if "opus" in codec else 1024
        for start, samples in parts:
            for at in range(0, len(samples) - size + 1, size):
                frame = av.AudioFrame.from_ndarray(samples[None, at : at + size], format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, int(start * RATE) + at, Fraction(1, RATE)
                for one in av.AudioResampler(stream.format.name, "mono", RATE).resample(frame):
                    output.mux(stream.encode(one))
        output.mux(stream.encode())
    return file.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("webm", "libopus", {}),
        ("matroska", "libopus", {"live": "1"}),  # as browsers record: no length
        ("ogg", "libopus", {}),
        ("mp4", "aac", {}),
        ("mpegts", "aac", {}),
    ],
)
def test_what_was_said_at_20_s_is_read_at_20_s(container: str, codec: str, options: dict[str, str]) -> None:
    data = muxed(container, codec, [(0, SOUND), (20, SOUND)], **options)
    decoded = audio.decode(data)
    heard = decoded.waveform[:]
    assert audio.probe(data).seconds == pytest.approx(22.0, abs=0.05)
    assert len(heard) / 16000 == pytest.approx(22.0, abs=0.05)
    later = heard[20 * 16000 :]
    assert abs(shift(later, sweep(16000))) < 0.025 * 16000
    assert abs(shift(heard[: 3 * 16000], sweep(16000))) < 0.025 * 16000
    assert not heard[3 * 16000 : 19 * 16000].any()
    assert decoded.notes[0].text.startswith(("nothing was recorded for 18.0", "nothing was recorded for 17.9"))
    part = audio.read(AudioPart(data, 20.0, 22.0))
    assert np.array_equal(part, heard[20 * 16000 : 22 * 16000])


@pytest.mark.parametrize("container", ["matroska", "webm", "mp4"])
def test_a_sound_that_ends_before_its_film_is_no_truncated_one(container: str) -> None:
    data = muxed(container, "aac" if container == "mp4" else "libopus", [(0, SOUND)], film=30)
    assert audio.probe(data).seconds == pytest.approx(2.0, abs=0.05)
    assert abs(shift(audio.read(data), sweep(16000))) < 0.025 * 16000


@pytest.mark.parametrize(("container", "codec"), [("matroska", "libopus"), ("mp4", "aac")])
def test_a_microphone_that_came_on_late_is_heard_late(container: str, codec: str) -> None:
    data = muxed(container, codec, [(5, SOUND)], film=12)
    assert audio.probe(data).seconds == pytest.approx(7.0, abs=0.05)
    heard = audio.read(data)
    assert not heard[: int(4.9 * 16000)].any()
    assert shift(heard, sweep(16000)) == pytest.approx(5 * 16000, abs=0.025 * 16000)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_links_of_a_chained_ogg_go_on(subtype: str) -> None:
    links = [by_soundfile(sweep(RATE, seconds), RATE, "OGG", subtype) for seconds in (2.0, 3.0, 1.0)]
    data = b"".join(links)
    assert audio.probe(data).seconds == pytest.approx(6.0, abs=0.06)
    heard = audio.read(data)
    assert len(heard) / 16000 == pytest.approx(6.0, abs=0.06)
    assert shift(heard[int(1.9 * 16000) :], sweep(16000, 3.0)) == pytest.approx(0.1 * 16000, abs=0.03 * 16000)


def test_a_chain_whose_rates_differ_is_not_called_damaged() -> None:
    data = b"".join(by_soundfile(sweep(rate, 1.0), rate, "OGG", "VORBIS") for rate in (16_000, 22_050))
    with pytest.raises(
        AudioError, match="recordings in a chain whose rates or channels differ, say, which must be files of"
    ):
        audio.read(data)


def test_a_wav_whose_header_counts_less_is_read_to_its_end_and_that_is_said() -> None:
    data = bytearray(wav(sweep(16000), 16000, 16))
    data[40:44] = (16_000).to_bytes(4, "little")
    note = "its header counts 16,000 bytes of samples; the file holds 64,000, and all are read"
    assert audio.probe(bytes(data)).notes == (Note("wrong length", note),)
    assert np.array_equal(audio.read(bytes(data)), audio.read(wav(sweep(16000), 16000, 16)))
    assert audio.probe(bytes(data)).seconds == 2.0


def test_a_wav_whose_count_is_too_high_though_the_file_is_whole_is_read_and_that_is_said() -> None:
    data = bytearray(wav(sweep(16000), 16000, 16))
    data[40:44] = (128_000).to_bytes(4, "little")  # the RIFF header around it counts the file as it is
    assert (
        audio.probe(bytes(data))
        .notes[0]
        .text.startswith("its header counts 128,000 bytes of samples; the file holds 64,000")
    )
    assert len(audio.read(bytes(data))) == 32000
    data[4:8] = (128_036).to_bytes(4, "little")
    with pytest.raises(AudioError, match="truncated: its header promises 128,000 bytes"):
        audio.read(bytes(data))


@pytest.mark.parametrize(
    "tail", [b"LIST" + (4).to_bytes(4, "little") + b"INFO", b"id3 " + (3).to_bytes(4, "little") + b"abc\0"]
)
@pytest.mark.parametrize("samples", [32000, 31999])
def test_chunks_behind_the_samples_are_no_samples(tail: bytes, samples: int) -> None:
    data = wav(sweep(16000)[:samples], 16000, 8)
    data += b"\0" * (samples % 2) + tail * 100
    assert audio.probe(data).notes == ()
    assert len(audio.read(data)) == samples


def test_streams_that_do_not_note_their_coders_delay_say_so() -> None:
    from tests.models.recordings import by_av

    late = Note("late start", "it may start up to 70 ms late: the file does not record its encoder's delay")
    assert audio.probe(by_av(sweep(16000), 16000, "adts", "aac")).notes == (late,)
    assert audio.probe(by_av(sweep(16000), 16000, "mp3", "libmp3lame", write_xing="0")).notes == (late,)
    assert audio.probe(by_av(sweep(16000), 16000, "mp3", "libmp3lame")).notes == ()


@pytest.mark.parametrize("codec", ["libopus", "VORBIS", "flac"])
def test_an_ogg_file_that_is_cut_between_two_pages_lacks_its_end_mark(codec: str) -> None:
    from tests.models.recordings import by_av

    samples = np.tile(sweep(48000), 4)
    if codec == "VORBIS":
        soundfile.write(file := io.BytesIO(), samples, 48000, format="OGG", subtype=codec)
        whole = file.getvalue()
    else:
        whole = by_av(samples, 48000, "ogg", codec)
    assert audio.probe(whole).notes == ()
    for page in (whole.rfind(b"OggS"), whole.rfind(b"OggS", 0, whole.rfind(b"OggS"))):
        (note,) = audio.probe(whole[:page]).notes
        assert (note.name, note.text[:29]) == ("no end mark", "it may have been cut off: its")
    assert audio.probe(whole + whole).notes == ()  # chained
    assert [note.name for note in audio.probe(whole + whole[: whole.rfind(b"OggS")]).notes] == ["no end mark"]


def test_clocks_in_milliseconds_and_delays_of_coders_are_no_gaps() -> None:
    line = Timeline()
    for number in range(1000):
        assert line.lay(round(number * 0.0213333, 3) + LEAST_GAP / 2, 0.0213333) == 0
    assert line.position == pytest.approx(21.3333)


def test_a_clock_that_leaps_past_the_recordings_length_was_set_anew() -> None:
    line = Timeline(longest=10.0)
    line.lay(0.0, 1.0)
    assert line.lay(26.5 * 3600, 1.0) == 0
    assert line.lay(26.5 * 3600 + 1, 1.0) == 0
    assert line.position == 3.0


def test_small_gaps_are_laid_once_they_add_up() -> None:
    line = Timeline()
    for number in range(100):
        line.lay(number * 0.03, 0.02)  # each third is missing
    assert line.position == pytest.approx(3.0, abs=LEAST_GAP + 0.02)


# What is cut


@pytest.mark.parametrize("share", [0.37, 0.5, 0.81])
def test_a_file_that_states_more_than_it_holds_is_truncated_in_every_container(formats: Path, share: float) -> None:
    silent = []
    for path in sorted((formats.parent / "containers").iterdir()):
        data = path.read_bytes()
        try:
            audio.read(data[: int(len(data) * share) // 2 * 2 + 41])  # not where a frame of a stream ends by chance
        except AudioError:
            continue
        silent.append(path.name)
    # Frames of speech for telephones are tiny, and a stream of them states no length.
    assert set(silent) <= {"a.amr"}


# What is too long


def test_a_recording_over_the_limit_is_refused_by_its_header_and_names_the_setting() -> None:
    data = by_soundfile(np.zeros(3600 * 8000, np.int16), 8000, "FLAC", "PCM_16")
    for work in (audio.probe, audio.read, audio.decode):
        with pytest.raises(
            AudioError, match=r"^1\.0 h long, and no more than 0\.5 h are read \(the setting max_hours, or"
        ):
            work(data, max_hours=0.5)
    assert audio.probe(data, max_hours=1.0).seconds == 3600


def test_a_recording_that_does_not_say_its_length_is_stopped_on_the_way() -> None:
    data = bytearray(by_soundfile(np.zeros(1800 * 8000, np.int16), 8000, "FLAC", "PCM_16"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    with pytest.raises(AudioError, match="no more than 0.25 h are read"):
        audio.read(bytes(data), max_hours=0.25)
    assert len(audio.read(bytes(data), max_hours=0.5)) == 1800 * 16000


def test_nine_hours_of_silence_in_a_few_kilobytes_are_refused_before_they_are_decoded() -> None:
    file, block = io.BytesIO(), 32_768
    with av.open(file, "w", format="flac") as output:
        stream = output.add_stream("flac", rate=8000, layout="mono", options={"frame_size": str(block)})
        for number in range(9 * 3600 * 8000 // block + 1):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, block), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 8000, number * block
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    data = file.getvalue()
    assert len(data) < 200_000
    for work in (audio.probe, audio.read):
        with pytest.raises(AudioError, match=r"^9\.0 h in \d+ kB, which holds no speech"):
            work(data)
    for processes in (0, 1):  # as CHECK asks for them
        assert "which holds no speech" in str(facts([data], processes=processes)[0])


def test_a_clock_that_leaps_by_hours_lays_no_hours_of_silence() -> None:
    line = Timeline()
    line.lay(0.0, 1.0)
    assert line.lay(3 * 3600.0, 1.0) == 0
    assert line.lay(3 * 3600.0 + 61.0, 1.0) == pytest.approx(60.0)

"""Where audio is looked for, what is refused, and what is said of a file that cannot be used."""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from tests.models.recordings import by_av, by_soundfile, sweep, wav
from thanosql.errors import shown_reference
from thanosql.models import audio
from thanosql.models.audio import AudioError, ffmpeg
from thanosql.models.audio.faults import SourceFile

TONE = wav(sweep(16000), 16000, 16)


def why(data: str | bytes, *roots: Path, **how: bool) -> str:
    """What is said of audio that neither the probe nor the reader takes; both say the same."""
    with pytest.raises(AudioError) as probed:
        audio.probe(data, roots, **how)
    with pytest.raises(AudioError) as read:
        audio.read(data, roots, **how)
    assert str(probed.value) == str(read.value)
    return str(probed.value)


# Where it is


def test_a_relative_path_is_looked_for_in_the_roots_in_their_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "calls").mkdir(parents=True)
    (second / "calls").mkdir(parents=True)
    (second / "calls" / "a.wav").write_bytes(TONE)
    assert audio.locate("calls/a.wav", (first, second)) == second / "calls" / "a.wav"
    (first / "calls" / "a.wav").write_bytes(TONE)
    assert audio.locate("calls/a.wav", (first, second)) == first / "calls" / "a.wav"
    assert audio.probe("calls/a.wav", (first, second)).seconds == 2.0


def test_a_folder_of_that_name_in_an_earlier_root_does_not_hide_the_file(tmp_path: Path) -> None:
    (tmp_path / "first" / "a.wav").mkdir(parents=True)
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "a.wav").write_bytes(TONE)
    roots = (tmp_path / "first", tmp_path / "second")
    assert audio.locate("a.wav", roots) == tmp_path / "second" / "a.wav"


def test_a_missing_file_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert (
        why("x/a.wav", tmp_path, other)
        == f"no such file: x/a.wav (looked for in {tmp_path}, {other}; the setting audio_roots "
        f"names other folders)"
    )
    assert why(str(tmp_path / "a.wav"), other) == f"no such file: {tmp_path / 'a.wav'}"
    assert "no folder to look for it in" in why("a.wav")


def test_file_urls_are_paths_and_their_escapes_are_undone(tmp_path: Path) -> None:
    path = tmp_path / "Ça va #1?.wav"
    path.write_bytes(TONE)
    assert audio.probe(path.as_uri()).seconds == 2.0
    assert audio.probe(path.as_uri().replace("file://", "file://localhost")).seconds == 2.0
    assert audio.probe(f"file://{path}").seconds == 2.0
    assert "another host (elsewhere)" in why("file://elsewhere/a.wav")


@pytest.mark.parametrize("url", ["http://localhost/a.wav", "HTTPS://x/a.wav", "s3://b/a.wav", "gs://b/a", "rtmp://h/x"])
def test_urls_are_refused_with_the_reason(url: str) -> None:
    reason = why(url)
    assert reason.startswith(f"{url.partition(':')[0].lower()}:// audio is not fetched")
    assert url.lower() in reason.lower()


@pytest.mark.parametrize(
    "name", ["concat:/etc/hostname|/etc/hostname", "subfile,,start,0,end,9,,:/etc/hostname", "pipe:0"]
)
def test_the_protocols_of_ffmpeg_are_names_of_files_that_are_not_there(name: str, tmp_path: Path) -> None:
    assert why(name, tmp_path).startswith("no such file: ")


def test_bytes_of_any_kind_are_audio() -> None:
    for data in (TONE, bytearray(TONE), memoryview(TONE)):
        assert audio.probe(data).seconds == 2.0  # type: ignore[arg-type]
        assert len(audio.read(data)) == 32000  # type: ignore[arg-type]


def test_bytes_and_path_give_the_same_samples(tmp_path: Path) -> None:
    for name, data in (
        ("a.wav", TONE),
        ("a.flac", by_soundfile(sweep(16000), 16000, "FLAC")),
        ("a.m4a", by_av(sweep(16000), 16000, "ipod", "aac")),
    ):
        (tmp_path / name).write_bytes(data)
        assert np.array_equal(audio.read(name, [tmp_path]), audio.read(data))


def test_what_is_no_reference_is_said_so() -> None:
    assert why(7) == "a path or the file's bytes are needed, not int"  # type: ignore[arg-type]
    assert why("") == "an empty path"
    assert why("a\0.wav", Path("/")).startswith("not a path: 'a\\x00.wav'")
    assert "cannot be read (File name too long)" in why("a" * 5000, Path("/"))


# Confinement to the roots


def test_confined_paths_may_not_leave_the_roots(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    for folder in (inside, outside):
        (folder / "a.wav").write_bytes(TONE)
    (inside / "link.wav").symlink_to(outside / "a.wav")
    (inside / "folder").symlink_to(outside)
    (inside / "fine.wav").symlink_to(inside / "a.wav")
    for name in ("link.wav", "folder/a.wav", "../outside/a.wav", str(outside / "a.wav"), (outside / "a.wav").as_uri()):
        assert audio.probe(name, [inside]).seconds == 2.0
        assert why(name, inside, confined=True).startswith("outside of the folders that audio may be read from: ")
    for name in ("a.wav", "fine.wav", str(inside / "a.wav"), "../inside/a.wav"):
        assert audio.probe(name, [inside], confined=True).seconds == 2.0


def test_a_root_that_is_itself_a_link_confines_to_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.wav").write_bytes(TONE)
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert audio.probe("a.wav", [tmp_path / "root"], confined=True).seconds == 2.0


# Files that cannot be used


def test_directories_and_pipes_are_not_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    assert why("folder.wav", tmp_path) == f"a directory, not a file: {shown_reference(str(tmp_path / 'folder.wav'))}"
    assert (
        why("pipe.wav", tmp_path)
        == f"a pipe, socket or device, not a file: {shown_reference(str(tmp_path / 'pipe.wav'))}"
    )


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may read anything: become nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_may_not_be_read_is_said_so(tmp_path: Path) -> None:
    path, locked = tmp_path / "a.wav", tmp_path / "locked"
    path.write_bytes(TONE)
    path.chmod(0)
    locked.mkdir()
    (locked / "b.wav").write_bytes(TONE)
    locked.chmod(0)
    try:
        with without_privileges():
            assert why(str(path)) == f"no permission to read: {shown_reference(str(path))}"
            assert why(str(locked / "b.wav")) == f"no permission to read: {shown_reference(str(locked / 'b.wav'))}"
    finally:
        locked.chmod(0o700)


def test_empty_files_and_values_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    assert why("a.wav", tmp_path) == "empty file (0 bytes)"
    assert why(b"") == "empty value (0 bytes)"


@pytest.mark.parametrize("container", ["WAV", "AIFF", "AU", "W64"])
def test_a_header_alone_holds_no_samples(container: str) -> None:
    assert why(by_soundfile(np.zeros(0, np.float32), 16000, container)).startswith("no samples: nothing follows")


def test_a_wav_cut_inside_its_header_is_truncated() -> None:
    for size in (12, 20, 40):
        assert why(TONE[:size]) == "truncated: the file ends inside the WAV header, before any samples"


def test_a_wav_without_channels_is_said_to_have_none() -> None:
    assert why(TONE[:22] + b"\0\0" + TONE[24:]) == "damaged: the wav header says that there are no channels"


def test_a_wav_whose_header_promises_more_is_truncated() -> None:
    assert why(TONE[:-32000]) == "truncated: its header promises 64,000 bytes of samples, 32,000 are there"
    aiff = by_soundfile(sweep(16000), 16000, "AIFF", "PCM_16")
    assert why(aiff[:-32000]) == "truncated: its header promises 64,008 bytes of samples, 32,008 are there"


def test_a_wav_that_lacks_less_than_a_frame_of_speech_is_read() -> None:
    assert len(audio.read(TONE[:-100])) == 32000 - 50


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("flac", "flac", 16000),
        ("mp3", "libmp3lame", 16000),
        ("ogg", "libopus", 48000),
        ("ipod", "aac", 16000),
        ("webm", "libopus", 48000),
        ("asf", "wmav2", 16000),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_compressed_file_that_was_cut_is_truncated_already_by_its_header(
    container: str, codec: str, rate: int, share: float
) -> None:
    data = by_av(np.random.default_rng(5).uniform(-0.5, 0.5, rate * 4), rate, container, codec)
    assert audio.probe(data).seconds == pytest.approx(4.0, abs=0.1)
    assert why(data[: int(len(data) * share)]).startswith("truncated")


@pytest.mark.parametrize(("container", "codec"), [("ac3", "ac3"), ("eac3", "eac3"), ("adts", "aac")])
def test_a_stream_that_states_no_length_is_truncated_where_it_ends_inside_a_frame(container: str, codec: str) -> None:
    data = by_av(sweep(48000), 48000, container, codec)
    with av.open(io.BytesIO(data)) as file:
        ends = np.cumsum([packet.size for packet in file.demux() if packet.size]).tolist()
    assert ends[-1] == len(data)
    half = len(ends) // 2
    for cut in (ends[half] - 1, ends[half] + 12, ends[-2] + 12, len(data) - 1):
        assert why(data[:cut]).startswith("truncated: its last frame promises ")
    # Between two frames nothing tells such a stream from a whole one, which is heard as far as it goes.
    whole, part = len(audio.read(data)), len(audio.read(data[: ends[half - 1]]))
    assert abs(part / whole - half / len(ends)) < 0.05


def test_an_mp4_that_was_cut_with_its_index_in_front_is_truncated() -> None:
    data = by_av(np.random.default_rng(5).uniform(-0.5, 0.5, 64000), 16000, "ipod", "aac")
    begin = data.rindex(b"moov") - 4
    index, table = bytearray(data[begin:]), data[begin:].index(b"stco") + 8
    for entry in range(table + 4, table + 4 + 4 * int.from_bytes(index[table : table + 4], "big"), 4):
        moved = int.from_bytes(index[entry : entry + 4], "big") + len(index)
        index[entry : entry + 4] = moved.to_bytes(4, "big")
    start = int.from_bytes(data[:4], "big")
    streamable = data[:start] + bytes(index) + data[start:begin]
    assert np.array_equal(audio.read(streamable), audio.read(data))
    cut = len(streamable) - 10_000
    assert why(streamable[:cut]) == f"truncated: its header promises {cut + 10_000:,} bytes, {cut:,} are there"


def test_damage_in_the_middle_shows_when_it_is_decoded() -> None:
    data = bytearray(by_soundfile(np.random.default_rng(6).uniform(-0.5, 0.5, 64000), 16000, "FLAC"))
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    with pytest.raises(AudioError, match=r"^(damaged: decoding fails after \d\.\d\d s \(|truncated)"):
        audio.read(bytes(data))


def test_a_header_of_noise_is_damaged() -> None:
    noise = np.random.default_rng(7).integers(0, 256, 3000).astype(np.uint8).tobytes()
    assert why(b"fLaC" + noise) == "damaged: it begins like FLAC, but its header cannot be read"
    assert why(b"caff" + noise) == "damaged: it begins like CAF, but its header cannot be read"
    assert why(b"\x07" + noise).startswith("not audio in a format that can be read (it begins with the bytes 07 ")


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.txt", "a.raw", "a"])
def test_the_content_counts_and_not_the_extension(name: str, tmp_path: Path) -> None:
    for data, kind in ((TONE, "wav/pcm_16"), (by_av(sweep(16000), 16000, "ipod", "aac"), "mp4/aac")):
        (tmp_path / name).write_bytes(data)
        assert audio.probe(name, [tmp_path]).format == kind
        assert len(audio.read(name, [tmp_path])) >= 32000


def test_what_is_no_audio_is_named() -> None:
    assert why(b"hello, world\n" * 50).startswith("text, not audio (it begins with 'hello, world")
    assert why("안녕하세요".encode() * 900).startswith("text, not audio (it begins with '안녕하세요")
    assert why(b"version https://git-lfs.github.com/spec/v1\noid sha256:0").startswith("a Git LFS pointer")
    assert why(b"\x89PNG\r\n\x1a\n" + bytes(300)) == "a PNG picture, not audio"
    assert why(b"PK\x03\x04" + bytes(300)) == "a zip archive, not audio"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_no_numbers_are_refused(value: float) -> None:
    samples = np.stack([sweep(44100)] * 2, axis=1)
    samples[22050, 1] = value
    with pytest.raises(AudioError) as error:
        audio.read(wav(samples, 44100, "f4"))
    assert str(error.value) == "NaN or infinite samples, the first at 0.500 s"


def test_a_film_without_sound_has_no_audio_stream() -> None:
    import io

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            output.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        output.mux(stream.encode(None))
    assert why(file.getvalue()) == "no audio stream (the mp4 file holds video alone)"


def test_an_hour_of_silence_is_read_as_it_is() -> None:
    data = by_soundfile(np.zeros(3600 * 8000, np.int16), 8000, "FLAC", "PCM_16")
    assert audio.probe(data).seconds == 3600
    waveform = audio.read(data)
    assert waveform.shape == (3600 * 16000,)
    assert not waveform.any()


# Files that would make FFmpeg open others


def playlists(secret: Path) -> dict[str, str]:
    return {
        "list.ffconcat": f"ffconcat version 1.0\nfile {secret.name}\n",
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{secret.name}\n#EXT-X-ENDLIST\n",
        "list.mpd": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
        '<AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="64000">'
        f"<BaseURL>{secret.name}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    }


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.m4a"
    path.write_bytes(by_av(sweep(16000), 16000, "ipod", "aac"))
    return path


def test_the_concatenation_used_here_does_open_the_secret_where_nothing_stops_it(secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.ffconcat"
    path.write_text(playlists(secret)[path.name])
    with av.open(str(path)) as container:
        assert len(list(container.decode(audio=0))) > 10


@pytest.mark.parametrize("extension", [None, ".wav", ".m4a"])
@pytest.mark.parametrize("name", ["list.ffconcat", "list.m3u8", "list.mpd"])
def test_playlists_are_refused_and_open_nothing(name: str, extension: str | None, secret: Path, tmp_path: Path) -> None:
    text = playlists(secret)[name]
    path = tmp_path / name if extension is None else tmp_path / f"disguised{extension}"
    for content in (text, text.replace(secret.name, str(secret)), text.replace(secret.name, secret.as_uri())):
        path.write_text(content)
        reasons = (why(str(path)), why(content.encode()))
        assert reasons[0] == reasons[1]
        assert reasons[0].endswith(
            "it only names other files, which ThanoSQL does not open; give the audio file itself"
        )


@pytest.mark.parametrize("name", ["list.ffconcat", "list.m3u8", "list.mpd"])
def test_a_playlist_demuxer_could_open_nothing_even_if_it_were_let_in(
    name: str, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "FORMATS", ffmpeg.FORMATS + ",concat,hls,dash")
    monkeypatch.setattr(SourceFile, "name", property(lambda file: str(file._path)), raising=False)
    monkeypatch.chdir(tmp_path)
    asked: list[str] = []
    refuse = ffmpeg._refuse
    monkeypatch.setattr(ffmpeg, "_refuse", lambda url, flags, how: (asked.append(url), refuse(url, flags, how)))
    (tmp_path / name).write_text(playlists(secret)[name])
    with pytest.raises(AudioError):
        audio.read(str(tmp_path / name))
    if name == "list.m3u8":
        assert any(url.endswith(secret.name) for url in asked), "this is the door that FFmpeg comes through"


# What it costs


def test_importing_it_imports_no_decoder() -> None:
    code = (
        "import sys, thanosql.models.audio\n"
        "print(sorted({'numpy', 'av', 'soundfile', 'soxr', 'torch', 'fsspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_damaged_file_writes_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    mp3 = by_av(sweep(16000), 16000, "mp3", "libmp3lame")
    aac = by_av(sweep(16000), 16000, "ipod", "aac")
    capfd.readouterr()
    for data in (mp3[: len(mp3) // 2], aac[: len(aac) // 2], aac[:200] + bytes(2000), b"\xff\xfb" + bytes(900)):
        with pytest.raises(AudioError):
            audio.read(data)
    assert capfd.readouterr() == ("", "")

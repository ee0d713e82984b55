"""What a table says of an audio: it changes with the reference, the file and the part, and with nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from thanosql.models.audio import AudioError, AudioPart
from thanosql.models.audio.access import AudioAccess
from thanosql.models.audio.origins import AudioOrigins, digest


@pytest.fixture
def access(tmp_path: Path) -> AudioAccess:
    for name in ("a.wav", "b c.wav", "é.wav"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "folder").mkdir()
    return AudioAccess(roots=(tmp_path,))


@pytest.mark.parametrize("confined", [False, True])
def test_the_states_of_many_are_those_of_each(access: AudioAccess, tmp_path: Path, confined: bool) -> None:
    whole = tmp_path / "a.wav"
    there = [
        str(whole),
        "a.wav",
        "a.wav",
        f"file://{whole}",
        str(tmp_path / "A.WAV"),  # nearly right
        str(tmp_path / "b c.wav"),
        str(tmp_path / "e\u0301.wav"),
        "https://host.org/a.wav",
        "data:audio/wav;base64,UklGRg==",
    ]
    gone = ["", "/nowhere/a.wav", str(tmp_path / "folder"), "/nul\0.wav", "x" * 5000, "/nowhere/a.wav"]
    origins = AudioOrigins(AudioAccess(roots=access.roots, confined=confined))
    states = list(origins.states([*there, None, *gone]))
    assert states[len(there) :] == ["", *[None] * len(gone)]
    for reference, state in zip(there, states, strict=False):
        assert origins.of(reference) == f"{digest(reference.encode())}{state}", reference
    assert len({origins.of(reference) for reference in there}) == len(there) - 1
    for reference in gone:
        with pytest.raises(AudioError):
            origins.of(reference)


def test_what_changes_is_said_and_a_folder_that_has_moved_is_not(access: AudioAccess, tmp_path: Path) -> None:
    def said(roots: Path = tmp_path) -> str:
        return AudioOrigins(AudioAccess(roots=(roots,))).of("a.wav")

    before = said()
    stood = os.stat(tmp_path / "a.wav")
    assert before == f"{digest(b'a.wav')}.{stood.st_size}.{stood.st_mtime_ns}"
    os.utime(tmp_path / "a.wav", ns=(0, stood.st_mtime_ns + 1))
    assert said() != before
    os.utime(tmp_path / "a.wav", ns=(5, stood.st_mtime_ns))
    assert said() == before
    with open(tmp_path / "a.wav", "ab") as file:
        file.write(b".")
    os.utime(tmp_path / "a.wav", ns=(0, stood.st_mtime_ns))
    assert said() != before
    moved = tmp_path / "elsewhere"
    shutil.copytree(tmp_path, moved, ignore=shutil.ignore_patterns("elsewhere"))
    assert said(moved) == said()


def test_parts_and_bytes_have_their_own(access: AudioAccess) -> None:
    origins = AudioOrigins(access)
    audios = [
        "a.wav",
        AudioPart("a.wav", 1.0, 2.0),
        AudioPart("a.wav", 1.0),
        AudioPart("a.wav", 1.0, 2.0, channel=1),
        AudioPart("a.wav", channel=1),
        AudioPart("a.wav", channel=2),
        AudioPart("a.wav", track=1),
        b"bytes",
        b"byte",
        AudioPart(b"bytes", 0.5),
    ]
    assert len({origins.of(audio) for audio in audios}) == len(audios)
    assert origins.of(AudioPart("a.wav", 1, 2)) == origins.of(AudioPart("a.wav", 1.0, 2.0))
    assert origins.of(AudioPart("a.wav")) == origins.of("a.wav")


def test_what_is_known_at_once_is_what_each_is_asked(access: AudioAccess, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for name, moment in (("old.wav", -1_500_000_001), ("new.wav", 4_102_444_800_123_456_789), ("now.wav", 1)):
        (tmp_path / name).write_bytes(b"x" * 9)
        os.utime(tmp_path / name, ns=(0, moment))
    (tmp_path / "link.wav").symlink_to(tmp_path / "now.wav")
    names = ("a.wav", "b c.wav", "é.wav", "old.wav", "new.wav", "now.wav", "link.wav", "a.wav", "a.wav")
    there = [str(tmp_path / name) for name in names]
    origins = AudioOrigins(access)
    assert origins.states_at_once(there) == list(origins.states(there))
    mixed = [*there, "a.wav", None, "", "https://host.org/a.wav", "/nowhere/a.wav", str(tmp_path / "folder")]
    known = origins.states_at_once(mixed)
    assert list(known[: len(there)]) == list(origins.states(there))
    assert list(known[len(there) :][:4]) == [None] * 4
    assert not {known[-1], known[-2]} & set(origins.states(there))


@pytest.mark.parametrize("odd", ["/nul\0.wav", "/half\ud800.wav", "/" + "x" * 5000])
def test_one_that_cannot_be_asked_for_leaves_the_others_unknown(access: AudioAccess, tmp_path: Path, odd: str) -> None:
    there = str(tmp_path / "a.wav")
    assert AudioOrigins(access).states_at_once([there, odd]) == [None, None]


def test_nothing_is_known_at_once_of_folders_that_confine(access: AudioAccess, tmp_path: Path) -> None:
    confined = AudioOrigins(AudioAccess(roots=access.roots, confined=True))
    assert confined.states_at_once([str(tmp_path / "a.wav"), "/etc/passwd"]) == [None, None]


def test_a_time_that_64_bits_do_not_hold_is_asked_for_alone(access: AudioAccess, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    try:
        os.utime(path, (0, 10_500_000_000))  # the year 2302
    except OverflowError:
        pytest.skip("this system has no such times")
    if os.stat(path).st_mtime_ns < 2**63:
        pytest.skip("this file system has no such times")
    origins = AudioOrigins(access)
    assert list(origins.states_at_once([str(path)])) != list(origins.states([str(path)]))

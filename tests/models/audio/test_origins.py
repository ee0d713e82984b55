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

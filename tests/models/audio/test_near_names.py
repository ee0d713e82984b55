"""References that are nearly right: the one file that fits is found and said; otherwise the message shows what is wrong."""

from __future__ import annotations

import base64
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from tests.models.recordings import sweep, wav
from thanosql.models import audio
from thanosql.models.audio import AudioError, AudioPart
from thanosql.models.audio.access import AudioAccess

TONE = wav(sweep(16000), 16000, 16)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    (tmp_path / "data" / "clips").mkdir(parents=True)
    (tmp_path / "data" / "clips" / "a.wav").write_bytes(TONE)
    return tmp_path


def why(path: str, *roots: Path, confined: bool = False) -> str:
    with pytest.raises(AudioError) as caught:
        audio.probe(path, roots, confined=confined)
    return str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "data\\clips\\a.wav",
        "data/clips/a.wav\r",
        "data/clips/a.wav ",
        " data/clips/a.wav\n",
        "'data/clips/a.wav'",
        "data/clips/A.WAV",
        "DATA/Clips/a.wav",
        "data/clips/a",
        "file:data/clips/a.wav",
    ],
)
def test_the_one_file_that_fits_is_found_and_said(path: str, clips: Path) -> None:
    found = clips / "data" / "clips" / "a.wav"
    for confined in (False, True):
        assert audio.locate(path, [clips], confined=confined).samefile(found)
        assert audio.probe(path, [clips], confined=confined).notes[0].text.startswith("found as ")
    assert len(audio.read(path, [clips])) == 32000
    access = AudioAccess(roots=(clips,))
    assert access.fingerprint(path) == access.fingerprint("data/clips/a.wav")


@pytest.mark.parametrize("name", ["한국어_통화.wav", "entrée été.wav", "がぎぐ.wav", "Ångström.wav"])
@pytest.mark.parametrize(("on_disk", "written"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_that_are_composed_otherwise_are_the_same(name: str, on_disk: str, written: str, tmp_path: Path) -> None:
    (tmp_path / unicodedata.normalize(on_disk, name)).write_bytes(TONE)  # type: ignore[arg-type]
    assert audio.probe(unicodedata.normalize(written, name), [tmp_path]).seconds == 2.0  # type: ignore[arg-type]


def test_of_several_files_that_fit_none_is_taken(clips: Path) -> None:
    (clips / "data" / "clips" / "A.wav").write_bytes(TONE)
    (clips / "data" / "clips" / "a.flac").write_bytes(TONE)
    assert audio.probe("data/clips/a.wav", [clips]).notes == ()  # written so, it is no question
    assert why("data/clips/a.WAV", clips).endswith(("Did you mean a.wav or A.wav?", "Did you mean A.wav or a.wav?"))
    assert "Did you mean" in why("data/clips/a", clips)


def test_a_home_is_followed(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(clips))
    assert audio.probe("~/data/clips/a.wav", []).seconds == 2.0
    (clips / "other").mkdir()
    assert why("~/data/clips/a.wav", clips / "other", confined=True).startswith("no such file: ~/data/clips/a.wav")


def test_the_closest_name_is_offered(clips: Path) -> None:
    (clips / "data" / "clips" / "recording_0117.wav").write_bytes(TONE)
    said = why("data/clips/recording_117.wav", clips)
    assert said == (
        f"no such file: data/clips/recording_117.wav (looked for in {clips}; "
        "the setting audio_roots names other folders). Did you mean "
        "recording_0117.wav?"
    )
    assert "Did you mean" not in why("data/clips/interview.wav", clips)


def test_what_cannot_be_seen_is_shown_and_what_is_long_is_cut(clips: Path) -> None:
    assert why("no/b.wav\r", clips).startswith(r"no such file: 'no/b.wav\r' (")
    assert why("no/b\u200b.wav", clips).startswith(r"no such file: 'no/b\u200b.wav' (")
    said = why("d/" * 5000 + "a.wav", clips)
    assert len(said) < 400
    assert "…" in said


def test_a_data_uri_is_audio() -> None:
    uri = "data:audio/wav;base64," + base64.b64encode(TONE).decode()
    assert audio.probe(uri).seconds == 2.0
    assert np.array_equal(audio.read(uri), audio.read(TONE))
    access = AudioAccess(roots=())
    assert access.fingerprint(uri) == access.fingerprint(TONE)
    assert why("data:audio/wav;base64,????").startswith("damaged: a data URI whose base64 cannot be read")


def test_audio_as_text_is_known_by_name(clips: Path) -> None:
    assert "it is audio as base64: decode(" in why(base64.b64encode(TONE[:3000]).decode(), clips)
    assert "it is audio as hexadecimal digits: decode(" in why("\\x" + TONE[:300].hex(), clips)


def test_confinement_tells_nothing_of_what_is_outside(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "Secret.wav").write_bytes(TONE)
    start = "outside of the folders that audio may be read from: "
    for name in ("Secret.wav", "secret.wav", "other.wav"):
        assert why(str(outside / name), clips, confined=True).startswith(start)
        assert "Secret" not in why(f"../{outside.name}/secret.wav", clips, confined=True)


def test_shorten_is_known_by_name() -> None:
    head = b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n".ljust(1024)
    with pytest.raises(AudioError, match="NIST SPHERE packed with shorten"):
        audio.probe(head + b"ajkg\2" + bytes(4000))


def test_what_is_decoded_says_which_file_was_taken(tmp_path: Path) -> None:
    (tmp_path / "Two.WAV").write_bytes(wav(np.zeros((1600, 1)), 8000, 16))
    for named in ("two.wav", AudioPart("two.wav", 0.0, 0.1)):
        texts = [note.text for note in audio.decode(named, [tmp_path]).notes]
        assert texts == [f"found as {tmp_path / 'Two.WAV'}"]
    assert audio.decode("Two.WAV", [tmp_path]).notes == ()

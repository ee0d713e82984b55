"""Utterances in; a folder of FLAC files and the lists that Hugging Face datasets, NeMo and Kaldi read it by, out.

    audio/0000/0000001.flac    what a row means of its recording: 16,000 Hz, mono, 16 bits
    metadata.jsonl             a row an utterance, with the query's other columns: load_dataset('audiofolder', data_dir=…)
    manifest.jsonl             NeMo's manifest: audio_filepath beside the file, duration, text, speaker
    kaldi/                     wav.scp, text, utt2spk, spk2utt, utt2dur, reco2dur: a Kaldi data folder

Memory does not grow with the audio; Kaldi's lists are sorted in it, which it insists on. An utterance without a text has no
place in them: their readers take no line without one.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.durability import sync

if TYPE_CHECKING:
    import numpy as np

METADATA, MANIFEST, KALDI = "metadata.jsonl", "manifest.jsonl", "kaldi"
# What the readers have a meaning of their own for: no column of the query may take its place.
RESERVED = frozenset(("file_name", "audio", "audio_filepath", "duration", "offset", "text", "speaker"))
IN_A_FOLDER = 1000  # files, so that no folder is slow to list
FLAC = ("flac", "-c", "-d", "-s")  # Kaldi reads WAV alone, and other kinds from a command


@dataclass(frozen=True, slots=True)
class Utterance:
    """A row of the data set. `more` are the query's other columns, their values as JSON."""

    number: int
    text: str | None
    speaker: str | None
    more: Mapping[str, str]

    @property
    def file(self) -> str:
        """Where its audio is, from the data set's folder on."""
        return f"audio/{(self.number - 1) // IN_A_FOLDER:04}/{self.number:07}.flac"


class KaldiSpeakers:
    """Speakers in; their names in Kaldi's lists, which begin those of their utterances, out: each its own.

    Utterances are to have one order by their names and by their speakers'. So no name has a character that stands before the
    hyphen behind it: neither a blank nor another hyphen.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()

    def name(self, speaker: str) -> str:
        """
        >>> speakers = KaldiSpeakers()
        >>> [speakers.name(speaker) for speaker in ("Kim 1", "Kim-1", "ko+f5", "Kim 1")]
        ['Kim_1', 'Kim_1_2', 'ko_f5', 'Kim_1']
        """
        if speaker not in self._names:
            plain = name = re.sub(r"[\s\0-\-]+", "_", speaker.strip())
            count = 1
            while (
                not name or name in self._taken or re.fullmatch(r"\d{7,}", name)
            ):  # what utterances of no one are called
                count += 1
                name = f"{plain}_{count}"
            self._taken.add(name)
            self._names[speaker] = name
        return self._names[speaker]


class Listed(NamedTuple):
    """An utterance in Kaldi's lists."""

    identifier: str
    speaker: str
    file: str
    text: str
    seconds: float


class DatasetFolder:
    """The folder while it is written, under a name that is not its last: `final` is where it will stand. A context manager.

    `seconds` is how much audio it has, `without_text` how many utterances are not in Kaldi's lists.
    """

    def __init__(self, folder: Path, final: Path, *, has_text: bool) -> None:
        self._folder, self._final, self._has_text = folder, final, has_text
        self._speakers = KaldiSpeakers()
        self._utterances: list[Listed] = []
        self._opened = ExitStack()
        self.seconds = 0.0
        self.without_text = 0

    def __enter__(self) -> DatasetFolder:
        self._metadata = self._opened.enter_context(self._new(METADATA))
        self._manifest = self._opened.enter_context(self._new(MANIFEST))
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _new(self, name: str) -> IO[str]:
        return (self._folder / name).open("x", encoding="utf-8", newline="\n")

    def write_audio(self, utterance: Utterance, samples: np.ndarray) -> None:
        """Its waveform, float32 `(samples,)` at 16,000 Hz, in a file of its own; may be called from several threads.

        Raises OSError.
        """
        import soundfile

        path = self._folder / utterance.file
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            soundfile.write(path, samples, SAMPLING_RATE, format="FLAC", subtype="PCM_16")
        except soundfile.LibsndfileError as error:
            raise OSError(f"{path.name}: {error}") from error

    def add(self, utterance: Utterance, samples: int) -> None:
        """List an utterance whose audio is there. Raises OSError."""
        seconds = samples / SAMPLING_RATE
        self.seconds += seconds
        said: dict[str, Any] = {"duration": round(seconds, 6)}
        if self._has_text:
            said["text"] = utterance.text
        if utterance.speaker is not None:
            said["speaker"] = utterance.speaker
        items = [f"{json.dumps(name, ensure_ascii=False)}: {value}" for name, value in utterance.more.items()]
        row = json.dumps({"file_name": utterance.file, **said}, ensure_ascii=False)
        self._metadata.write(f"{row[:-1]}{''.join(f', {item}' for item in items)}}}\n")
        if self._has_text:
            said["text"] = utterance.text or ""  # NeMo's reader takes no null
        self._manifest.write(json.dumps({"audio_filepath": utterance.file, **said}, ensure_ascii=False) + "\n")
        text = " ".join((utterance.text or "").split())
        if self._has_text and not text:
            self.without_text += 1
            return
        known = (utterance.speaker or "").strip()
        number = f"{utterance.number:07}"
        speaker = self._speakers.name(known) if known else number
        identifier = f"{speaker}-{number}" if known else number
        self._utterances.append(Listed(identifier, speaker, utterance.file, text, seconds))

    def finish(self) -> None:
        """Write what needs all utterances, and let the disk have the lists. Raises OSError."""
        self._opened.close()
        (self._folder / KALDI).mkdir()
        rows = sorted(
            self._utterances, key=lambda one: one.identifier.encode()
        )  # as LC_ALL=C sorts, which Kaldi's tools check
        durations = [f"{one.identifier} {one.seconds!r}" for one in rows]
        lists = {
            "wav.scp": [f"{one.identifier} {self._command(one.file)}" for one in rows],
            "utt2spk": [f"{one.identifier} {one.speaker}" for one in rows],
            "spk2utt": _by_speaker(rows),
            "utt2dur": durations,
            "reco2dur": durations,
        }
        if self._has_text:
            lists["text"] = [f"{one.identifier} {one.text}" for one in rows]
        for name, lines in lists.items():
            with self._new(f"{KALDI}/{name}") as file:
                file.writelines(f"{line}\n" for line in lines)
        for path in (METADATA, MANIFEST, *(f"{KALDI}/{name}" for name in lists), KALDI, "."):
            sync(self._folder / path)

    def _command(self, file: str) -> str:
        return f"{' '.join(FLAC)} {shlex.quote(str(self._final / file))} |"


def _by_speaker(rows: Sequence[Listed]) -> list[str]:
    speakers: dict[str, list[str]] = {}
    for one in rows:
        speakers.setdefault(one.speaker, []).append(one.identifier)
    return [f"{name} {' '.join(said)}" for name, said in speakers.items()]

"""Utterances in; a folder of FLAC files and the lists that Hugging Face datasets, NeMo and Kaldi read it by, out.

    audio/0000/0000001.flac    what a row means of its recording: 16,000 Hz, mono, 16 bits
    metadata.jsonl             a row an utterance, with the query's other columns: load_dataset('audiofolder', data_dir=…)
    manifest.jsonl             NeMo's manifest: audio_filepath beside the file, duration, text, speaker
    kaldi/                     wav.scp, text, utt2spk, spk2utt: a Kaldi data folder

Memory does not grow with the audio; Kaldi's lists are sorted in it, which it insists on.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

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

    @property
    def identifier(self) -> str:
        """Its name in Kaldi's lists, which begins with the speaker's."""
        return f"{self.speaker_name}-{self.number:07}" if self.speaker else f"{self.number:07}"

    @property
    def speaker_name(self) -> str:
        """The speaker as Kaldi's lists have it, without blanks; the utterance's own name where none is known."""
        return re.sub(r"\s+", "_", self.speaker.strip()) if self.speaker else f"{self.number:07}"


class DatasetFolder:
    """The folder while it is written, under a name that is not its last: `final` is where it will stand. A context manager."""

    def __init__(self, folder: Path, final: Path, *, has_text: bool) -> None:
        self._folder, self._final, self._has_text = folder, final, has_text
        self._utterances: list[tuple[str, str, str, str]] = []  # identifier, speaker, file, text
        self._opened = ExitStack()
        self.seconds = 0.0

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
        self._utterances.append((utterance.identifier, utterance.speaker_name, utterance.file, text))

    def finish(self) -> None:
        """Write what needs all utterances, and let the disk have the lists. Raises OSError."""
        self._opened.close()
        (self._folder / KALDI).mkdir()
        lists = {"wav.scp": self._wav_scp(), "utt2spk": self._of(1), "spk2utt": self._by_speaker()}
        if self._has_text:
            lists["text"] = self._of(3)
        for name, lines in lists.items():
            with self._new(f"{KALDI}/{name}") as file:
                file.writelines(f"{line}\n" for line in lines)
        for path in (METADATA, MANIFEST, *(f"{KALDI}/{name}" for name in lists), KALDI, "."):
            sync(self._folder / path)

    def _sorted(self) -> Iterator[tuple[str, str, str, str]]:
        # As LC_ALL=C sorts, which Kaldi's tools check.
        yield from sorted(self._utterances, key=lambda one: one[0].encode())

    def _of(self, place: int) -> Iterator[str]:
        return (f"{one[0]} {one[place]}".rstrip() for one in self._sorted())

    def _wav_scp(self) -> Iterator[str]:
        for identifier, _, file, _ in self._sorted():
            yield f"{identifier} {' '.join(FLAC)} {shlex.quote(str(self._final / file))} |"

    def _by_speaker(self) -> Iterator[str]:
        speakers: dict[str, list[str]] = {}
        for identifier, speaker, _, _ in self._sorted():
            speakers.setdefault(speaker, []).append(identifier)
        return (f"{name} {' '.join(said)}" for name, said in sorted(speakers.items(), key=lambda one: one[0].encode()))

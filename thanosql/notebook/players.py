"""An audio reference in, a player out: the sound itself stands in the page, so that it plays from a saved notebook too.

A browser plays most files as they are; the others, and those too large, are decoded and put in as MP3 at 16,000 Hz.
Nothing is fetched: a page that plays a URL would tell its server who looks at it. And nothing is played that a statement
may not read: `access` is what the settings allow.
"""

from __future__ import annotations

import base64
import io
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.models.audio.parts import Audio, AudioPart
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.notebook.markup import Html, element, join

if TYPE_CHECKING:
    import numpy as np

    from thanosql.models.audio.access import AudioAccess

LARGEST = 1_500_000  # bytes of a file that goes into the page as it is
LONGEST = 600.0  # seconds of a recording that goes into the page at all
WAVE_WIDTH, WAVE_HEIGHT = 320, 44  # pixels


@dataclass
class Players:
    """Makes the players of one output. `budget` is how many bytes of audio it may still put into the page."""

    access: AudioAccess
    budget: int

    def player(self, audio: object, label: str, *, waveform: bool = False) -> Html:
        """A player with the file's own sound, or a word on why there is none. `label` is what a screen reader says."""
        from thanosql.models.audio import AudioError
        from thanosql.models.audio.references import of_data_uri

        if not isinstance(audio, str | bytes | bytearray | memoryview | AudioPart):
            return _instead("no audio")
        try:
            reference: Audio = bytes(audio) if isinstance(audio, bytearray | memoryview) else audio
            if isinstance(reference, str):
                reference = of_data_uri(reference) or reference
            seconds = self.access.probe(reference).seconds
            if seconds > LONGEST:
                return _instead(f"{seconds / 60:.0f} minutes: too long for a player here")
            mime, content = self._content(reference)
            if len(content) > self.budget:
                return _instead(f"{seconds:.1f} s; the players above use up the limit of this output")
            drawn = self._waveform(reference) if waveform else None
        except (AudioError, OSError) as error:
            return _instead(str(error))
        self.budget -= len(content)
        return join(
            (
                element(
                    "audio",
                    controls=True,
                    preload="metadata",
                    src=f"data:{mime};base64,{base64.b64encode(content).decode()}",
                    aria_label=f"{label}, {seconds:.1f} seconds",
                    title=f"{seconds:.1f} s",
                ),
                drawn,
            )
        )

    def _content(self, audio: Audio) -> tuple[str, bytes]:
        if isinstance(audio, AudioPart):
            return "audio/mpeg", self._encoded(audio)
        content = self._read(audio) if isinstance(audio, str) else audio
        if len(content) <= LARGEST and (mime := playable(content)):
            return mime, content
        return "audio/mpeg", self._encoded(audio)

    def _read(self, path: str) -> bytes:
        """A file's content; of one that is too large to be put in as it is, a byte more than is allowed."""
        pieces, left = [], LARGEST + 1
        with closing(self.access.open(path)) as file:
            while left and (piece := file.read(left)):
                pieces.append(piece)
                left -= len(piece)
        return b"".join(pieces)

    def _encoded(self, audio: Audio) -> bytes:
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, self.access.read(audio), SAMPLING_RATE, format="MP3")
        return buffer.getvalue()

    def _waveform(self, audio: Audio) -> Html:
        return waveform_picture(self.access.read(audio))


def playable(content: bytes) -> str | None:
    """The MIME type of a file that every browser of today plays as it is, by its first bytes; None for any other.

    >>> playable(b"fLaC" + bytes(60)), playable(b"FORM\\0\\0\\0\\0AIFF")
    ('audio/flac', None)
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        at = content.find(b"fmt ", 12, 4096)
        # PCM and float; the rest (GSM, ADPCM) is for telephones, not for browsers.
        return "audio/wav" if at > 0 and content[at + 8 : at + 10] in (b"\1\0", b"\3\0", b"\xfe\xff") else None
    if content[:4] == b"fLaC":
        return "audio/flac"
    if content[:3] == b"ID3" or (len(content) > 1 and content[0] == 0xFF and content[1] & 0xE6 == 0xE2):
        return "audio/mpeg"
    if content[4:8] == b"ftyp":
        return "audio/mp4"
    return None


def waveform_picture(waveform: np.ndarray) -> Html:
    """Peaks of a float32 `(samples,)` waveform as a small picture."""
    import numpy as np

    bins = min(WAVE_WIDTH // 2, len(waveform))
    edges = np.linspace(0, len(waveform), bins + 1).astype(int)[:-1]
    highs = np.maximum.reduceat(np.abs(waveform), edges)
    top = max(float(highs.max()), 1e-4)
    middle, step = WAVE_HEIGHT / 2, WAVE_WIDTH / bins
    path = "".join(
        f"M{(index + 0.5) * step:.1f} {middle - size:.1f}v{2 * size:.1f}"
        for index, size in enumerate(np.maximum(highs / top * (middle - 1), 0.5))
    )
    line = element("path", d=path, stroke="var(--ts-accent)", stroke_width="1.4", fill="none")
    view = f"0 0 {WAVE_WIDTH} {WAVE_HEIGHT}"
    seconds = len(waveform) / SAMPLING_RATE
    return element(
        "svg",
        line,
        viewBox=view,
        width=WAVE_WIDTH,
        height=WAVE_HEIGHT,
        role="img",
        aria_label=f"waveform of {seconds:.1f} seconds",
    )


def _instead(words: str) -> Html:
    return element("span", words, class_="thanosql-note")

"""Audio as people keep it (a path, a URL, a file's bytes) → waveforms: float32 `(samples,)`, mono, 16,000 Hz.

info              what is said of audio (AudioInfo), and why it cannot be used (AudioError)
faults            what the operating system said → a fault of the file, or of this machine
parts             which part of which recording a row means
references        which file a path or URL means, nearly right ones (near_names) too
remote            a URL → its bytes; download_cache keeps those that are read again
containers        the first bytes → the kind of file; completeness, riff, ogg and packets: what is missing of it
libsndfile        an open file → its header and samples; so does ffmpeg, by timeline, which knows when each frame begins
mixing            channels → one
decoding          an open file → the library that reads it best, and blocks of mono samples
resampling        blocks at any rate → blocks at 16,000 Hz
waveform          blocks → an array, or a file where they are long
recordings        decoded once for many rows
open_recording    an open file → its header, all its samples or a part's
facts             samples → what can be said of them without a model; so do levels and silences
decoder_pool      processes of their own that decode and may die (decoder_process; decoder_messages between them)
pooled_decoding   what open_recording gives, by them
reading           a reference → its header or waveform; the door where foreign errors end
access            the same, within what the settings and a statement allow
content, origins  what tells whether audio is the same as before (file_states asks the system about many files)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thanosql.models.audio.info import AudioError, AudioInfo, Note
    from thanosql.models.audio.parts import Audio, AudioPart, described
    from thanosql.models.audio.reading import decode, probe, read
    from thanosql.models.audio.recordings import DecodedAudio
    from thanosql.models.audio.references import is_remote, locate

__all__ = [
    "Audio",
    "AudioError",
    "AudioInfo",
    "AudioPart",
    "DecodedAudio",
    "Note",
    "decode",
    "described",
    "is_remote",
    "locate",
    "probe",
    "read",
]

_PLACES = {
    **dict.fromkeys(("AudioError", "AudioInfo", "Note"), "info"),
    **dict.fromkeys(("Audio", "AudioPart", "described"), "parts"),
    **dict.fromkeys(("decode", "probe", "read"), "reading"),
    "DecodedAudio": "recordings",
    **dict.fromkeys(("is_remote", "locate"), "references"),
}


def __getattr__(name: str) -> Any:
    # A statement that names audio without reading any needs no decoder, no HTTP and no process of its own.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)

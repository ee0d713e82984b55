"""What a training run is made of in; fingerprints that name what differs from another run out."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from thanosql.models.audio import Audio, AudioError
from thanosql.models.checkpoint_files import CARD_FILE
from thanosql.models.ctc.languages import adapter_files
from thanosql.models.ctc.tokenizer_files import adapter_file
from thanosql.models.digest import digest, file_digest
from thanosql.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.options import TrainOptions


def run_identity(
    base: Path, options: TrainOptions, examples: Sequence[Any], validation: Sequence[Any], access: AudioAccess
) -> dict[str, str]:
    """What makes a run the run it is, each in a few characters, so that a change can be named."""
    # A card is no part of the model: it grows with every evaluation. Nor are the adapters of other languages.
    others = {*adapter_files(base)} - {adapter_file(base, options.language)}
    weights = [
        path
        for path in sorted(base.iterdir())
        if path.suffix in (".safetensors", ".bin", ".json") and path.name != CARD_FILE and path.is_file()
        if path not in others
    ]
    named = {
        f"option {name}": str(value) for name, value in asdict(options).items() if name not in ("resume", "device")
    }
    # Labels alone are numbers, which another vocabulary gives to another text.
    rows = [(example.row, example.text, example.labels, example.seconds) for example in (*examples, *validation)]
    audio = [example.audio for example in (*examples, *validation)]
    return {
        "rows": f"{len(rows):,}, {digest([*rows, *audio])}",
        "audio files": digest(_fingerprint(one, access) for one in audio),
        "base": digest([(path.name, file_digest(path)) for path in weights]),
        **named,
        "package thanosql": __version__,
        **{f"package {name}": importlib.metadata.version(name) for name in ("torch", "transformers", "numpy", "soxr")},
    }


def _fingerprint(audio: Audio, access: AudioAccess) -> bytes:
    """What changes with the audio, though its name and its length stay: nothing is decoded for it."""
    try:
        return access.fingerprint(audio)
    except AudioError:  # that is said where it is read
        return b""

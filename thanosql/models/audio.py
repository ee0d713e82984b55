"""A reference to audio (a path, a URL, or a file's bytes) → its header, or its waveform.

A waveform is float32 `(samples,)`, mono, at 16,000 Hz. Whatever is wrong with the audio is an AudioError; nothing that
soundfile, av or the operating system raises gets past this module.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from thanosql.models.base import SAMPLING_RATE
from thanosql.models.decoding import blocks, describe
from thanosql.models.sources import AudioError, AudioInfo

if TYPE_CHECKING:
    import numpy as np

    from thanosql.models.remote import RemoteAccess
    from thanosql.models.waveform import Waveform

__all__ = ["AudioError", "AudioInfo", "is_remote", "locate", "probe", "read", "read_any_length"]

LONG_SECONDS = 600.0  # 38 MB

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://")


def probe(
    audio: str | bytes, roots: Sequence[Path] = (), *, confined: bool = False, remote: RemoteAccess | None = None
) -> AudioInfo:
    """What the header of some audio says, without decoding it.

    Finds all that can be found without decoding: a file that is missing, unreadable, no audio, without samples, or
    shorter than its header promises. `roots` and `confined` are those of `locate`; a URL is fetched, whole, where
    `remote` allows it, and refused otherwise. Raises AudioError.
    """
    with _opened(audio, roots, confined, remote) as file:
        return describe(file)


def read(
    audio: str | bytes, roots: Sequence[Path] = (), *, confined: bool = False, remote: RemoteAccess | None = None
) -> np.ndarray:
    """The waveform of some audio: float32 `(samples,)`, the mean of its channels, at 16,000 Hz, full scale at 1.

    Resampled by soxr (HQ), which keeps the time: sample n is the moment n / 16,000 s of the recording. `roots` and
    `confined` are those of `locate`, `remote` that of `probe`. Raises AudioError.
    """
    with _opened(audio, roots, confined, remote) as file:
        return _joined([part for part in _resampled(blocks(file)) if len(part)])


def read_any_length(
    audio: str | bytes, roots: Sequence[Path] = (), *, confined: bool = False, remote: RemoteAccess | None = None
) -> Waveform:
    """As `read`; of more than LONG_SECONDS a waveform that lies in a file, so that memory stays flat."""
    from thanosql.models.waveform import LongWaveform

    parts: list[np.ndarray] = []
    held = 0
    long: LongWaveform | None = None
    with _opened(audio, roots, confined, remote) as file:
        for part in _resampled(blocks(file)):
            parts.append(part)
            held += len(part)
            if held > LONG_SECONDS * SAMPLING_RATE:
                long = long or LongWaveform()
                for one in parts:
                    long.append(one)
                parts.clear()
    return _joined([part for part in parts if len(part)]) if long is None else long


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    import numpy as np

    if not parts:
        raise AudioError("no samples: it is shorter than one sample at 16,000 Hz")
    return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts))


def is_remote(audio: str) -> bool:
    """Whether a reference is a URL of another kind than file://.

    >>> is_remote("s3://calls/a.wav"), is_remote("file:///calls/a.wav"), is_remote("calls/a.wav")
    (True, False, False)
    """
    scheme = _SCHEME.match(audio)
    return scheme is not None and scheme[1].lower() != "file"


def locate(path: str, roots: Sequence[Path] = (), *, confined: bool = False) -> Path:
    """The file that a path or file:// URL means. A relative path is looked for under each of `roots`, in order.

    With `confined`, only files under one of the roots are let through, symbolic links followed. Raises AudioError when
    there is no such file, naming the path and where it was looked for, or when it is a directory or a device.
    """
    named = _local(path)
    candidates = [named] if named.is_absolute() else [Path(root) / named for root in roots]
    reasons = []
    for candidate in candidates:
        try:
            mode = candidate.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            reasons.append(_reason(error, candidate))
            continue
        except ValueError as error:
            raise AudioError(f"not a path: {path!r} ({error})") from error
        if not stat.S_ISREG(mode):
            # A pipe or a device would be waited for without end.
            what = "a directory" if stat.S_ISDIR(mode) else "a pipe, socket or device"
            reasons.append(f"{what}, not a file: {candidate}")
            continue
        return _inside(candidate, roots) if confined else candidate
    if reasons:
        raise AudioError(reasons[0])
    if named.is_absolute():
        raise AudioError(f"no such file: {named}")
    if not roots:
        raise AudioError(f"no such file: {path} (a relative path, and there is no folder to look for it in)")
    raise AudioError(f"no such file: {path} (looked for in {', '.join(str(root) for root in roots)})")


def _local(path: str) -> Path:
    if not path.strip():
        raise AudioError("an empty path")
    scheme = _SCHEME.match(path)
    if scheme is None:
        return Path(path)
    if scheme[1].lower() != "file":
        from thanosql.models.remote import shown

        raise AudioError(
            f"{scheme[1].lower()}:// audio is not fetched without allow_remote=True; a local path, a file:// URL or "
            f"the bytes need no leave ({shown(path)})"
        )
    url = urlsplit(path)
    if url.netloc not in ("", "localhost"):
        raise AudioError(f"a file:// URL of another host ({url.netloc}): {path}")
    # '#' and '?' are letters like others in the name of a file.
    return Path(url2pathname(path[len("file://") + len(url.netloc) :]))


def _inside(file: Path, roots: Sequence[Path]) -> Path:
    resolved = file.resolve()
    if not any(resolved.is_relative_to(Path(root).resolve()) for root in roots):
        folders = ", ".join(str(root) for root in roots)
        raise AudioError(f"outside of the folders that audio may be read from: {file} (they are {folders})")
    return resolved


@contextmanager
def _opened(
    audio: str | bytes, roots: Sequence[Path], confined: bool, remote: RemoteAccess | None
) -> Iterator[BinaryIO]:
    if remote is not None and isinstance(audio, str) and is_remote(audio):
        from thanosql.models.remote import fetch

        audio = fetch(audio, remote)
    if isinstance(audio, (bytes, bytearray, memoryview)):
        if not len(audio):
            raise AudioError("empty value (0 bytes)")
        yield io.BytesIO(audio)
        return
    if not isinstance(audio, (str, os.PathLike)):
        raise AudioError(f"a path or the file's bytes are needed, not {type(audio).__name__}")
    path = locate(os.fspath(audio), roots, confined=confined)
    try:
        # Unbuffered: libsndfile takes the descriptor from where it stands.
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise AudioError(_reason(error, path)) from error
    with file:
        try:
            yield file
        except OSError as error:
            raise AudioError(_reason(error, path)) from error


def _reason(error: OSError, path: Path) -> str:
    if isinstance(error, PermissionError):
        return f"no permission to read: {path}"
    return f"cannot be read ({error.strerror or error}): {path}"


def _resampled(source: Iterator[tuple[int, np.ndarray]]) -> Iterator[np.ndarray]:
    import numpy as np
    import soxr

    rate, stream = SAMPLING_RATE, None
    for given, block in source:
        if given != rate:  # some broadcasts change their rate on the way
            if stream is not None:
                yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
            rate = given
            stream = soxr.ResampleStream(rate, SAMPLING_RATE, 1, "float32", "HQ") if rate != SAMPLING_RATE else None
        yield block if stream is None else stream.resample_chunk(np.ascontiguousarray(block))
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)

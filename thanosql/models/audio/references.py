"""A reference to audio (a path, a URL) → the file it means, within the folders that may be read.

Nothing is opened here.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from thanosql.models.audio.faults import of_source
from thanosql.models.audio.info import AudioError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://")


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
            reasons.append(str(of_source(error, candidate)))
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


def shown(url: str) -> str:
    """A URL without what may be secret in it: user, password, query and fragment.

    >>> shown("https://me:secret@host.org:8443/a/b.wav?X-Amz-Signature=0#t")
    'https://host.org:8443/a/b.wav'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _local(path: str) -> Path:
    if not path.strip():
        raise AudioError("an empty path")
    scheme = _SCHEME.match(path)
    if scheme is None:
        return Path(path)
    if scheme[1].lower() != "file":
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

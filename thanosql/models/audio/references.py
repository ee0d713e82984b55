"""A reference to audio (a path, a URL) → the file it means, within the folders that may be read.

Nothing is opened here.
"""

from __future__ import annotations

import base64
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from thanosql.errors import shown_reference
from thanosql.models.audio.faults import of_source
from thanosql.models.audio.info import AudioError, shown
from thanosql.models.audio.near_names import closest, matches, spelled_plainly

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://")


def is_remote(audio: str) -> bool:
    """Whether a reference is a URL of another kind than file://.

    >>> is_remote("s3://calls/a.wav"), is_remote("file:///calls/a.wav"), is_remote("calls/a.wav")
    (True, False, False)
    """
    scheme = _SCHEME.match(audio)
    return scheme is not None and scheme[1].lower() != "file"


def locate(path: str, roots: Sequence[Path] = (), *, confined: bool = False) -> Path:
    """The file that a path or file:// URL means. A relative path is looked for under each of `roots`, in order; a path
    that is nearly right (`near_names`) is the one file that it fits.

    With `confined`, only files under one of the roots are let through, symbolic links followed. Raises AudioError when
    there is no such file, naming the path and where it was looked for, or when it is a directory or a device.
    """
    return find(path, roots, confined=confined)[0]


def stat_plain(path: str, roots: Sequence[Path]) -> tuple[str, os.stat_result] | None:
    """The file that `locate` finds for a path that is right as it is written, and what the system says of it; None for any
    other path, of which `locate` is to be asked. A fifth of its time: for a million rows.
    """
    if "://" in path or not path.strip():
        return None
    for candidate in (path,) if os.path.isabs(path) else (os.path.join(root, path) for root in roots):
        try:
            about = os.stat(candidate)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError):
            return None
        return (candidate, about) if stat.S_ISREG(about.st_mode) else None
    return None


def find(path: str, roots: Sequence[Path] = (), *, confined: bool = False) -> tuple[Path, str | None]:
    """As `locate`, and what to say where the file is one that the path is nearly the name of."""
    named = _local(path)
    candidates = [named] if named.is_absolute() else [Path(root) / named for root in roots]
    reasons = []
    for candidate in candidates:
        if confined:
            candidate = _inside(candidate, roots)
        try:
            mode = candidate.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            reasons.append(str(of_source(error, candidate)))
            continue
        except ValueError as error:
            raise AudioError(f"not a path: {shown_reference(path)} ({error})") from error
        if not stat.S_ISREG(mode):
            # A pipe or a device would be waited for without end.
            what = "a directory" if stat.S_ISDIR(mode) else "a pipe, socket or device"
            reasons.append(f"{what}, not a file: {shown_reference(str(candidate))}")
            continue
        return candidate, None
    if mistaken := _mistaken(path):
        raise AudioError(f"no such file: {shown_reference(path)} ({mistaken})")
    if reasons:
        raise AudioError(reasons[0])
    return _nearly(path, named, roots, confined)


def _nearly(path: str, named: Path, roots: Sequence[Path], confined: bool) -> tuple[Path, str]:
    plain = spelled_plainly(path)
    places = [Path(plain.anchor)] if plain.is_absolute() else [Path(root) for root in roots]
    close: list[str] = []
    for place in places:
        if confined and not is_inside(place / plain, roots):
            continue
        found = [file for file in matches(place, plain) if not confined or is_inside(file, roots)]
        if len(found) == 1:
            return found[0], f"found as {shown_reference(str(found[0]))}"
        close += [file.name for file in found] or closest(place, plain)
    said = "no such file: " + shown_reference(str(named) if named.is_absolute() else path)
    if not named.is_absolute():
        folders = ", ".join(str(root) for root in roots)
        said += (
            f" (looked for in {folders}; the setting audio_roots names other folders)"
            if roots
            else " (a relative path, and there is no folder to look for it in)"
        )
    if close:
        raise AudioError(
            f"{said}. Did you mean {' or '.join(shown_reference(name) for name in dict.fromkeys(close[:3]))}?"
        )
    raise AudioError(said)


def _mistaken(path: str) -> str | None:
    """What a text is that is no path at all."""
    if path.startswith(_BASE64_HEADS) and len(path) > 64:
        return "it is audio as base64: decode(the column, 'base64') gives its bytes"
    if path.startswith(_HEX_HEADS) and len(path) > 64:
        return "it is audio as hexadecimal digits: decode(substr(the column, 3), 'hex') gives its bytes"
    return None


_BASE64_HEADS = (
    "UklGR",
    "ZkxhQ",
    "T2dnU",
    "SUQz",
    "//uQ",
    "//vQ",
    "Rk9STQ",
    "GkXfo",
)  # RIFF, fLaC, OggS, ID3, MP3, FORM, EBML
_HEX_HEADS = ("\\x52494646", "\\x664c6143", "\\x4f676753", "\\x494433", "\\xfffb")


def of_data_uri(audio: str) -> bytes | None:
    """The bytes that a `data:` URI holds; None for any other reference. Raises AudioError where it is damaged.

    >>> of_data_uri("data:audio/wav;base64,UklGRg=="), of_data_uri("calls/a.wav")
    (b'RIFF', None)
    """
    if audio[:5].lower() != "data:" or "," not in audio[:200]:
        return None
    kind, _, content = audio[5:].partition(",")
    try:
        if kind.lower().endswith(";base64"):
            return base64.b64decode(unquote(content), validate=True)
        return unquote_to_bytes(content)
    except ValueError as error:
        raise AudioError(f"damaged: a data URI whose base64 cannot be read ({error})") from error


def _local(path: str) -> Path:
    if not path.strip():
        raise AudioError("an empty path")
    scheme = _SCHEME.match(path)
    if scheme is None:
        return Path(path)
    if scheme[1].lower() != "file":
        raise AudioError(
            f"{scheme[1].lower()}:// audio is not fetched without allow_remote=True; a local path, a file:// URL or "
            f"the bytes do not need it ({shown(path)})"
        )
    url = urlsplit(path)
    if url.netloc not in ("", "localhost"):
        raise AudioError(f"a file:// URL of another host ({shown_reference(url.netloc)}): {shown_reference(path)}")
    from urllib.request import url2pathname  # which imports the whole of HTTP

    # '#' and '?' are letters like others in the name of a file.
    return Path(url2pathname(path[len("file://") + len(url.netloc) :]))


def _inside(file: Path, roots: Sequence[Path]) -> Path:
    """The file that is meant once links are followed. Raises AudioError outside of the roots, whether it is there or not."""
    try:
        resolved = Path(os.path.realpath(file))
    except ValueError as error:
        raise AudioError(f"not a path: {shown_reference(str(file))} ({error})") from error
    refuse_outside(file, roots)
    return resolved


def refuse_outside(file: Path, roots: Sequence[Path]) -> None:
    """Raise AudioError for what lies outside of the roots, links followed."""
    if not is_inside(file, roots):
        folders = ", ".join(str(root) for root in roots)
        raise AudioError(
            f"outside of the folders that audio may be read from: {shown_reference(str(file))} (they are {folders})"
        )


def is_inside(file: Path, roots: Sequence[Path]) -> bool:
    """Whether a file lies under one of the roots, links followed in both."""
    resolved = Path(os.path.realpath(file))
    return any(resolved.is_relative_to(os.path.realpath(root)) for root in roots)

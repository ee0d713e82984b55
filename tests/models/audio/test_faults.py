"""A machine that has run out of something stops the statement; only a file that is at fault becomes a row's error."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.recordings import by_av, sweep, wav
from thanosql.models.audio import AudioError, faults
from thanosql.models.audio.faults import of_source, raise_if_machine

LIMITED = """
import errno, os, resource, sys, tempfile
import numpy as np
from thanosql.models import audio
from thanosql.models.audio import reading  # what decodes is loaded later; our own module not
from thanosql.models.audio.waveform import LongWaveform

def outcome(work):
    try:
        return f"gave {type(work()).__name__}"
    except BaseException as error:
        return f"{type(error).__name__} {errno.errorcode.get(getattr(error, 'errno', None))} {getattr(error, 'filename', None)}"
"""


def said(tmp_path: Path, code: str) -> list[str]:
    """The lines that a process of its own prints, whose limits do not touch this one."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED + code], capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("warm", [True, False], ids=["decoders loaded", "decoders not loaded"])
@pytest.mark.parametrize("name", ["a.wav", "a.m4a", "a.mp3"])
def test_without_a_descriptor_left_no_file_is_blamed(name: str, warm: bool, tmp_path: Path) -> None:
    made = {"a.m4a": ("ipod", "aac"), "a.mp3": ("mp3", "libmp3lame")}
    data = by_av(sweep(16000), 16000, *made[name]) if name in made else wav(sweep(8000), 8000, 16)
    (tmp_path / name).write_bytes(data)
    code = (
        f"warm, name = {warm}, {name!r}"
        + """
content = open(name, "rb").read()
if warm:
    audio.read(os.path.abspath(name))
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, 4096))
for work in (audio.probe, audio.read, audio.decode):
    print(outcome(lambda: work(os.path.abspath(name))))
    print(outcome(lambda: work(content)))
"""
    )
    lines = said(tmp_path, code)
    assert all(line.startswith("OSError EMFILE ") for line in lines[::2])
    if warm:
        assert all(line.startswith("gave ") for line in lines[1::2]), "bytes need no descriptor"
    else:
        assert not any(line.startswith("AudioError") for line in lines)


def test_bytes_whose_decoder_cannot_be_loaded_for_want_of_descriptors_are_not_blamed(tmp_path: Path) -> None:
    (tmp_path / "a.m4a").write_bytes(by_av(sweep(16000), 16000, "ipod", "aac"))
    code = """
data = open("a.m4a", "rb").read()
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, 4096))
print(outcome(lambda: audio.read(data)))
"""
    (line,) = said(tmp_path, code)
    assert line.startswith("OSError EMFILE ")


def test_a_temporary_disk_that_is_full_is_named_and_the_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(sweep(16000, 3.0), 16000, 16))
    (tmp_path / "tmp").mkdir()
    code = """
import signal
from thanosql.models.audio import reading
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
tempfile.tempdir = os.path.abspath("tmp")
reading.LONG_SECONDS = 1.0
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
print(outcome(lambda: audio.decode(os.path.abspath("a.wav"))))
print(outcome(lambda: audio.read(os.path.abspath("a.wav"))))
"""
    assert said(tmp_path, code) == [f"OSError EFBIG {tmp_path / 'tmp'}", "gave ndarray"]


def test_a_temporary_folder_that_is_gone_is_no_missing_recording(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(sweep(16000, 3.0), 16000, 16))
    code = """
from thanosql.models.audio import reading
tempfile.tempdir = "/nowhere/at/all"
reading.LONG_SECONDS = 1.0
print(outcome(lambda: audio.decode(os.path.abspath("a.wav"))).split()[:2])
"""
    assert said(tmp_path, code) == ["['FileNotFoundError', 'ENOENT']"]


def test_a_full_disk_under_the_download_cache_keeps_nothing_that_is_cut(tmp_path: Path) -> None:
    code = """
import signal
from pathlib import Path
from thanosql.models.audio.download_cache import DownloadCache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
with DownloadCache(Path.cwd()) as cache:
    print(outcome(lambda: cache.content("large", lambda _: b"l" * 150_000)))
    print(cache.content("small", lambda _: b"s" * 50_000) == b"s" * 50_000)
    print(cache.content("small", None) == b"s" * 50_000)
    print(outcome(lambda: cache.content("large", lambda _: b"l" * 150_000)))
"""
    assert said(tmp_path, code) == [f"OSError EFBIG {tmp_path}", "True", "True", f"OSError EFBIG {tmp_path}"]


def test_memory_that_is_used_up_is_no_damage_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.m4a").write_bytes(by_av(sweep(16000, 120.0), 16000, "ipod", "aac"))
    code = """
audio.read(os.path.abspath("a.m4a"))
held = [int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmSize")][0]
resource.setrlimit(resource.RLIMIT_AS, (held + (1 << 20), held + (1 << 20)))
first = outcome(lambda: audio.read(os.path.abspath("a.m4a")))
print(first.split()[0])
"""
    assert said(tmp_path, code)[0].endswith("MemoryError")


def test_without_a_descriptor_a_url_is_not_blamed(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    code = """
from thanosql.models.audio.remote import RemoteAccess, fetch
access = RemoteAccess(attempts=1, hosts=frozenset({"127.0.0.1"}))
try:
    fetch("http://127.0.0.1:9/a.wav", access)
except audio.AudioError as error:
    print("AudioError", "cannot be fetched" in str(error))
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, 4096))
for url in ("http://127.0.0.1:9/a.wav", "http://calls.example/a.wav"):
    print(outcome(lambda: fetch(url, access)))
"""
    assert said(tmp_path, code) == ["AudioError True", "OSError EMFILE None", "OSError EMFILE None"]


@pytest.mark.parametrize("name", "ENOENT EACCES EPERM EIO ELOOP ENAMETOOLONG ENOTDIR EISDIR".split())
def test_faults_of_the_file_are_audio_errors(name: str) -> None:
    error = OSError(getattr(errno, name), "so it is")
    assert isinstance(of_source(error, Path("a.wav")), AudioError)


@pytest.mark.parametrize("name", "EMFILE ENFILE ENOMEM ENOSPC EDQUOT EFBIG".split())
def test_faults_of_the_machine_leave_as_they_are(name: str) -> None:
    error = OSError(getattr(errno, name), "so it is")
    with pytest.raises(OSError) as caught:
        of_source(error, Path("a.wav"))
    assert caught.value is error
    hidden = AudioError("cannot be fetched")
    hidden.__cause__ = RuntimeError("a library's own")
    hidden.__cause__.__context__ = error
    with pytest.raises(OSError) as caught:
        raise_if_machine(hidden)
    assert caught.value.errno == error.errno
    raise_if_machine(AudioError("no such file"))


def test_a_decoder_that_was_asked_for_too_much_is_not_believed_while_there_is_memory() -> None:
    faults.raise_if_out_of_memory(MemoryError("2 GB of packets, a damaged header says"))
    raise_if_machine(MemoryError("the same"))

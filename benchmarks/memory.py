"""Peak memory and time of PREDICT … table_name against the number of rows, with a recognizer that takes no time.

    python benchmarks/memory.py [--rows 1000 10000 100000 1000000] [--audio files|references|distinct|bytes] [--url …]

Each size runs in a process of its own, from query to table: the snapshot, the check of every header, decoding, keeping
each prediction for a run that is taken up again, COPY, and the table put in place. The rows refer to a thousand
recordings of 10 ms. `--audio distinct` gives each a file of its own (hard links: as many references, headers, decodings
and kept predictions as rows) and `--audio bytes` its own bytea, which takes ten times as long, most of it in the
decoder; `--audio references` is `distinct` without files: nothing is looked at or decoded, all else is done.
The goal is the growth of the peak from 10,000 to 1,000,000 rows; the process's own, not PostgreSQL's. The curves of
`--audio files` are drawn into docs/rows.svg.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import thanosql
from thanosql.engine.postgres import embedded
from thanosql.models.audio import AudioInfo, DecodedAudio
from thanosql.models.audio.access import AudioAccess
from thanosql.models.options import TranscribeOptions
from thanosql.models.results import Transcript

GOAL_MEGABYTES = 200.0
COMPARED = (10_000, 1_000_000)
RECORDINGS = 1000
SAMPLES, RATE = 160, 16_000
# It has a ground of its own, so that it is read on pages of either kind.
STYLE = (
    "rect{fill:#fff}text{fill:#222}.grid{stroke:#ddd}.point{fill:#1f77b4}"
    ".curve{fill:none;stroke:#1f77b4;stroke-width:2}@media(prefers-color-scheme:dark){"
    "rect{fill:#1c1f26}text{fill:#ddd}.grid{stroke:#3a3f4a}.point{fill:#6cb6ff}.curve{stroke:#6cb6ff}}"
)


class Stub:
    """A recognizer that hears nothing, at once."""

    def recognizer(self, *_: object) -> Any:
        return self

    def transcribe(
        self, waveforms: Sequence[np.ndarray], options: TranscribeOptions, cancellation: object = None
    ) -> list[Transcript]:
        return [Transcript("seven three one four", 0.5)] * len(waveforms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--picture", type=Path, help="docs/rows.svg for --audio files")
    parser.add_argument("--url", default=os.environ.get("THANOSQL_DATABASE_URL"))
    parser.add_argument("--audio", choices=("files", "references", "distinct", "bytes"), default="files")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.url, given.one, given.audio)))
        return
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    try:
        url = given.url or embedded.start(parent / "postgres")
        points = []
        print(f"{'rows':>10} {'seconds':>9} {'µs a row':>9} {'peak MB':>8}")
        for rows in given.rows:
            command = [sys.executable, __file__, "--one", str(rows), "--url", url, "--audio", given.audio]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            seconds, peak = json.loads(done.stdout)
            points.append((rows, seconds, peak))
            print(f"{rows:10,} {seconds:9.2f} {seconds / rows * 1e6:9.1f} {peak:8.0f}", flush=True)
    finally:
        embedded.stop(parent / "postgres")
        shutil.rmtree(parent, ignore_errors=True)
    peaks = {rows: peak for rows, _, peak in points}
    if all(rows in peaks for rows in COMPARED):
        growth = peaks[COMPARED[1]] - peaks[COMPARED[0]]
        print(f"growth of the peak {growth:8.0f} MB (goal: at most {GOAL_MEGABYTES:g})")
    if given.picture is None and given.audio == "files":
        given.picture = Path(__file__).parents[1] / "docs" / "rows.svg"
    if len(points) > 1 and given.picture is not None:
        given.picture.write_text(picture(points), encoding="utf-8")


def measure(url: str, rows: int, kind: str) -> tuple[float, float]:
    """Seconds of the statement, and the process's peak in megabytes."""
    if kind == "references":
        leave_files_alone()
    header = b"RIFF" + (36 + SAMPLES).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += b"\1\0\1\0" + RATE.to_bytes(4, "little") * 2 + b"\1\0\10\0data" + SAMPLES.to_bytes(4, "little")
    with tempfile.TemporaryDirectory() as home, thanosql.connect(url, home=home) as session:
        session.settings.workspace.mkdir()
        for number in range(RECORDINGS):
            content = header + number.to_bytes(4, "big") + b"\x80" * (SAMPLES - 4)
            (session.settings.workspace / f"{number}.wav").write_bytes(content)
            if kind == "distinct":
                (session.settings.workspace / str(number)).mkdir()
                for link in range(number or RECORDINGS, rows + 1, RECORDINGS):
                    os.link(
                        session.settings.workspace / f"{number}.wav",
                        session.settings.workspace / f"{number}/{link}.wav",
                    )
        own = f"decode('{header.hex()}', 'hex') || int4send(i) || decode(repeat('80', {SAMPLES - 4}), 'hex')"
        audio = {
            "files": f"i % {RECORDINGS} || '.wav'",
            "references": f"i % {RECORDINGS} || '/' || i || '.wav'",
            "distinct": f"i % {RECORDINGS} || '/' || i || '.wav'",
            "bytes": own,
        }[kind]
        session.execute(
            "DROP TABLE IF EXISTS bench_calls, bench_heard; CREATE TABLE bench_calls AS SELECT i AS id,"
            f" {audio} AS audio_path FROM generate_series(1, {rows}) i"
        )
        session.__dict__["loaded"] = Stub()
        begun = time.perf_counter()
        status = session.execute(
            "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='bench_heard') AS SELECT * FROM bench_calls", fetch=False
        )
        seconds = time.perf_counter() - begun
        assert status == f"PREDICT {rows}", status
        (counted,) = session.execute("SELECT count(predict_result) AS n FROM bench_heard").n
        assert counted == rows
        session.execute("DROP TABLE bench_calls, bench_heard")
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def leave_files_alone() -> None:
    """Every reference is a recording of 10 ms from now on."""
    info, waveform = AudioInfo(SAMPLES / RATE, RATE, 1, "wav/pcm_u8"), np.zeros(SAMPLES, np.float32)
    stubs = {
        "probe": lambda self, audio: info,
        "read": lambda self, audio: waveform,
        "decode": lambda self, audio: DecodedAudio(waveform),
        "fingerprint": lambda self, audio: hashlib.blake2b(audio.encode(), digest_size=16).digest(),
    }
    for name, stub in stubs.items():
        setattr(AudioAccess, name, stub)


def picture(points: Sequence[tuple[int, float, float]]) -> str:
    """Two curves over the number of rows as SVG: time on a logarithmic scale, memory on a plain one."""
    memory = [(rows, peak) for rows, _, peak in points]
    highest = math.ceil(max(peak for _, peak in memory) / 100 + 1) * 100
    marks = [(float(value), f"{value} MB") for value in range(0, highest + 1, 100)]
    taken = [(rows, math.log10(seconds)) for rows, seconds, _ in points]
    low, high = math.floor(min(y for _, y in taken)), math.ceil(max(y for _, y in taken))
    ticks = [(float(power), f"{10.0**power:g} s") for power in range(low, high + 1)]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 300" font-family="sans-serif" font-size="12">\n'
        f"<style>{STYLE}</style>\n"
        '<rect width="720" height="300" rx="6"/>\n'
        + _panel(10, "Time of PREDICT … table_name", taken, ticks)
        + _panel(370, "Peak memory of the process", memory, marks)
        + "</svg>\n"
    )


def _panel(
    left: int, title: str, points: Sequence[tuple[int, float]], ticks: Sequence[tuple[float, str]], width: int = 260
) -> str:
    top, bottom, begin = 50, 240, left + 60
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])
    low, high = ticks[0][0], ticks[-1][0]

    def at(rows: float, value: float) -> tuple[float, float]:
        return begin + (math.log10(rows) - first) / (last - first) * width, bottom - (value - low) / (high - low) * (
            bottom - top
        )

    drawn = [f'<text x="{begin}" y="30" font-size="14">{title}</text>']
    for value, label in ticks:
        y = at(points[0][0], value)[1]
        drawn.append(f'<path d="M{begin} {y:.1f}h{width}" class="grid"/>')
        drawn.append(f'<text x="{begin - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for rows, _ in points:
        x = at(rows, low)[0]
        drawn.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{rows:,}</text>')
    drawn.append(f'<text x="{begin + width / 2}" y="{bottom + 38}" text-anchor="middle">rows</text>')
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in points))
    drawn.append(f'<polyline points="{line}" class="curve"/>')
    drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="point"/>' for x, y in (at(*point) for point in points)]
    return "\n".join(drawn) + "\n"


if __name__ == "__main__":
    main()

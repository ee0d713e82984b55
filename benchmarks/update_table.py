"""PREDICT with mode='update': 1,000 new rows in a table of 1,000,000, timed beside the recognition.

Each row has a file of its own (the files are links to 1,000 recordings). The recognizer answers at once, so that what is
timed is all the rest: the query, holding a million rows against the table, and writing a thousand.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import thanosql
from thanosql.models.results import Transcript

STATEMENT = """
PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='heard', mode='update', row_key='id')
AS SELECT id, speaker, audio_path FROM calls
"""


class AtOnce:
    """A recognizer that takes no time; the table is what is measured."""

    loading_seconds = 0.0

    def recognizer(self, *_: object) -> AtOnce:
        return self

    def transcribe(self, waveforms: list[Any], *_: Any) -> list[Transcript]:
        return [Transcript("one two three", 1.0) for _ in waveforms]


def make_files(folder: Path, rows: int) -> None:
    """A file a row, a thousand in each folder; of one content a thousand rows."""
    originals = folder / "originals"
    originals.mkdir()
    for number in range(1000):
        soundfile.write(originals / f"{number}.wav", np.full(1600, number / 2000, dtype="float32"), 16_000)
    for number in range(rows):
        place = folder / f"{number // 1000:04}"
        if number % 1000 == 0:
            place.mkdir()
        os.link(originals / f"{number % 1000}.wav", place / f"{number}.wav")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--new", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="thanosql-update-") as name:
        os.chmod(name, 0o755)
        home = Path(name)
        sound = home / "sound"
        sound.mkdir()
        make_files(sound, given.rows + given.new * given.rounds)
        with thanosql.connect(home=home) as session:
            session.__dict__["loaded"] = AtOnce()
            path = f"'{sound}/' || lpad((i / 1000)::text, 4, '0') || '/' || i || '.wav'"
            rows = f"SELECT i AS id, 'speaker ' || i % 100 AS speaker, {path} AS audio_path FROM generate_series"
            session.execute(f"CREATE TABLE calls AS {rows}(0, {given.rows - 1}) i")
            began = time.perf_counter()
            # What a first run would have made, with its origins: the recognition of a million rows is not the matter.
            session.execute(STATEMENT.replace("FROM calls", "FROM calls LIMIT 1000"), fetch=False)
            (recipe,) = session.execute("SELECT split_part(predict_result_by, '-', 1) AS r FROM heard LIMIT 1").r
            session.execute("TRUNCATE heard")
            fill(session, recipe, sound, given.rows)
            print(f"a table of {given.rows:,} rows made in {time.perf_counter() - began:.1f} s")
            session.execute("CREATE UNIQUE INDEX ON heard (id)")
            session.execute("VACUUM ANALYZE heard; VACUUM ANALYZE calls")
            for number in range(given.rounds):
                first = given.rows + number * given.new
                session.execute(f"INSERT INTO calls {rows}({first}, {first + given.new - 1}) i")
                measure(session)
            measure(session)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{peak:.0f} MB at most; {cpu()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


def measure(session: thanosql.Session) -> None:
    """Run the statement; print its seconds, and those of processor time here and at the server."""
    server = session.execute("SELECT pg_backend_pid() AS pid").pid[0]
    began, here, there = time.perf_counter(), own_seconds(), processor_seconds(server)
    result = session.run(STATEMENT)
    seconds = time.perf_counter() - began
    here, there = own_seconds() - here, processor_seconds(server) - there
    print(
        f"{seconds:.2f} s (processor: {here:.2f} s here, {there:.2f} s at the server): {result.status}: {result.note}"
    )


def own_seconds() -> float:
    """What this process and those that it started and that have ended have used, user's and system's."""
    return sum(os.times()[:4])


def processor_seconds(process: int) -> float:
    """What a process has used, user's and system's; NaN where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(session: thanosql.Session, recipe: str, sound: Path, rows: int) -> None:
    """The rows of `calls` in `heard`, as if each had been recognized, by COPY."""
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.audio.origins import AudioOrigins

    origins = AudioOrigins(AudioAccess.of(session.settings))
    from thanosql.engine.postgres.copying import chunks

    def lines() -> Any:
        for number in range(rows):
            path = f"{sound}/{number // 1000:04}/{number}.wav"
            yield number, f"speaker {number % 100}", path, "one two three", f"{recipe}-{origins.of(path)}"

    for data in chunks(lines(), ["integer", "text", "text", "text", "text"]):
        session.database.connection.copy_in("heard", data)


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


if __name__ == "__main__":
    main()

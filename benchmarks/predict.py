"""PREDICT table to table against transformers' pipeline doing the same: SELECT, decode, recognize, write.

    python benchmarks/predict.py [--model FOLDER] [--utterances 24] [--rounds 5] [--audio FOLDER] [--url postgresql://…]
    python benchmarks/predict.py --types wav2vec2 hubert … [--layers 2] [--utterances 6] [--threads 1]

Both sides run in this process, in turn, with as many threads as there are cores (on a busy machine say `--threads 1`), on
the same table of audio paths; medians are compared. The pipeline is given its best:
files read by soundfile (its own way, ffmpeg as a process, costs 0.1 s a
file), and of the batch sizes 1 and 4 the faster in a round before those that count. Any Hugging Face folder of
a CTC model will do; without one it is a random model of the facebook/wav2vec2-base-960h architecture. Utterances of
1.5 to 20 s, 7.8 s on average, are put together from the WAV or FLAC files of a folder: spoken_numbers, the data set of
the package, unless another is named.

`--types` makes a random model of each type, of its published base's width, and compares both sides in float32: a table, its
ratios in wall time and in this process's processor time, which other work on the machine changes less.

The ratio is the median of the rounds' ratios, each round having run both sides. The limit, of models that hear waveforms,
is what single matrix products of the model's own shapes reach in the same run, by the faster of oneDNN's products and
torch's; the share is that of the whole statement. The overhead is that of the statement over the bare recognizer given the
same waveforms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import sqlalchemy
import torch
from torch.nn import functional

import thanosql
from thanosql.engine.postgres import embedded
from thanosql.engine.session import Session
from thanosql.models import audio, checkpoint_files, registry
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.products import Product
from thanosql.models.datasets import DATASETS
from thanosql.models.families.waveform_ctc.model_facts import WaveformFacts
from thanosql.models.options import TranscribeOptions
from thanosql.models.precision import has_matrix_units

TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
BATCHES = (1, 4)  # of which the pipeline's best is found
USUAL = 16  # what people set
# Against the pipeline's best in the same precision, against USUAL in float32, and of the limit of matrix products.
GOALS = {"float32": (1.25, 2.2, 0.85), "bfloat16": (2.0 if has_matrix_units("cpu") else 1.15, 5.0, 0.50)}
OVERHEAD_GOAL = 0.05

Run = Callable[[], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--types", nargs="+", default=[], choices=list(registry.FAMILIES), metavar="TYPE")
    parser.add_argument("--layers", type=int, default=2, help="of a type's random model")
    parser.add_argument("--utterances", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="as many as there are cores, unless said")
    parser.add_argument("--audio", type=Path, default=DATASETS["spoken_numbers"].folder)
    parser.add_argument("--url", default=os.environ.get("THANOSQL_DATABASE_URL"))
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(given.threads or cores)
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    try:
        url = given.url or embedded.start(parent / "postgres")
        with tempfile.TemporaryDirectory() as home, thanosql.connect(url, home=home) as session:
            waveforms = make_utterances(given.audio, given.utterances)
            fill(session, waveforms)
            if given.types:
                compare_types(session, url, given.types, given.layers, waveforms, given.rounds)
                return
            folder = given.model or make_model(Path(home) / "random-base")
            compare(session, url, folder, waveforms, given.rounds)
            session.execute("DROP TABLE IF EXISTS bench_calls, bench_ours, bench_theirs")
    finally:
        embedded.stop(parent / "postgres")


def make_model(folder: Path) -> Path:
    """A random model of the facebook/wav2vec2-base-960h architecture, with its processor."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.families.waveform_ctc import checkpoint
    from thanosql.models.text import Normalizer

    torch.manual_seed(0)
    vocabulary = Vocabulary(TOKENS)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=len(TOKENS), pad_token_id=0))
    checkpoint.save(folder, model, vocabulary, Normalizer.for_vocabulary(vocabulary), checkpoint.Features())
    return folder


def make_utterances(folder: Path, count: int) -> list[np.ndarray]:
    """float32 waveforms at 16,000 Hz, of recordings in an order drawn with a fixed seed, put end to end."""
    paths = sorted(path for ending in ("wav", "flac") for path in folder.rglob(f"*.{ending}"))
    if not paths:
        raise SystemExit(f"There are no WAV or FLAC files in {folder}.")
    draw = np.random.default_rng(0)
    found = []
    for seconds in np.clip(draw.gamma(2.6, 3.0, count), 1.5, 20.0):
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < seconds * SAMPLING_RATE:
            parts.append(audio.read(str(paths[draw.integers(len(paths))])))
        found.append(np.concatenate(parts)[: int(seconds * SAMPLING_RATE)])
    return found


def fill(session: Session, waveforms: Sequence[np.ndarray]) -> None:
    """The table bench_calls, and its files in the workspace: WAV, 16 bits."""
    session.settings.workspace.mkdir(exist_ok=True)
    for number, waveform in enumerate(waveforms):
        soundfile.write(session.settings.workspace / f"{number}.wav", waveform, SAMPLING_RATE)
    session.execute(
        f"DROP TABLE IF EXISTS bench_calls; CREATE TABLE bench_calls AS "
        f"SELECT id, id || '.wav' AS audio_path FROM generate_series(0, {len(waveforms) - 1}) id"
    )


def compare(session: Session, url: str, folder: Path, waveforms: list[np.ndarray], rounds: int) -> None:
    audio_seconds = sum(map(len, waveforms)) / SAMPLING_RATE
    print(
        f"{processor()}; {checkpoint_files.model_type(folder)}; "
        f"{len(waveforms)} utterances, {audio_seconds:.0f} s of audio; {torch.get_num_threads()} threads; "
        f"torch {torch.__version__}; medians of {rounds} rounds",
        flush=True,
    )
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    pipelines = {precision: make_pipeline(folder, dtype) for precision, dtype in PRECISIONS.items()}
    runs: dict[str, Run] = {}
    for precision in PRECISIONS:
        runs[f"ours {precision}"] = partial(ours, session, folder, precision)
        best = fastest(engine, pipelines[precision], session.settings.workspace)
        for batch in {best: None} | ({1: None, USUAL: None} if precision == "float32" else {}):
            runs[f"pipeline {precision} {batch}"] = partial(
                theirs, engine, pipelines[precision], session.settings.workspace, batch
            )
        runs[f"best {precision}"] = runs.pop(f"pipeline {precision} {best}")
        print(f"the pipeline's best batch size in {precision}: {best}", flush=True)
        runs[f"bare {precision}"] = bare(folder, session, precision, waveforms)
    (taken,), heard = measure(runs, rounds)
    seconds = {name: statistics.median(found) for name, found in taken.items()}
    taken.setdefault("pipeline float32 1", taken["best float32"])
    seconds.setdefault("pipeline float32 1", seconds["best float32"])
    for name, value in sorted(seconds.items()):
        print(f"{name:<24} {value:8.2f} s  {audio_seconds / value:7.1f} × real time")
    facts = registry.family(checkpoint_files.model_type(folder)).facts(str(folder))
    assert facts is not None, folder
    report(seconds, taken, heard, facts, waveforms)


def compare_types(
    session: Session, url: str, types: Sequence[str], layers: int, waveforms: list[np.ndarray], rounds: int
) -> None:
    import families

    seconds = sum(map(len, waveforms)) / SAMPLING_RATE
    print(
        f"{processor()}; {layers} layers; {len(waveforms)} utterances, {seconds:.0f} s; {torch.get_num_threads()} threads; "
        f"torch {torch.__version__}; medians of {rounds} rounds"
    )
    print("| `model_type` | ours | pipeline | batch | ratio | ratio, processor time | texts that differ |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    for kind in types:
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / kind
            families.make(kind, folder, layers)
            pipeline = make_pipeline(folder, torch.float32)
            batch = fastest(engine, pipeline, session.settings.workspace)
            runs: dict[str, Run] = {
                "ours": partial(ours, session, folder, "float32"),
                "theirs": partial(theirs, engine, pipeline, session.settings.workspace, batch),
            }
            (walls, works), heard = measure(runs, rounds, (time.perf_counter, time.process_time))
        wall, work = (
            statistics.median(their / own for own, their in zip(taken["ours"], taken["theirs"], strict=True))
            for taken in (walls, works)
        )
        differ = sum(own != their for own, their in zip(heard["ours"], heard["theirs"], strict=True))
        mine, theirs_ = (statistics.median(walls[name]) for name in ("ours", "theirs"))
        print(
            f"| `{kind}` | {mine:.2f} s | {theirs_:.2f} s | {batch} | {wall:.2f} | {work:.2f} | {differ} |", flush=True
        )


def ours(session: Session, folder: Path, precision: str) -> list[str]:
    session.execute(
        f"PREDICT USING '{folder}' OPTIONS (table_name='bench_ours', precision='{precision}', device='cpu') "
        "AS SELECT id, audio_path FROM bench_calls",
        fetch=False,
    )
    return list(session.execute("SELECT predict_result FROM bench_ours ORDER BY id").predict_result)


def make_pipeline(folder: Path, dtype: torch.dtype) -> Any:
    from transformers import pipeline
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return pipeline("automatic-speech-recognition", str(folder), dtype=dtype, device="cpu")


def theirs(engine: sqlalchemy.Engine, pipeline: Any, workspace: Path, batch_size: int) -> list[str]:
    rows = pd.read_sql("SELECT id, audio_path FROM bench_calls", engine)

    def waveforms() -> Iterator[np.ndarray]:
        for path in rows.audio_path:
            yield soundfile.read(workspace / path, dtype="float32")[0]

    rows["predict_result"] = [found["text"] for found in pipeline(waveforms(), batch_size=batch_size)]
    rows.to_sql("bench_theirs", engine, if_exists="replace", index=False)
    return list(pd.read_sql("SELECT predict_result FROM bench_theirs ORDER BY id", engine).predict_result)


def fastest(engine: sqlalchemy.Engine, pipeline: Any, workspace: Path) -> int:
    theirs(engine, pipeline, workspace, 1)  # the first run of all makes what later ones find made
    taken = {}
    for batch in BATCHES:
        started = time.perf_counter()
        theirs(engine, pipeline, workspace, batch)
        taken[batch] = time.perf_counter() - started
    return min(taken, key=lambda batch: taken[batch])


def bare(folder: Path, session: Session, precision: str, waveforms: list[np.ndarray]) -> Run:
    options = TranscribeOptions(precision=precision, device="cpu")
    recognizer = registry.family(checkpoint_files.model_type(folder)).load(str(folder), options)
    return lambda: [found.text for found in recognizer.transcribe(waveforms, options)]


def measure(
    runs: dict[str, Run], rounds: int, clocks: Sequence[Callable[[], float]] = (time.perf_counter,)
) -> tuple[list[dict[str, list[float]]], dict[str, list[str]]]:
    """Seconds of each round by each of the clocks, and the last transcripts of each, after one run that is not counted."""
    taken: list[dict[str, list[float]]] = [{name: [] for name in runs} for _ in clocks]
    heard: dict[str, list[str]] = {name: run() for name, run in runs.items()}
    for _ in range(rounds):
        for name, run in runs.items():
            started = [clock() for clock in clocks]
            heard[name] = run()
            for found, clock, start in zip(taken, clocks, started, strict=True):
                found[name].append(clock() - start)
    return taken, heard


def report(
    seconds: dict[str, float],
    taken: dict[str, list[float]],
    heard: dict[str, list[str]],
    facts: Any,
    waveforms: Sequence[np.ndarray],
) -> None:
    audio_seconds = sum(map(len, waveforms)) / SAMPLING_RATE
    for precision, (best, usual, share) in GOALS.items():
        mine = seconds[f"ours {precision}"]
        for name, goal in (
            (f"best {precision}", best),
            (f"pipeline float32 {USUAL}", usual),
            ("pipeline float32 1", 0),
        ):
            said = f" (goal {goal:g})" if goal else ""
            pairs = [other / own for other, own in zip(taken[name], taken[f"ours {precision}"], strict=True)]
            print(f"ours {precision} against {name}: x {statistics.median(pairs):.2f}{said}")
        overhead = mine / seconds[f"bare {precision}"] - 1
        print(f"overhead of the statement in {precision}: {overhead:+.1%} (goal at most {OVERHEAD_GOAL:.0%})")
        if not isinstance(facts, WaveformFacts):
            continue
        limit = limit_seconds(facts, PRECISIONS[precision], waveforms)
        print(
            f"limit of matrix products in {precision}: {audio_seconds / limit:.1f} × real time; "
            f"reached {limit / mine:.0%} (goal {share:.0%})"
        )
    words = sum(len(text.split()) for text in heard["ours float32"])
    print(f"transcripts that differ, ours from the pipeline one by one in float32: {differing_texts(heard)}")
    print(f"words that differ, ours in bfloat16 from float32: {differing_words(heard)} of {words}")


def differing_texts(heard: dict[str, list[str]]) -> int:
    theirs = heard.get("pipeline float32 1", heard["best float32"])
    return sum(mine != their for mine, their in zip(heard["ours float32"], theirs, strict=True))


def differing_words(heard: dict[str, list[str]]) -> int:
    from thanosql.models.metrics import score_each

    return sum(score.errors for score in score_each(heard["ours float32"], heard["ours bfloat16"]))


def limit_seconds(facts: WaveformFacts, dtype: torch.dtype, waveforms: Sequence[np.ndarray]) -> float:
    """Seconds of the model's matrix products alone over all utterances, each at its mean length's own shape."""
    count = len(waveforms)
    samples = round(sum(map(len, waveforms)) / count)
    shapes: list[tuple[int, int, int, int]] = []  # rows, inputs, outputs, times
    length, channels = samples, 1
    for width, kernel, stride in zip(facts.conv_dim, facts.conv_kernel, facts.conv_stride, strict=True):
        length = (length - kernel) // stride + 1
        shapes.append((length, kernel * channels, width, 1))
        channels = width
    hidden, wide = facts.hidden, facts.intermediate
    shapes.append((length, channels, hidden, 1))
    for inputs, outputs, times in ((hidden, hidden, 4), (hidden, wide, 1), (wide, hidden, 1)):
        shapes.append((length, inputs, outputs, times * facts.layers))
    return count * sum(times * product_seconds(rows, inputs, outputs, dtype) for rows, inputs, outputs, times in shapes)


def product_seconds(rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> float:
    x, weight = torch.randn(rows, inputs).to(dtype), torch.randn(outputs, inputs).to(dtype)
    packed = Product(weight, None)
    found = []
    with torch.inference_mode():
        for product in (partial(packed, x), partial(functional.linear, x, weight)):
            product()
            for _ in range(5):
                started = time.perf_counter()
                product()
                found.append(time.perf_counter() - started)
    return min(found)


def processor() -> str:
    """What Linux calls the processor; nothing on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "an unknown processor"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "a processor")


if __name__ == "__main__":
    main()

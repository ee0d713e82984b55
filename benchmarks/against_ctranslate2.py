"""PREDICT against CTranslate2, table to table and the bare recognizers: ratios of processor time and of wall time.

    pip install --target FOLDER --no-deps ctranslate2
    PYTHONPATH=FOLDER python benchmarks/against_ctranslate2.py [--layers 12] [--utterances 6] [--rounds 5] [--threads 1]

CTranslate2 converts Wav2Vec2 where its convolutions have layer norms (`feat_extract_norm='layer'`), as the large models have:
here a random model of the base width. Both hear the same recordings, in turn, in this process and with as many threads,
and the medians are compared; ours in float32 and bfloat16, CTranslate2 in every `compute_type` that it has here. It hears
one utterance after the other: it takes no mask, so what is padded would change its answers. Table to table is a query,
decoding, recognizing and a table; the bare recognizers are given waveforms and give texts. That both compute the same is
checked: the log-probabilities in float32 are at most a thousandth apart, or the benchmark ends with an error.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import sqlalchemy
import torch
from predict import PRECISIONS, TOKENS, fill, make_utterances, ours, processor

import thanosql
from thanosql.engine.postgres import embedded
from thanosql.models import registry
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.datasets import DATASETS
from thanosql.models.options import TranscribeOptions

GOAL = 1.2
TOLERANCE = 1e-3  # of log-probabilities in float32

Run = Callable[[], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--utterances", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--audio", type=Path, default=DATASETS["spoken_numbers"].folder)
    given = parser.parse_args()
    if importlib.util.find_spec("ctranslate2") is None:
        print("CTranslate2 is not installed, so nothing is compared: pip install ctranslate2")
        return
    torch.set_num_threads(given.threads)
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    try:
        url = embedded.start(parent / "postgres")
        with tempfile.TemporaryDirectory() as home, thanosql.connect(url, home=home) as session:
            folder = make_model(Path(home) / "random", given.layers)
            waveforms = make_utterances(given.audio, given.utterances)
            fill(session, waveforms)
            engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
            peers = convert(folder, Path(home) / "converted", given.threads)
            check(folder, peers, waveforms[0])
            tables: dict[str, Run] = {f"ours {kind}": partial(ours, session, folder, kind) for kind in PRECISIONS}
            bare: dict[str, Run] = {f"ours {kind}": recognizer(folder, kind, waveforms) for kind in PRECISIONS}
            for kind, peer in peers.items():
                tables[f"CTranslate2 {kind}"] = partial(their_table, engine, peer, session.settings.workspace)
                bare[f"CTranslate2 {kind}"] = partial(hear, peer, waveforms)
            seconds = sum(map(len, waveforms)) / SAMPLING_RATE
            print(
                f"{processor()}; base width with layer norms, {given.layers} layers; {len(waveforms)} utterances, "
                f"{seconds:.0f} s of audio; {given.threads} threads; torch {torch.__version__}; "
                f"medians of {given.rounds} rounds",
                flush=True,
            )
            for name, runs in (("table to table", tables), ("bare recognizers", bare)):
                report(name, runs, given.rounds)
            session.execute("DROP TABLE IF EXISTS bench_calls, bench_ours, bench_theirs")
    finally:
        embedded.stop(parent / "postgres")


def make_model(folder: Path, layers: int) -> Path:
    """A random model of the base width, its norms where the large models have them."""
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        num_hidden_layers=layers,
        vocab_size=len(TOKENS),
        pad_token_id=0,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        conv_bias=True,
    )
    transformers.Wav2Vec2ForCTC(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    Vocabulary(TOKENS).write(folder)
    return folder


def convert(folder: Path, converted: Path, threads: int) -> dict[str, Any]:
    """CTranslate2's model in each arithmetic that it says it computes in here; what it takes for the same is left out."""
    import ctranslate2

    ctranslate2.converters.TransformersConverter(str(folder)).convert(str(converted))
    found = {}
    for kind in sorted(ctranslate2.get_supported_compute_types("cpu")):
        peer = ctranslate2.models.Wav2Vec2(
            str(converted), device="cpu", compute_type=kind, intra_threads=threads, inter_threads=1
        )
        found[str(peer.compute_type)] = peer
    return found


def check(folder: Path, peers: dict[str, Any], waveform: np.ndarray) -> None:
    """Say how far log-probabilities are from transformers'; an error where CTranslate2's are far in float32."""
    from transformers import Wav2Vec2ForCTC

    with torch.inference_mode():
        expected = Wav2Vec2ForCTC.from_pretrained(folder).eval()(torch.from_numpy(normalized(waveform))[None]).logits[0]
    found = {
        f"CTranslate2 {kind}": torch.from_numpy(logits(peer, waveform)).log_softmax(-1) for kind, peer in peers.items()
    }
    for kind in PRECISIONS:
        options = TranscribeOptions(precision=kind, device="cpu")
        (ours,) = registry.family("wav2vec2").load(str(folder), options).log_probabilities([waveform])
        found[f"ours {kind}"] = ours
    apart = {name: float((expected.log_softmax(-1) - one).abs().max()) for name, one in found.items()}
    for name, largest in apart.items():
        print(f"log-probabilities of {name}: at most {largest:.1e} from transformers' in float32")
    if not apart["CTranslate2 float32"] <= TOLERANCE:
        raise SystemExit("The models differ, and no ratio counts.")


def normalized(waveform: np.ndarray) -> np.ndarray:
    return np.asarray((waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7), dtype=np.float32)


def logits(peer: Any, waveform: np.ndarray) -> np.ndarray:
    """`(frames, vocab)`."""
    import ctranslate2

    features = ctranslate2.StorageView.from_array(normalized(waveform)[None, None])
    return np.array(peer.encode(features))[0]


def hear(peer: Any, waveforms: Sequence[np.ndarray]) -> list[str]:
    """Greedy transcripts."""
    best = (logits(peer, waveform).argmax(-1) for waveform in waveforms)
    kept = ((token for token, _ in groupby(tokens) if token) for tokens in best)  # 0 is the blank
    return [" ".join("".join(TOKENS[token] for token in tokens).replace("|", " ").split()) for tokens in kept]


def their_table(engine: sqlalchemy.Engine, peer: Any, workspace: Path) -> list[str]:
    rows = pd.read_sql("SELECT id, audio_path FROM bench_calls", engine)
    rows["predict_result"] = hear(
        peer, [soundfile.read(workspace / path, dtype="float32")[0] for path in rows.audio_path]
    )
    rows.to_sql("bench_theirs", engine, if_exists="replace", index=False)
    return list(pd.read_sql("SELECT predict_result FROM bench_theirs ORDER BY id", engine).predict_result)


def recognizer(folder: Path, precision: str, waveforms: list[np.ndarray]) -> Run:
    options = TranscribeOptions(precision=precision, device="cpu")
    found = registry.family("wav2vec2").load(str(folder), options)
    return lambda: [one.text for one in found.transcribe(waveforms, options)]


def report(name: str, runs: dict[str, Run], rounds: int) -> None:
    wall: dict[str, list[float]] = {one: [] for one in runs}
    worked: dict[str, list[float]] = {one: [] for one in runs}
    heard = {one: run() for one, run in runs.items()}  # the first makes what the others find made
    for _ in range(rounds):
        for one, run in runs.items():
            started = time.perf_counter(), time.process_time()
            run()
            wall[one].append(time.perf_counter() - started[0])
            worked[one].append(time.process_time() - started[1])
    print(f"\n{name}\n| | processor time | wall time |\n| --- | ---: | ---: |")
    for one in runs:
        print(f"| {one} | {statistics.median(worked[one]):.2f} s | {statistics.median(wall[one]):.2f} s |")
    for mine in (one for one in runs if one.startswith("ours")):
        for peer in (one for one in runs if not one.startswith("ours")):
            processor_time, clock = (
                statistics.median(their / own for their, own in zip(taken[peer], taken[mine], strict=True))
                for taken in (worked, wall)
            )
            goal = f" (goal {GOAL})" if mine.split()[1] == peer.split()[1] else ""
            print(f"{mine} against {peer}: × {processor_time:.2f} in processor time, × {clock:.2f} on the clock{goal}")
    differing = sum(a != b for a, b in zip(heard["ours float32"], heard["CTranslate2 float32"], strict=True))
    print(f"transcripts that differ, both in float32: {differing} of {len(heard['ours float32'])}", flush=True)


if __name__ == "__main__":
    main()

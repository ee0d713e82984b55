"""PREDICT's recognizers on a GPU against transformers' pipeline there: a table of ratios, the models random.

    python benchmarks/gpu.py [--types wav2vec2 parakeet_ctc …] [--utterances 200] [--rounds 3]

A type's model has its published base's shape (families.py makes it). Utterances of 1 to 20 s, log-normal around 6 s,
loaded and in this process. Both sides hear them in turn, ours as PREDICT calls it, the pipeline at each of its batch
sizes, of which the fastest counts; the ratio is the median over the rounds. It also prints how far float32 on the GPU is
from float32 on the CPU, and whether transcripts change with the batch size.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from families import make, processor

from thanosql.models import registry
from thanosql.models.options import TranscribeOptions

SHAPES = {"wav2vec2": 12, "hubert": 12, "parakeet_ctc": 24, "wav2vec2-bert": 24}  # layers
BATCHES = (1, 8, 32, 128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--utterances", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("There is no GPU that torch can use.")
    draw = np.random.default_rng(0)
    seconds = np.clip(np.exp(draw.normal(np.log(6), 0.5, given.utterances)), 1, 20)
    waveforms = [(draw.normal(size=int(16_000 * each)) * 0.1).astype(np.float32) for each in seconds]
    print(
        f"{torch.cuda.get_device_name()}, {processor()}; torch {torch.__version__}; {given.utterances} utterances, "
        f"{seconds.sum() / 60:.1f} minutes; {given.rounds} rounds"
    )
    for kind in given.types:
        with tempfile.TemporaryDirectory() as folder:
            make(kind, Path(folder), SHAPES[kind])
            print(exactness(kind, folder, waveforms[:8]), flush=True)
            for precision in given.precisions:
                print(row(kind, folder, precision, waveforms, given.rounds), flush=True)
            torch.cuda.empty_cache()


def exactness(kind: str, folder: str, waveforms: list[np.ndarray]) -> str:
    """How far the GPU's log-probabilities are from the CPU's, and whether a batch changes them."""
    there = registry.family(kind).load(folder, TranscribeOptions(device="cuda", precision="float32"))
    here = registry.family(kind).load(folder, TranscribeOptions(device="cpu", precision="float32"))
    ours = there.log_probabilities(waveforms, batch_size=len(waveforms))
    alone = [there.log_probabilities([one])[0] for one in waveforms]
    exact = here.log_probabilities(waveforms)
    apart = max(float((a - b).abs().max()) for a, b in zip(ours, exact, strict=True))
    neighbours = max(float((a - b).abs().max()) for a, b in zip(ours, alone, strict=True))
    same = all(bool((a.argmax(-1) == b.argmax(-1)).all()) for a, b in zip(ours, alone, strict=True))
    return f"{kind}: float32 against the CPU {apart:.1e}; with neighbours against alone {neighbours:.1e}, same tokens: {same}"


def row(kind: str, folder: str, precision: str, waveforms: list[np.ndarray], rounds: int) -> str:
    options = TranscribeOptions(device="cuda", precision=precision)
    recognizer = registry.family(kind).load(folder, options)
    pipe = pipeline(folder, precision)

    def theirs(batch: int) -> None:
        rows = ({"raw": waveform, "sampling_rate": 16_000} for waveform in waveforms)
        for _ in pipe(rows, batch_size=batch):
            pass

    runs: dict[str, Callable[[], object]] = {"ours": lambda: recognizer.transcribe(waveforms, options)}
    runs |= {f"{batch}": lambda batch=batch: theirs(batch) for batch in BATCHES}
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            torch.cuda.synchronize()
            started = time.perf_counter()
            run()
            torch.cuda.synchronize()
            if number:  # the first makes what the others find made
                taken[name].append(time.perf_counter() - started)
    middle = {name: statistics.median(found) for name, found in taken.items()}
    best = min((name for name in runs if name != "ours"), key=middle.__getitem__)
    ratio = statistics.median(theirs / ours for theirs, ours in zip(taken[best], taken["ours"], strict=True))
    others = ", ".join(f"at {batch} {middle[str(batch)]:.2f} s" for batch in BATCHES)
    return f"{kind} {precision}: ours {middle['ours']:.2f} s; pipeline {others}; ratio {ratio:.2f} against {best}"


def pipeline(folder: str, precision: str) -> Any:
    import transformers

    transformers.logging.set_verbosity_error()
    return transformers.pipeline(
        "automatic-speech-recognition",
        model=transformers.AutoModelForCTC.from_pretrained(folder, dtype=getattr(torch, precision)),
        feature_extractor=transformers.AutoFeatureExtractor.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        device=0,
    )


if __name__ == "__main__":
    main()

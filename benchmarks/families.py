"""Each type of model against plain transformers on the same waveforms: a table of ratios, the models random.

    python benchmarks/families.py [--types wav2vec2 hubert …] [--rounds 5] [--threads 1] [--layers 4]

A type's model has the width of its published base and a few layers. Both sides hear four utterances of 5 s, loaded and in this
process, in turn: ours as PREDICT calls it, transformers' one by one and all four in one batch, of which the faster counts.
The ratio is the median over the rounds of theirs by ours, in seconds of processor time, so that a machine that others
use as well measures the same; with one thread these are the seconds of the wall on an idle machine.
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

from thanosql.models import registry
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.families.log_mel_ctc import granite_features
from thanosql.models.options import TranscribeOptions

TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")
SECONDS, UTTERANCES = 5, 4
LONG = [64, *[128] * 4, *[256] * 4, *[512] * 4]
SQUEEZED = {
    "squeeze_factor": 2,
    "conv_dim": LONG,
    "conv_kernel": [10, 3, 1, 3, 1, 3, 1, 3, 1, 2, 1, 2, 1],
    "conv_stride": [5, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1],
    "hidden_size": 512,
    "num_attention_heads": 8,
    "intermediate_size": 2048,
}
CHANGES: dict[str, dict[str, Any]] = {
    "sew": SQUEEZED,
    "sew-d": SQUEEZED,
    "data2vec-audio": {"num_conv_pos_embeddings": 5, "conv_pos_kernel_size": 19},
}
# Types whose encoder has a configuration of its own, and what hears for them.
IN_TWO_PARTS: dict[str, Callable[[Any], Any]] = {
    "parakeet_ctc": lambda transformers: transformers.ParakeetFeatureExtractor(),
    "lasr_ctc": lambda transformers: transformers.LasrFeatureExtractor(),
    "granite_speech5_ctc": lambda _: granite_features.GraniteFeatures({}, Path()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="+", default=list(registry.FAMILIES), choices=list(registry.FAMILIES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layers", type=int, default=4)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(
        f"{processor()}, {given.threads} threads; torch {torch.__version__}; {given.layers} layers; {given.rounds} rounds"
    )
    print("| `model_type` | ours | one by one | in one batch | ratio |\n| --- | --- | --- | --- | --- |", flush=True)
    for kind in given.types:
        with tempfile.TemporaryDirectory() as folder:
            print(row(kind, Path(folder), given.layers, given.rounds), flush=True)


def row(kind: str, folder: Path, layers: int, rounds: int) -> str:
    model = make(kind, folder, layers)
    extract = extractor(folder)
    recognizer = registry.family(kind).load(str(folder), TranscribeOptions(device="cpu"))
    draw = np.random.default_rng(0)
    waveforms = [(draw.normal(size=SECONDS * 16_000) * 0.1).astype(np.float32) for _ in range(UTTERANCES)]

    def theirs(batch: int) -> None:
        with torch.inference_mode():
            for first in range(0, UTTERANCES, batch):
                model(**extract(waveforms[first : first + batch]))

    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: recognizer.transcribe(waveforms, TranscribeOptions(device="cpu")),
        "alone": lambda: theirs(1),
        "batch": lambda: theirs(UTTERANCES),
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            started = time.process_time()
            run()
            if number:  # the first makes what the others find made
                taken[name].append(time.process_time() - started)
    ratio = statistics.median(
        min(alone, batch) / ours
        for ours, alone, batch in zip(taken["ours"], taken["alone"], taken["batch"], strict=True)
    )
    middle = {name: statistics.median(found) for name, found in taken.items()}
    return f"| `{kind}` | {middle['ours']:.2f} s | {middle['alone']:.2f} s | {middle['batch']:.2f} s | {ratio:.2f} |"


def extractor(folder: Path) -> Callable[[list[np.ndarray]], Any]:
    """What makes features of waveforms of one length: transformers', but for Granite's, which needs torchaudio there."""
    from transformers import AutoFeatureExtractor

    if (own := granite_features.read(folder)) is not None:
        return lambda waves: {name: torch.cat([own(wave)[name] for wave in waves]) for name in own(waves[0])}
    theirs = AutoFeatureExtractor.from_pretrained(folder)
    return lambda waves: theirs(waves, sampling_rate=16_000, return_tensors="pt", padding=True)


def make(kind: str, folder: Path, layers: int) -> Any:
    """A random model of a type, saved with what it needs."""
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    if kind in IN_TWO_PARTS:
        encoder: dict[str, Any] = {"num_hidden_layers": layers}
        if kind == "granite_speech5_ctc":
            encoder["vocab_size"] = len(TOKENS)
        config = transformers.AutoConfig.for_model(kind, encoder_config=encoder, vocab_size=len(TOKENS), pad_token_id=0)
        extractor: Any = IN_TWO_PARTS[kind](transformers)
    else:
        config = transformers.AutoConfig.for_model(
            kind, num_hidden_layers=layers, vocab_size=len(TOKENS), pad_token_id=0, **CHANGES.get(kind, {})
        )
        bert = kind == "wav2vec2-bert"
        extractor = transformers.SeamlessM4TFeatureExtractor() if bert else transformers.Wav2Vec2FeatureExtractor()
    model = transformers.AutoModelForCTC.from_config(config).eval()
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    Vocabulary(TOKENS).write(folder)
    return model


def processor() -> str:
    """What Linux calls the processor; nothing on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "an unknown processor"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "a processor")


if __name__ == "__main__":
    main()

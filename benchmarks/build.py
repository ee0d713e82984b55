"""BUILD's training against transformers' Trainer: the same rows, steps and objective, start-up left out on both sides.

    python benchmarks/build.py [--model base|small] [--utterances 12] [--epochs 4]   # how fast, about 8 minutes
    python benchmarks/build.py --wer [--seeds 3] [--epochs 4] [--utterances 360]     # how good in the end, about as long
    python benchmarks/build.py --real --model small [--utterances 48] [--epochs 3]   # utterances as long as people's
    python benchmarks/build.py --real --wer                                          # the WER on such utterances
    python benchmarks/build.py --profile [--precision bfloat16]                      # what an epoch of ours is spent on

The Trainer needs accelerate: pip install "thanosql-speech[bench]". What both are told, and so what is equal, is in
two_trainers.py.
How fast: a random Wav2Vec2ForCTC of the facebook/wav2vec2-base architecture (`small` has fewer layers), its feature encoder
frozen, no augmentation and no dropout. The four utterances of a step are of one length, so that none is padded: padding is
part of what the Trainer's group norm sees, and not of ours, which makes another objective of it; and so few rows hold more
of it than a real set in batches of like length. That the steps are the same is checked: the losses of the first epoch differ
by less than a thousandth in float32, or the benchmark ends with an error. Four runs, the Trainer's and ours in float32 and
in bfloat16, take turns epoch by epoch, so that what else the machine does falls on all alike; each has the processor to
itself in its turn. Ratios are of the first epoch, and of the medians of the later ones, in wall time and in processor time.
How good: Wav2Vec2Tiny on spoken_numbers with both, WER on its test rows, whose voices are in neither's training. Its encoder
has layer norms, which padding does not reach: the losses are checked in the same way.
On real lengths: real_lengths.py. With `--wer` the recordings are put end to end to such lengths, and losses are checked.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import real_lengths
import torch
from predict import processor
from taking_turns import in_turns
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC
from two_trainers import Measured, Rows, run_ours, run_trainer, told

from thanosql.models import audio, metrics
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.bases import ASSETS, BASES
from thanosql.models.ctc.vocabulary import Vocabulary, read_vocabulary
from thanosql.models.families import waveform_ctc
from thanosql.models.families.waveform_ctc import checkpoint
from thanosql.models.options import TrainOptions, TranscribeOptions
from thanosql.models.text import Normalizer

BATCH = 4  # utterances in a step where speed is measured
POOL = 200  # utterances that our batches sort by length together: of more than these, not all steps would be unpadded
TOLERANCE = 1e-3  # of a step's loss in float32, relative
TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'")
SIZES: dict[str, dict[str, Any]] = {
    "small": {"hidden_size": 384, "num_hidden_layers": 4, "num_attention_heads": 6, "intermediate_size": 1536},
    "base": {},
}
RUNS: dict[str, Callable[..., None]] = {"Trainer": run_trainer, "ours": run_ours}
DROPOUTS = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout")
QUIET = dict.fromkeys((*DROPOUTS, "layerdrop", "mask_time_prob", "mask_feature_prob"), 0.0)
GOALS = (  # ours, the Trainer's, first epoch, later epochs
    ("float32", "float32", 1.3, 1.6),
    ("bfloat16", "bfloat16", 1.3, 1.6),
    ("bfloat16", "float32", 1.8, 2.5),
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", choices=SIZES, default="base")
    arguments.add_argument("--utterances", type=int, help="12, with --wer all")
    arguments.add_argument("--epochs", type=int, default=4)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    arguments.add_argument("--wer", action="store_true")
    arguments.add_argument("--real", action="store_true")
    arguments.add_argument("--profile", action="store_true")
    options = arguments.parse_args()
    if importlib.util.find_spec("accelerate") is None and not options.profile:
        raise SystemExit('The Trainer needs accelerate: pip install "thanosql-speech[bench]"')
    with tempfile.TemporaryDirectory() as folder:
        if options.wer:
            compare_errors(Path(folder), options.utterances, options.epochs, options.seeds, real=options.real)
            return
        if options.real:
            base = make_base(Path(folder) / "base", SIZES[options.model])
            count = options.utterances or 48
            if count % real_lengths.STEP or not 0 < count <= real_lengths.STEP * real_lengths.STEPS_SORTED:
                arguments.error(f"whole steps of {real_lengths.STEP} utterances, at most {real_lengths.STEPS_SORTED}")
            rows = real_lengths.make_rows(count)
            title = f"{processor()}; {torch.get_num_threads()} threads; model {options.model}"
            if options.profile:
                show_profile(base, rows, options.precision)
            else:
                real_lengths.compare_speed(base, rows, options.epochs, options.precision, title)
            return
        count = options.utterances or 12
        if count % BATCH or count > POOL or options.epochs < 2:
            arguments.error(f"at least 2 epochs, of at most {POOL} utterances, {BATCH} to a step")
        base = make_base(Path(folder) / "base", SIZES[options.model])
        if options.profile:
            show_profile(base, make_rows(count), options.precision)
        else:
            compare_speed(base, make_rows(count), options.epochs, options.model)


def compare_speed(base: Path, rows: Rows, epochs: int, model: str) -> None:
    seconds = sum(len(waveform) for waveform, _ in rows) / SAMPLING_RATE
    print(f"{len(rows)} utterances, {seconds:.0f} s of audio, {epochs} epochs, model {model}", flush=True)
    sides = [(side, precision) for precision in ("float32", "bfloat16") for side in ("Trainer", "ours")]
    trainings = [partial(RUNS[side], base, rows, at_speed(precision, epochs)) for side, precision in sides]
    found = dict(zip(sides, in_turns(trainings, epochs), strict=True))
    for side, measured in found.items():
        speeds = ", ".join(f"{seconds / wall:.1f}" for wall in measured.wall)
        losses = ", ".join(f"{loss:.3f}" for loss in measured.by_epoch().mean(1))
        print(f"{', '.join(side):18} audio seconds a second by epoch: {speeds}; losses {losses}")
    for ours, theirs, *goals in GOALS:
        mine, peer = found["ours", ours], found["Trainer", theirs]
        ratios = [
            (peer.wall[0] / mine.wall[0], peer.processor[0] / mine.processor[0]),
            (later(peer.wall) / later(mine.wall), later(peer.processor) / later(mine.processor)),
        ]
        said = ", ".join(
            f"{name} × {wall:.2f} (processor time × {processor:.2f}; goal {goal})"
            for name, (wall, processor), goal in zip(("first epoch", "later"), ratios, goals)
        )
        print(f"ours in {ours} against the Trainer in {theirs}: {said}")
    for precision in ("float32", "bfloat16"):
        mine, peer = found["ours", precision], found["Trainer", precision]
        apart = difference(mine.by_epoch()[0], peer.by_epoch()[0])
        print(f"losses of the first epoch's steps in {precision}: {apart:.1e} apart at most, relatively")
        if precision == "float32":
            must_agree(apart)


def difference(mine: np.ndarray, theirs: np.ndarray) -> float:
    """The largest relative one."""
    return float(np.max(np.abs(mine - theirs) / np.abs(theirs)))


def must_agree(apart: float) -> None:
    if not apart <= TOLERANCE:
        raise SystemExit(
            f"The losses are {apart:.1e} apart, over {TOLERANCE:g}: the steps differ, and no ratio counts."
        )


def at_speed(precision: str, epochs: int) -> TrainOptions:
    return told(epochs, batch_size=BATCH, learning_rate=1e-4, precision=precision)


def later(seconds: Sequence[float]) -> float:
    return statistics.median(seconds[1:])


def make_rows(count: int) -> list[tuple[np.ndarray, str]]:
    """Utterances of 1.5 to 20 s, those of one step equally long, with about 14 letters a second."""
    draw = np.random.default_rng(0)
    rows = []
    for seconds in np.repeat(np.clip(draw.gamma(2.6, 3.0, count // BATCH), 1.5, 20.0), BATCH):
        letters = "".join(draw.choice(list("ETAOIN SHRDLU "), max(2, int(14 * seconds))))
        waveform = draw.standard_normal(int(seconds * SAMPLING_RATE), dtype=np.float32) / 10
        rows.append((waveform, " ".join(letters.split())))
    return rows


def make_base(folder: Path, size: dict[str, Any]) -> Path:
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=len(TOKENS), pad_token_id=0, ctc_loss_reduction="mean", ctc_zero_infinity=True, **QUIET, **size
    )
    vocabulary = Vocabulary(TOKENS)
    normalizer = Normalizer.for_vocabulary(vocabulary)
    checkpoint.save(folder, Wav2Vec2ForCTC(config), vocabulary, normalizer, checkpoint.Features())
    return folder


def compare_errors(folder: Path, utterances: int | None, epochs: int, seeds: int, *, real: bool = False) -> None:
    """The WER of Wav2Vec2Tiny after as many epochs of each, in float32; without masks, which the Trainer cannot fit."""
    tiny = BASES["Wav2Vec2Tiny"]
    base = folder / "base"
    shutil.copytree(tiny.checkpoint, base)
    config = json.loads((base / "config.json").read_text()) | QUIET
    (base / "config.json").write_text(json.dumps(config))
    learned, asked = spoken_numbers("train")[:utterances], spoken_numbers("test")
    if real:
        draw = np.random.default_rng(0)
        learned, asked = real_lengths.joined(learned, draw), real_lengths.joined(asked, draw)
    print(
        f"{len(learned)} utterances to learn, {len(asked)} to hear, {epochs} epochs, seeds 0 to {seeds - 1}", flush=True
    )
    errors: dict[str, list[float]] = {"Trainer": [], "ours": []}
    for seed in range(seeds):
        losses = []
        for name, run in RUNS.items():
            measured = Measured(epochs)
            options = told(epochs, seed=seed, **tiny.train_defaults | {"base_share": 0.0})  # the Trainer keeps none
            run(base, learned, options, measured, folder / f"{name}-{seed}")
            losses.append(measured.by_epoch())
            errors[name].append(wer(folder / f"{name}-{seed}", asked))
            took = ", ".join(f"{work:.1f}" for work in measured.processor)
            print(
                f"seed {seed}, {name}: WER {errors[name][-1]:.2%}, last loss {measured.losses[-1]:.3f}; "
                f"processor seconds by epoch {took}",
                flush=True,
            )
        theirs, mine = losses
        apart = difference(mine[0], theirs[0])
        print(
            f"losses of the first step {difference(mine[0, :1], theirs[0, :1]):.1e} apart, of the first epoch {apart:.1e}"
        )
        must_agree(apart)
    for name, found in errors.items():
        print(f"{name}: WER {statistics.mean(found):.2%} on average, {min(found):.2%} to {max(found):.2%}")
    apart = [mine - theirs for mine, theirs in zip(errors["ours"], errors["Trainer"])]
    print(f"ours less the Trainer's, seed by seed: {', '.join(f'{one:+.2%}' for one in apart)}")


def spoken_numbers(part: str) -> list[tuple[np.ndarray, str]]:
    folder = ASSETS / "spoken_numbers"
    normalizer = Normalizer.for_vocabulary(read_vocabulary(Path(BASES["Wav2Vec2Tiny"].checkpoint)))
    with open(folder / f"spoken_numbers_{part}.csv", encoding="utf-8") as file:
        return [
            (audio.read(str(folder / part / Path(row["audio_path"]).name)), normalizer.normalize(row["text"]))
            for row in csv.DictReader(file)
        ]


def wer(folder: Path, rows: Rows) -> float:
    heard = waveform_ctc.load(str(folder), TranscribeOptions()).transcribe(
        [waveform for waveform, _ in rows], TranscribeOptions()
    )
    return float(metrics.score([text for _, text in rows], [one.text for one in heard]).wer)


def show_profile(base: Path, rows: Rows, precision: str) -> None:
    """Where the processor's time of two epochs of ours goes, the first of which computes the frames that are kept."""
    measured = Measured(2)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        run_ours(base, rows, at_speed(precision, 2), measured)
    print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=20, max_name_column_width=60))
    print(f"processor seconds of the two epochs: {measured.processor[0]:.1f}, {measured.processor[1]:.1f}")


if __name__ == "__main__":
    main()

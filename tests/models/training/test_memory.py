from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.models import checkpoints, log_mel
from thanosql.errors import ThanoSQLResourceError
from thanosql.models.families.log_mel_ctc import model_facts as log_mel_facts
from thanosql.models.families.waveform_ctc import model_facts as waveform_facts
from thanosql.models.free_memory import free_memory
from thanosql.models.options import TrainOptions
from thanosql.models.training import memory
from thanosql.models.training.memory import PASS_BYTES, TrainingSizes, process_bytes

# Two steps, so that AdamW's moments stand beside the second one's gradients; the seconds of the rows and the options as JSON.
TRAINING = """
import importlib, json, sys
from pathlib import Path
import numpy as np
from tests.models.in_memory import task
from thanosql.models import registry
from thanosql.models.cancellation import Cancellation
from thanosql.models.options import TrainOptions
from thanosql.models.results import TrainingUtterance

folder, out, lengths, options = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]), json.loads(sys.argv[4])
rows = [TrainingUtterance(row, str(seconds), sys.argv[5], seconds) for row, seconds in enumerate(lengths)]
make = lambda audio: np.random.default_rng(0).standard_normal(int(float(audio) * 16_000)).astype(np.float32)
family = registry.FAMILIES[json.loads((folder / "config.json").read_text())["model_type"]]
said = task(folder, rows, TrainOptions(max_epochs=1, augment=False, **options), out, make)
report = importlib.import_module(family).train(said, lambda step: None, Cancellation())
assert report.steps >= 2
# Not getrusage: what it says of a process that was forked begins with its parent's.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""
# Narrow, so that much is held for little work.
NARROW: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 256,
    "conv_dim": [32] * 7,
    "num_conv_pos_embeddings": 16,
}
LOG_MEL = {
    "parakeet_ctc": log_mel.parakeet,
    "lasr_ctc": log_mel.lasr,
    "granite_speech5_ctc": log_mel.granite,
    "wav2vec2-bert": log_mel.bert,
}
MANY_HEADS = {"num_attention_heads": 8}
CONFORMER = {**MANY_HEADS, "position_embeddings_type": "relative"}
DATA2VEC = {"num_hidden_layers": 8, "num_conv_pos_embeddings": 5}  # so many convolutions in a row
MEL = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 8}
SEW = {"squeeze_factor": 2, "conv_dim": [32] * 7, "hidden_size": 128, "intermediate_size": 512}
SEW_D = {**SEW, **MANY_HEADS, "max_position_embeddings": 512, "position_buckets": 256}
# Kind of model, its changes, the rows' seconds in two steps or more, options.
CASES: dict[str, tuple[str, dict[str, Any], list[float], dict[str, Any]]] = {
    "wav2vec2": ("wav2vec2", {}, [120.0] * 4, {"batch_size": 2, "max_seconds": 400}),
    "short rows": ("wav2vec2", {}, [12.0] * 60, {"batch_size": 30, "max_seconds": 400}),
    "layer norm": ("wav2vec2", checkpoints.LARGE, [40.0, 30.0] * 10, {"batch_size": 10, "max_seconds": 400}),
    "encoder trained": ("wav2vec2", {}, [30.0] * 16, {"batch_size": 8, "freeze_feature_encoder": False}),
    # Each length has primitives of its own at oneDNN, which keeps them.
    "many lengths": (
        "wav2vec2",
        {"feat_extract_norm": "layer", "conv_bias": True},
        [1 + 0.07 * number for number in range(160)],
        {"batch_size": 8, "freeze_feature_encoder": False},
    ),
    "wavlm": ("wavlm", MANY_HEADS, [22.0] * 2, {"batch_size": 1}),
    "data2vec-audio": ("data2vec-audio", DATA2VEC, [30.0] * 12, {"batch_size": 6, "max_seconds": 400}),
    "sew": ("sew", SEW, [30.0] * 20, {"batch_size": 10, "max_seconds": 400}),
    "sew-d": ("sew-d", SEW_D, [44.0] * 2, {"batch_size": 1}),
    "parakeet": ("parakeet_ctc", MEL, [55.0] * 2, {"batch_size": 1}),
    "lasr": ("lasr_ctc", MEL, [55.0] * 2, {"batch_size": 1}),
    "granite": (
        "granite_speech5_ctc",
        {**MEL, "context_size": 128, "max_position_embeddings": 128},
        [115.0] * 2,
        {"batch_size": 1},
    ),
    "bert": ("wav2vec2-bert", MEL, [14.0] * 2, {"batch_size": 1}),
    "conformer": ("wav2vec2-conformer", CONFORMER, [22.0] * 2, {"batch_size": 1}),
}


def sizes(**changes: Any) -> TrainingSizes:
    """wav2vec2-base's."""
    base = TrainingSizes(
        parameters=94_000_000,
        trained=90_000_000,
        layers=12,
        heads=12,
        hidden=768,
        intermediate=3072,
        tokens=32,
        frame_samples=320,
        encoder_numbers=3.3e6,
        encoder_trained=False,
    )
    return replace(base, **changes)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is Linux's, in kilobytes")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_training_s_peak_is_what_is_reckoned_within_a_quarter(
    tmp_path: Path, case: tuple[str, dict[str, Any], list[float], dict[str, Any]]
) -> None:
    kind, changes, lengths, options = case
    if kind in LOG_MEL:
        folder = LOG_MEL[kind](tmp_path / "base", **changes)
        known = log_mel_facts.facts(folder).training_sizes(TrainOptions(**options))
    else:
        folder = checkpoints.make(tmp_path / "base", model_type=kind, **{**NARROW, **changes})
        known = waveform_facts.facts(folder).training_sizes(TrainOptions(**options))
    arguments = [
        str(folder),
        str(tmp_path / "out"),
        json.dumps(lengths),
        json.dumps(options),
        "one" if kind.endswith("_ctc") else "TEN",
    ]
    # One thread: on a busy machine two would wait for each other.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout.split()[-1])
    largest = known.largest_pass(lengths, options.get("max_seconds", 120.0), options["batch_size"])
    assert largest > 0.2e9, "the case is too small to tell anything"
    software = process_bytes() + known.kernel_bytes(lengths)
    reckoned = software + known.state_bytes + largest + 64_000 * sum(lengths)
    assert reckoned == pytest.approx(peak, rel=0.25)


def test_a_step_is_split_so_that_no_pass_holds_too_much_but_of_one_row() -> None:
    base = sizes()
    assert base.fits([15.0] * 4)
    assert not base.fits([15.0] * 8)
    assert base.fits([3_000.0])
    assert base.largest_pass([15.0] * 16, 1_000.0, 16) <= PASS_BYTES
    assert base.largest_pass([15.0] * 16, 1_000.0, 16) > base.pass_bytes([15.0], recomputed=False)


def test_a_row_too_long_for_a_pass_has_its_layers_computed_anew_and_takes_less() -> None:
    wavlm = sizes(attention_copies=3.0)
    assert not wavlm.recomputes([10.0])
    assert wavlm.recomputes([60.0])
    assert wavlm.pass_bytes([60.0], recomputed=True) < 0.4 * wavlm.pass_bytes([60.0], recomputed=False)
    assert wavlm.largest_pass([60.0], 120.0, 16) == wavlm.pass_bytes([60.0], recomputed=True)


def test_what_passes_the_free_memory_is_refused_with_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    base = sizes(encoder_trained=True)
    monkeypatch.setattr(memory, "free_memory", lambda: 4_000_000_000)
    memory.check(base, [10.0, 2.0], 120.0, 16)
    with pytest.raises(ThanoSQLResourceError, match=r"takes about .* GB, and 4\.0 GB are free") as caught:
        memory.check(base, [10.0, 100.0, 2.0], 120.0, 16)
    assert "max_seconds=10" in str(caught.value)
    assert "freeze_feature_encoder=True" in str(caught.value)
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000_000_000)
    with pytest.raises(ThanoSQLResourceError, match="smaller base"):
        memory.check(base, [1.0], 120.0, 16)
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    memory.check(base, [10_000.0], 1e6, 16)


def test_the_free_memory_is_the_least_of_the_machine_s_and_the_container_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thanosql.models import free_memory as module

    monkeypatch.setattr(module, "PROC", tmp_path)
    monkeypatch.setattr(module, "GROUPS", tmp_path)
    assert free_memory() is None
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    8000 kB\n")
    assert free_memory() == 8_000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("3000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 500000\n")
    assert free_memory() == 8_000 * 1024
    (tmp_path / "memory.max").write_text("5000000\n")
    assert free_memory() == 2_500_000

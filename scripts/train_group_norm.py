"""Train the small model of tests/fixtures/group_norm: nothing goes in but a seed, a Hugging Face folder comes out.

    python scripts/train_group_norm.py [--out tests/fixtures/group_norm] [--steps 400] [--seed 0]

It is of the facebook/wav2vec2-base-960h architecture (a group norm over time in its first layer, no stable layer norm)
and hears digits, each a token of its own; it is there for tests of equality, which random weights make too easy. It
learns synthesized voices (eSpeak NG) put end to end, frame by frame, since it is known where each digit stands: that
needs a tenth of the steps that the CTC loss would. A minute on 2 cores.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from languages import ENGLISH
from synthesize import random_voice, trimmed
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC
from voices import speak

TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"0123456789")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CONFIG = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 192,
    "conv_dim": (32, 32, 32, 48, 48, 64, 64),
    "feat_extract_norm": "group",
    "conv_bias": False,
    "do_stable_layer_norm": False,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 8,
    "layerdrop": 0.0,
    "hidden_dropout": 0.0,
    "activation_dropout": 0.0,
    "attention_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "final_dropout": 0.0,
    "apply_spec_augment": False,
}
RECORDINGS = 40  # of each digit
BATCH, RATE, LONGEST = 12, 2e-3, 3
FRAME = 320  # samples


def synthesized(rng: np.random.Generator) -> list[list[np.ndarray]]:
    """Recordings of each digit, float32 at 16 kHz, each in a voice of its own."""
    return [
        [
            trimmed(speak(word, random_voice("espeak", ENGLISH, rng), int(rng.integers(1, 2**31))))
            for _ in range(RECORDINGS)
        ]
        for word in DIGITS
    ]


def batch(said: list[list[np.ndarray]], rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Waveforms, shape = (BATCH, n_samples), of one to three digits each; the token of each frame, shape = (BATCH, n).

    A digit's token stands in the middle half of it, the blank everywhere else.
    """
    waveforms, spans = [], []
    for _ in range(BATCH):
        parts: list[np.ndarray] = []
        spans.append([])
        for _ in range(int(rng.integers(1, LONGEST + 1))):
            digit, begin = int(rng.integers(10)), sum(map(len, parts))
            spoken = said[digit][rng.integers(RECORDINGS)]
            spans[-1].append((digit, begin + len(spoken) // 4, begin + 3 * len(spoken) // 4))
            parts += [spoken, np.zeros(int(rng.integers(800, 3200)), np.float32)]
        waveform = np.concatenate(parts)
        waveform = waveform + rng.normal(0, 10 ** rng.uniform(-4, -2), len(waveform))
        waveforms.append((waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7))
    longest = max(map(len, waveforms))
    tokens = torch.zeros(BATCH, longest // FRAME, dtype=torch.long)
    for row, found in enumerate(spans):
        for digit, begin, end in found:
            tokens[row, begin // FRAME : end // FRAME] = TOKENS.index(str(digit))
    return torch.tensor(np.stack([np.pad(one, (0, longest - len(one))) for one in waveforms])).float(), tokens


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "tests" / "fixtures" / "group_norm")
    arguments.add_argument("--steps", type=int, default=400)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    said = synthesized(rng)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**CONFIG, vocab_size=len(TOKENS), pad_token_id=0)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=options.steps, pct_start=0.1)
    losses = []
    for step in range(options.steps):
        waveforms, tokens = batch(said, rng)
        logits = model(waveforms).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, : logits.shape[1]].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 49:
            print(f"step {step + 1}: loss {np.mean(losses[-50:]):.3f}", flush=True)
    save(model.eval(), options.out)


def save(model: Wav2Vec2ForCTC, folder: Path) -> None:
    model.save_pretrained(folder)
    extractor = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "processor_class": "Wav2Vec2Processor",
        "feature_size": 1,
        "sampling_rate": 16_000,
        "padding_value": 0.0,
        "padding_side": "right",
        "do_normalize": True,
        "return_attention_mask": False,
    }
    tokenizer = {
        "tokenizer_class": "Wav2Vec2CTCTokenizer",
        "processor_class": "Wav2Vec2Processor",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "word_delimiter_token": "|",
    }
    vocabulary = {token: number for number, token in enumerate(TOKENS)}
    for name, content in (
        ("preprocessor_config.json", extractor),
        ("tokenizer_config.json", tokenizer),
        ("vocab.json", vocabulary),
    ):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

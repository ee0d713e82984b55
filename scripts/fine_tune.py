"""A plain fine-tuning loop for measurements: a model, utterances and texts go in, the model learns them in place."""

import numpy as np
import torch
from augmentation import augmented, batch_of, padded_length
from languages import ENGLISH, Language
from transformers import Wav2Vec2ForCTC

BABBLE = np.zeros(0, np.float32)  # no other speech to make babble of


def fine_tune(
    model: Wav2Vec2ForCTC,
    utterances: list[np.ndarray],
    texts: list[str],
    *,
    epochs: int,
    rate: float,
    batch_size: int = 16,
    strength: float = 0.5,
    freeze_feature_encoder: bool = False,
    language: Language = ENGLISH,
    seed: int = 0,
) -> float:
    """Train on float32 utterances at 16 kHz with AdamW, warm-up over a tenth and a cosine; the last epoch's loss.

    `strength` is that of the augmentation, 0 for none."""
    rng = np.random.default_rng(seed)
    model.set_attn_implementation("eager")
    torch.manual_seed(seed)
    np.random.seed(seed)
    if freeze_feature_encoder:
        model.freeze_feature_encoder()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.01)
    n_steps = epochs * -(-len(utterances) // batch_size)
    step, losses = 0, []
    model.train()
    for _ in range(epochs):
        losses = []
        for rows in _batches(utterances, batch_size, rng):
            heard = [utterances[row] for row in rows]
            if strength:
                heard = [augmented((samples * 32767).astype(np.int16), rng, BABBLE, strength) for samples in heard]
            waveforms, mask = batch_of(heard, padded_length(max(map(len, heard))))
            ids = [language.encode(texts[row]) for row in rows]
            labels = torch.full((len(ids), max(map(len, ids))), -100)
            for row, symbols in enumerate(ids):
                labels[row, : len(symbols)] = torch.tensor(symbols)
            scale = min(1.0, (step + 1) / (0.1 * n_steps)) * (0.505 + 0.495 * np.cos(np.pi * step / n_steps))
            for group in optimizer.param_groups:
                group["lr"] = rate * scale
            with torch.autocast("cpu", torch.bfloat16):
                loss = model(torch.from_numpy(waveforms), attention_mask=torch.from_numpy(mask), labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            step += 1
    return float(np.mean(losses))


def _batches(utterances: list[np.ndarray], batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Random batches of similar length, in random order."""
    lengths = np.array([len(samples) for samples in utterances])
    order = np.argsort(lengths * np.exp(rng.normal(0, 0.1, len(lengths))))
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    rng.shuffle(batches := list(batches))
    return batches

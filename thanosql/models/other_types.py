"""A `model_type` that no family takes in; what such a model is, and what to take instead, out."""

from __future__ import annotations

# They write their text token after token: nothing says which frames a token was heard in.
DECODERS = {
    "whisper": "Whisper",
    "moonshine": "Moonshine",
    "moonshine_streaming": "Moonshine",
    "speech_to_text": "Speech2Text",
    "speech-encoder-decoder": "speech encoder-decoder",
    "speecht5": "SpeechT5",
    "seamless_m4t": "SeamlessM4T",
    "seamless_m4t_v2": "SeamlessM4T",
    "canary": "Canary",
    "cohere_asr": "Cohere ASR",
    "kyutai_speech_to_text": "Kyutai speech-to-text",
    "granite_speech": "Granite Speech",
    "qwen3_asr": "Qwen3-ASR",
    "voxtral": "Voxtral",
    "voxtral_realtime": "Voxtral",
    "vibevoice_asr": "VibeVoice-ASR",
}
TRANSDUCERS = {"parakeet_rnnt": "Parakeet RNN-T", "parakeet_tdt": "Parakeet TDT"}


def meant(name: str) -> str | None:
    """What a name that there is no model of was perhaps to mean: a kind of model that cannot be used.

    >>> meant("whisper"), meant("Whisper_large_v3"), meant("my_model")
    ('Whisper', 'Whisper', None)
    """
    return next((kind for kind in DECODERS.values() if name.lower().startswith(kind.lower())), None)


def told(name: str, model_type: str, known: str) -> tuple[str, str]:
    """What to say of a model of a type that is not there, and the hint; `known` names the types that are."""
    cure = f"Take a checkpoint with a CTC head, of one of the types {known}."
    if model_type in DECODERS:
        what = f"is a {DECODERS[model_type]} model, which writes its text with a decoder and has no CTC head"
        return f"{name} {what}: ThanoSQL cannot use it.", f"{cure} transformers' pipeline runs this one."
    if model_type in TRANSDUCERS:
        what = f"is a {TRANSDUCERS[model_type]} model, a transducer, and has no CTC head"
        return f"{name} {what}: ThanoSQL cannot use it.", cure
    return f"{name} is a model of the type {model_type!r}, which ThanoSQL does not know.", cure

"""A checkpoint's folder in; its tokens by their numbers, and what its tokenizer's files say of them, out.

All the layouts in which transformers leaves a CTC tokenizer: vocab.json, of one language or of several, with the tokens that
were added after it, or tokenizer.json alone; beside the weights, or above a Trainer's checkpoint-500.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thanosql.errors import ThanoSQLModelError, did_you_mean
from thanosql.models.json_file import read_json
from thanosql.models.weights import tensor_shapes

HEADS = ("lm_head.", "ctc_head.")  # of a CTC model's weights
WORD = "▁"  # at the beginning of a word, in the pieces of SentencePiece
VOCABULARY_FILE = "vocab.json"
FAST_FILE = "tokenizer.json"
TOKENIZER_FILE = "tokenizer_config.json"
SPECIAL_FILE = "special_tokens_map.json"
ADDED_FILE = "added_tokens.json"
_STEP = re.compile(r"checkpoint-\d+")
_LANGUAGE = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True)
class Tokens:
    """`by_number` may have gaps; `settings` are those of tokenizer_config.json, over those of special_tokens_map.json."""

    by_number: Mapping[int, str]
    settings: Mapping[str, Any]
    language: str | None = None  # where there are vocabularies of several
    pieces: bool = False  # of SentencePiece: a word's first begins with ▁


def vocabulary_folder(folder: Path) -> Path | None:
    """Where a checkpoint's vocabulary lies: beside it, or above the checkpoint of a Trainer's step; None where it has none."""
    places = (folder, folder.absolute().parent) if _STEP.fullmatch(folder.absolute().name) else (folder,)
    for place in places:
        if any((place / name).is_file() for name in (VOCABULARY_FILE, FAST_FILE)):
            return place
    return None


def read_settings(folder: Path) -> dict[str, Any]:
    """What a tokenizer's files say beside its tokens. Raises ThanoSQLModelError when one is damaged."""
    place = vocabulary_folder(folder) or folder
    settings: dict[str, Any] = {}
    for name in (SPECIAL_FILE, TOKENIZER_FILE):
        if (place / name).is_file():
            settings.update(read_json(place / name))
    return settings


def read_tokens(folder: Path, language: str | None = None) -> Tokens:
    """What the files say, of `language` or the one that they are set to.

    Raises ThanoSQLModelError when they are missing or damaged, of other languages, or of several of which none is set.
    """
    place = vocabulary_folder(folder)
    if place is None:
        raise no_vocabulary(folder)
    settings = read_settings(folder)
    if not (place / VOCABULARY_FILE).is_file() and (place / FAST_FILE).is_file():
        if language is not None:
            raise one_language(folder.name, language)
        return _fast(place / FAST_FILE, settings)
    path = place / VOCABULARY_FILE
    content = read_json(path)
    several = holds_languages(content)
    own = settings.get("target_lang")
    if several:
        content = _of_language(content, language or own, path)
    elif language is not None and language != own:
        raise one_language(folder.name, language)
    numbers = _numbers(content, path)
    added = read_json(place / ADDED_FILE) if (place / ADDED_FILE).is_file() else {}
    for number, text in _numbers(added, place / ADDED_FILE).items() if added else ():
        numbers.setdefault(number, text)
    decoder = settings.get("added_tokens_decoder")
    for number, entry in decoder.items() if isinstance(decoder, dict) else ():
        token = entry.get("content") if isinstance(entry, dict) else entry
        if str(number).isdecimal() and isinstance(token, str):
            numbers.setdefault(int(number), token)
    return Tokens(numbers, settings, (language or own) if several else None)


def holds_languages(content: Mapping[str, Any]) -> bool:
    """Whether a vocab.json holds a vocabulary for each of several languages."""
    return bool(content) and all(isinstance(part, dict) for part in content.values())


def no_vocabulary(folder: Path) -> ThanoSQLModelError:
    """What a checkpoint without a vocabulary is, and what it is good for: not every model that hears speech writes text."""
    architectures = read_json(folder / "config.json").get("architectures")
    made = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    shapes = tensor_shapes(folder)  # none of a pickle: there the configuration's word is taken
    if any(name.startswith(HEADS) for name in shapes) or (not shapes and made.endswith("ForCTC")):
        return ThanoSQLModelError(
            f"{folder} has a trained head, but no vocabulary that says what its outputs mean.",
            hint="Copy its own vocab.json and tokenizer_config.json into the folder.",
        )
    what = f" ({made[:80]})" if made and not made.endswith("ForCTC") else ""
    return ThanoSQLModelError(
        f"{folder} is a pretrained model{what} without a CTC head and without a vocabulary: it cannot transcribe yet.",
        hint="Train it first: BUILD MODEL name USING it OPTIONS (vocabulary='rebuild') makes both from the texts.",
    )


def unknown_language(language: str, known: Iterable[str], where: str) -> ThanoSQLModelError:
    """That a checkpoint has no vocabulary of a language, and which of its own comes closest."""
    return ThanoSQLModelError(
        f"{where} has no vocabulary of the language {language[:40]!r}.",
        hint=did_you_mean(language[:40], known) or "Languages are named as ISO 639-3 does: 'kor', 'eng', 'deu'.",
    )


def one_language(name: str, language: str) -> ThanoSQLModelError:
    """That a language was asked of a checkpoint without adapters."""
    return ThanoSQLModelError(
        f"{name} has no adapters of languages: it cannot be set to {language[:40]!r}.",
        hint="Leave language out, or name a model that has them, as the base MMS.",
    )


def adapter_name(language: str) -> str | None:
    """The file with the weights of a language, its adapters and its head; None where no file can be named so."""
    # A part of a file's name that comes from anyone.
    return f"adapter.{language}.safetensors" if _LANGUAGE.fullmatch(language) else None


def adapter_file(folder: Path, language: str | None = None) -> Path | None:
    """Where the weights of `language`, or of the one that the tokenizer is set to, lie (MMS); None where there are none."""
    asked = language or read_settings(folder).get("target_lang")
    name = adapter_name(asked) if isinstance(asked, str) else None
    return folder / name if name is not None and (folder / name).is_file() else None


def _of_language(content: dict[str, Any], language: Any, path: Path) -> dict[str, Any]:
    if not isinstance(language, str):
        raise ThanoSQLModelError(
            f"{path} holds the vocabularies of {len(content):,} languages, and its tokenizer names none of them.",
            hint=f"Set target_lang in {TOKENIZER_FILE} to one of them: {', '.join(list(content)[:20])}.",
        )
    if language not in content:
        raise unknown_language(language, content, str(path.parent))
    found: dict[str, Any] = content[language]
    return found


def _numbers(content: Mapping[str, Any], path: Path) -> dict[int, str]:
    if not content or not all(type(number) is int and number >= 0 for number in content.values()):
        raise ThanoSQLModelError(f"{path} is damaged: it must map each token to its number.")
    try:
        "".join(content).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ThanoSQLModelError(f"{path} is damaged: a token is half a character ({error.reason}).") from error
    return {number: token for token, number in content.items()}


def _fast(path: Path, settings: dict[str, Any]) -> Tokens:
    """The tokens of a tokenizer.json: of its model, in whichever of its forms, and those that were added."""
    content = read_json(path)
    model, decoder = content.get("model"), content.get("decoder")
    listed = model.get("vocab") if isinstance(model, dict) else None
    try:
        vocabulary = {piece: number for number, (piece, _) in enumerate(listed)} if isinstance(listed, list) else listed
        numbers = _numbers(vocabulary or {}, path)
        for entry in content.get("added_tokens") or ():
            numbers.setdefault(int(entry["id"]), str(entry["content"]))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ThanoSQLModelError(f"{path} is damaged: it must list its tokens.") from error
    if isinstance(decoder, dict) and decoder.get("type") == "CTC":
        settings.setdefault("pad_token", decoder.get("pad_token"))
        settings.setdefault("word_delimiter_token", decoder.get("word_delimiter_token"))
        settings.setdefault("clean_up_tokenization_spaces", decoder.get("cleanup", False))
    if isinstance(model, dict) and isinstance(model.get("unk_token"), str):
        settings.setdefault("unk_token", model["unk_token"])
    if _in_bytes(content.get("pre_tokenizer")) or _in_bytes(decoder):
        added = {entry["id"] for entry in content.get("added_tokens") or ()}
        numbers = {number: token if number in added else _of_bytes(token) for number, token in numbers.items()}
    return Tokens(numbers, settings, pieces=any(token.startswith(WORD) for token in numbers.values()))


def _in_bytes(part: Any) -> bool:
    """Whether a part of a tokenizer takes texts in bytes."""
    if not isinstance(part, dict):
        return False
    parts: Any = part.get("pretokenizers") or part.get("decoders") or [part]
    return any(isinstance(one, dict) and one.get("type") == "ByteLevel" for one in parts)


def _of_bytes(token: str) -> str:
    """A token in bytes (Radford et al. 2019) as a piece of a text. Bytes that are no whole character are lone surrogates.

    >>> _of_bytes("Ġthe"), _of_bytes("Ã©"), ascii(_of_bytes("Ã"))
    ('▁the', 'é', "'\\\\udcc3'")
    """
    found = bytes(_BYTES[letter] for letter in token if letter in _BYTES)
    return found.decode("utf-8", "surrogateescape").replace(" ", WORD)


def text_of_pieces(pieces: Iterable[str]) -> str:
    """The text that pieces of words spell."""
    text = "".join(pieces)
    if not text.isascii():  # a character may be in several pieces
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text.replace(WORD, " ").strip()


# The sign that stands for each byte: its own where one can see it, one behind U+0100 else.
_SEEN = (*range(33, 127), *range(161, 173), *range(174, 256))
_UNSEEN = [byte for byte in range(256) if byte not in _SEEN]
_BYTES = {chr(byte): byte for byte in _SEEN} | {chr(256 + number): byte for number, byte in enumerate(_UNSEEN)}

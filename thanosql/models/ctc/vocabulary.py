"""A vocabulary's files in; texts to ids and ids to texts out. No torch is needed here.

Spelling is that of Hugging Face's CTC tokenizer to the letter (repeats joined, then the blank dropped; Graves et al. 2006).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.errors import ThanoSQLModelError
from thanosql.models import hangul
from thanosql.models.ctc.tokenizer_files import (
    FAST_FILE,
    SPECIAL_FILE,
    TOKENIZER_FILE,
    VOCABULARY_FILE,
    WORD,
    adapter_file,
    read_tokens,
    text_of_pieces,
    vocabulary_folder,
)
from thanosql.models.json_file import read_json
from thanosql.models.weights import file_shapes

if TYPE_CHECKING:
    import numpy as np

PHONE_CLASS = "Wav2Vec2PhonemeCTCTokenizer"
_CLEANED = (  # as transformers cleans up, in its order
    *((f" {sign}", sign) for sign in ".?!,"),
    (" ' ", "'"),
    *((f" {end}", end) for end in ("n't", "'m", "'s", "'ve", "'re")),
)
LARGEST = 1 << 24  # tokens


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model, by their id, and the parts some of them play.

    `pad` is the blank, `delimiter` stands between words where they are divided; `bos`, `eos`, `unk` may be absent from
    `tokens` (a tokenizer may name tokens that its model never learned).
    """

    tokens: tuple[str, ...]
    pad: str = "<pad>"
    delimiter: str | None = "|"
    unk: str = "<unk>"
    bos: str | None = "<s>"
    eos: str | None = "</s>"
    lower_case: bool = False  # Hugging Face's do_lower_case: text is raised on the way in and lowered on the way out
    space: str = " "  # what the delimiter is in a text: Hugging Face's replace_word_delimiter_char
    phones: bool = False  # tokens are sounds, one space between them, and the delimiter is not heard
    pieces: bool = False  # tokens are parts of words (SentencePiece); with ▁ a word's first begins
    tokenizer: Path | None = field(default=None, compare=False, repr=False)  # tokenizer.json, which spells in pieces
    clean_up: bool = False  # Hugging Face's clean_up_tokenization_spaces: "it ' s" is written "it's"

    def __post_init__(self) -> None:
        if self.pad not in self.ids:
            raise ThanoSQLModelError(f"The vocabulary has no padding token {self.pad!r}, which CTC needs as its blank.")

    @cached_property
    def ids(self) -> dict[str, int]:
        # Numbers that no token has are filled with the unknown token: its own number is the first.
        return {token: number for number, token in reversed(list(enumerate(self.tokens)))}

    @property
    def blank(self) -> int:
        return self.ids[self.pad]

    @property
    def unknown(self) -> int | None:
        return self.ids.get(self.unk)

    @property
    def special(self) -> frozenset[str]:
        """Tokens that stand for no text."""
        return frozenset(token for token in (self.pad, self.unk, self.bos, self.eos) if token is not None)

    @cached_property
    def characters(self) -> frozenset[str]:
        """What a text may consist of, the space included where words are divided; longer tokens stand as they are."""
        letters = {token for token in self.tokens if token not in self.special and token != self.delimiter}
        if self.pieces:  # what one of them spells, so that a text's letters can be asked for; ▁ is the space
            return frozenset(letters | {letter for token in letters for letter in token.replace(WORD, " ")})
        divided = self.delimiter in self.ids and not self.phones
        return frozenset(letters | ({" "} if divided else set()))

    @cached_property
    def in_letters(self) -> bool:
        """Whether Korean is spelled in single letters (ㅎㅏㄴ): vowels are among the tokens, and no syllable is."""
        letters = "".join(self.characters)
        return (
            not self.phones and any(vowel in letters for vowel in hangul.VOWELS) and not hangul.holds_syllables(letters)
        )

    @cached_property
    def _pieces(self) -> re.Pattern[str]:
        long = sorted(
            (token for token in self.tokens if len(token) > 1 and token not in self.special), key=len, reverse=True
        )
        return re.compile("|".join([*map(re.escape, long), "(?s:.)"]))

    def encode(self, text: str) -> list[int]:
        """Ids of a normalized text. A character that the vocabulary lacks raises KeyError: ask `missing` first."""
        if self._tokenizer is not None:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
            if self.spell(ids) == text:
                return ids
        return [self.ids[self.delimiter or "" if piece == " " else piece] for piece in self._split(text)]

    @cached_property
    def _tokenizer(self) -> Any:
        """What spells a text in the pieces that the model has learned to spell it in; None where there is no choice."""
        if not self.pieces or self.tokenizer is None:
            return None
        import tokenizers

        try:
            return tokenizers.Tokenizer.from_file(str(self.tokenizer))
        except Exception as error:  # the library's own, which is no other class
            raise ThanoSQLModelError(f"{self.tokenizer} cannot be read: {str(error)[:200]}") from error

    def missing(self, text: str) -> str:
        """The characters of a normalized text that the vocabulary lacks, each once, in their order.

        >>> Vocabulary(("<pad>", "|", "A", "B")).missing("AB? B?C")
        '?C'
        """
        return (" " if self.phones else "").join(self.missing_pieces(text))

    def missing_pieces(self, text: str) -> list[str]:
        """The same in a list: characters, or of phones those that stand between spaces."""
        known = self.ids if self.pieces else self.characters
        return list(dict.fromkeys(piece.replace(WORD, " ") for piece in self._split(text) if piece not in known))

    def _split(self, text: str) -> list[str]:
        if self.pieces:  # the longest that fit, from the left: a spelling that needs no tokenizer
            return self._pieces.findall(WORD + text.replace(" ", WORD)) if text else []
        return text.split() if self.phones else self._pieces.findall(text.upper() if self.lower_case else text)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the best token of each frame.

        >>> Vocabulary(("<pad>", "|", "A", "B")).decode([2, 2, 0, 2, 1, 1, 3, 0])
        'AA B'
        """
        return self.spell(number for number, _ in groupby(ids, key=self.first_number))

    def first_number(self, number: int) -> int:
        """The number of a token that several stand for, as the numbers that no token has all stand for the unknown one.

        What is repeated is a token, not a number.
        """
        return self.ids[self.tokens[number]] if number < len(self.tokens) else number

    def joined(self, path: np.ndarray) -> np.ndarray:
        """Numbers `(frames,)`, each the first of its token: what is equal is then the same sign."""
        import numpy as np

        if len(self.ids) == len(self.tokens):
            return path
        first: np.ndarray = np.array([self.ids[token] for token in self.tokens])[path]
        return first

    def spell(self, ids: Iterable[int]) -> str:
        """The text of ids whose repeats are joined already."""
        tokens = [self.tokens[number] if number < len(self.tokens) else self.unk for number in ids]
        if self.pieces:
            return text_of_pieces(token for token in tokens if token != self.pad)
        if self.phones:
            return self._cleaned(" ".join(token for token in tokens if token not in (self.pad, self.delimiter)).strip())
        text = "".join(
            self.space if token == self.delimiter else token for token in tokens if token != self.pad
        ).strip()
        text = self._cleaned(text.lower() if self.lower_case else text)
        if text.isascii():
            return text
        # Jamo, conjoining or single, come back as the syllables that people write.
        return unicodedata.normalize("NFC", hangul.syllables(text) if self.in_letters else text)

    def _cleaned(self, text: str) -> str:
        for spaced, plain in _CLEANED if self.clean_up else ():
            text = text.replace(spaced, plain)
        return text

    def words(self, ids: Iterable[int]) -> list[int]:
        """Ids without blanks as a text has them: one delimiter between words, none at the ends."""
        delimiter = None if self.delimiter is None else self.ids.get(self.delimiter)
        groups = [(is_break, list(run)) for is_break, run in groupby(ids, key=lambda number: number == delimiter)]
        inner = groups[1 if groups and groups[0][0] else 0 : len(groups) - 1 if groups and groups[-1][0] else None]
        return [number for is_break, run in inner for number in (run[:1] if is_break else run)]

    @classmethod
    def read(cls, folder: Path, size: int | None = None, language: str | None = None) -> Vocabulary:
        """The vocabulary of a Hugging Face folder, of the `size` of the model's head where one is given, and of `language`
        where it has those of several.

        Raises ThanoSQLModelError when the files are missing or damaged.
        """
        found = read_tokens(folder, language)
        numbers, settings = found.by_number, found.settings
        if max(numbers) >= LARGEST:
            raise ThanoSQLModelError(f"The vocabulary in {folder} is damaged: it has a token number {max(numbers):,}.")
        named = {name: _token(settings, f"{key}_token", default, folder) for name, key, default in _PARTS}
        unk = named["unk"] or "<unk>"
        phones = settings.get("tokenizer_class") == PHONE_CLASS
        space = settings.get("replace_word_delimiter_char", " ")
        return cls(
            tokens=tuple(numbers.get(number, unk) for number in range(size or max(numbers) + 1)),
            pad=named["pad"] or "<pad>",
            delimiter=_token(settings, "word_delimiter_token", None, folder) if phones else named["delimiter"],
            unk=unk,
            bos=named["bos"],
            eos=named["eos"],
            lower_case=bool(settings.get("do_lower_case", False)),
            space=space if isinstance(space, str) else " ",
            phones=phones,
            pieces=found.pieces,
            tokenizer=(vocabulary_folder(folder) or folder) / FAST_FILE if found.pieces else None,
            clean_up=bool(settings.get("clean_up_tokenization_spaces", False)),
        )

    def write(self, folder: Path, language: str | None = None) -> None:
        """Leave what Wav2Vec2CTCTokenizer.from_pretrained reads; as that of a language, beside which others may stand."""
        named = {
            "unk_token": self.unk,
            "bos_token": self.bos,
            "eos_token": self.eos,
            "pad_token": self.pad,
        }
        settings = {
            "tokenizer_class": PHONE_CLASS if self.phones else "Wav2Vec2CTCTokenizer",
            "do_lower_case": self.lower_case,
            "word_delimiter_token": self.delimiter,
            "replace_word_delimiter_char": self.space,
            **({"do_phonemize": False, "phone_delimiter_token": " "} if self.phones else {}),
            **({"clean_up_tokenization_spaces": True} if self.clean_up else {}),
            **({"target_lang": language} if language is not None else {}),
            **named,
        }
        tokens = self.ids if language is None else {language: self.ids}
        for name, content in ((VOCABULARY_FILE, tokens), (TOKENIZER_FILE, settings), (SPECIAL_FILE, named)):
            text = json.dumps(content, ensure_ascii=False, indent=2)
            (folder / name).write_text(text + "\n", encoding="utf-8")


_PARTS = (
    ("pad", "pad", "<pad>"),
    ("unk", "unk", "<unk>"),
    ("bos", "bos", "<s>"),
    ("eos", "eos", "</s>"),
    ("delimiter", "word_delimiter", "|"),
)


def _token(settings: Mapping[str, Any], name: str, default: str | None, folder: Path) -> str | None:
    value = settings.get(name, default)
    token = value.get("content") if isinstance(value, dict) else value
    if token is not None and not isinstance(token, str):
        raise ThanoSQLModelError(f"The vocabulary in {folder} is damaged: {name} is {str(token)[:40]}, no text.")
    return token


def read_vocabulary(folder: Path, language: str | None = None) -> Vocabulary:
    """The vocabulary of a Hugging Face folder, of the size that its head has by config.json; of `language`, or the one that
    it is set to, where it has those of several.

    Raises ThanoSQLModelError when the files are missing or damaged.
    """
    size = read_json(folder / "config.json").get("vocab_size")
    if size is not None and (type(size) is not int or not 0 < size <= LARGEST):
        raise ThanoSQLModelError(f"{folder / 'config.json'} is damaged: vocab_size is {str(size)[:40]}.")
    adapter = adapter_file(folder, language)
    if adapter is not None:  # the head of the language stands there
        shape = file_shapes(adapter).get("lm_head.weight")
        return Vocabulary.read(folder, shape[0] if shape and shape[0] <= LARGEST else size, language)
    found = read_tokens(folder, language)
    if language is not None and language != found.settings.get("target_lang"):
        return Vocabulary.read(folder, language=language)  # its adapter may still have to be fetched
    if found.language is not None and size is not None and max(found.by_number) + 1 != size:
        raise ThanoSQLModelError(
            f"{folder} is set to the language {found.language!r}, whose vocabulary does not fit the head in its weights.",
            hint=f"Put adapter.{found.language}.safetensors into the folder; you find it where the model was published.",
        )
    return Vocabulary.read(folder, size)


def has_vocabulary(folder: Path) -> bool:
    """Whether a checkpoint's folder, or that of the training it is a step of, has a vocabulary."""
    return vocabulary_folder(folder) is not None

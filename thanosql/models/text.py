"""Transcripts as people write them in, transcripts in a model's own letters out.

What is done to a text is declared by a Normalizer, which is saved with the model: the same is done to training texts
and to the references that a model is measured against.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from thanosql.errors import ThanoSQLModelError
from thanosql.models import hangul
from thanosql.models.json_file import read_text
from thanosql.models.spoken.readings import SpokenText, nearest_pair

if TYPE_CHECKING:
    from thanosql.models.ctc.vocabulary import Vocabulary

NORMALIZER_FILE = "normalizer.json"
Form = Literal["NFC", "NFD", "NFKC", "NFKD", "letters"]
Spoken = Literal["english", "korean"]
SPOKEN_IN = get_args(Spoken)

# Signs that people say aloud: a text that holds one is not read rightly without it.
SPOKEN = frozenset("%&@#*/\\§¶†‡‰‱")
APOSTROPHES = dict.fromkeys(map(ord, "’‘ʼ＇`´"), "'")


@dataclass(frozen=True)
class Normalizer:
    """How a text is fitted to a vocabulary.

    form: Unicode form of the result, 'NFC', 'NFD' (Korean syllables as conjoining jamo), 'NFKC' or 'NFKD'; 'letters' is NFC
    with Korean syllables taken apart into the letters of a keyboard (ㅎㅏㄴ).
    case: 'upper', 'lower' or 'keep'.
    keep: punctuation that stays; all other punctuation divides words and is dropped (apostrophes join), except signs
    that are spoken (%, &, @ …), which stay so that a vocabulary without them refuses the text.
    punctuation: 'drop' is as just said; with 'keep' every sign stays as it is written.
    spoken: the language in which numbers, money, times, signs and abbreviations are put into words first; None leaves them.
    """

    form: Form = "NFC"
    case: Literal["upper", "lower", "keep"] = "keep"
    keep: str = ""
    punctuation: Literal["drop", "keep"] = "drop"
    spoken: Spoken | None = None

    def __post_init__(self) -> None:
        known = self.form in get_args(Form) and self.case in ("upper", "lower", "keep")
        if not known or self.punctuation not in ("drop", "keep") or self.spoken not in (None, *SPOKEN_IN):
            raise ThanoSQLModelError(
                f"There is no normalizer with form {self.form!r}, case {self.case!r}, punctuation {self.punctuation!r}, "
                f"spoken {self.spoken!r}."
            )

    def normalize(self, text: str) -> str:
        """The text as it is usually spoken, where `spoken` says so, in its form and case, without punctuation, with single
        spaces between words.

        >>> Normalizer(case="upper", keep="'").normalize("  It’s  twenty-one, isn't it? ")
        "IT'S TWENTY ONE ISN'T IT"
        >>> Normalizer(case="upper", spoken="english").normalize("21 of 1984")
        'TWENTY ONE OF NINETEEN EIGHTY FOUR'
        """
        return self.fold(text if self.spoken is None else spoken_text(text, self.spoken).usual())

    def compared(self, reference: str, hypothesis: str) -> tuple[str, str]:
        """Both texts normalized, for their differences to be counted: what may be spoken in several ways, as 1984, is
        spoken as in the other text.

        >>> Normalizer(spoken="english").compared("room 205", "room two oh five")
        ('room two oh five', 'room two oh five')
        """
        if self.spoken is None:
            return self.fold(reference), self.fold(hypothesis)
        language = self.spoken
        return nearest_pair(lambda text: spoken_text(text, language), self.fold, reference, hypothesis)

    def fold(self, text: str) -> str:
        """`normalize` of a text that is in words."""
        if self.punctuation == "drop":
            text = "".join(map(_plain, text)).translate(APOSTROPHES)
        if self.case == "upper":
            text = text.upper()
        elif self.case == "lower":
            text = text.lower()
        kept = text
        if self.punctuation == "drop":
            kept = "".join(letter if letter in self.keep else _fitted(letter) for letter in text)
        if self.form == "letters":
            kept = hangul.letters(unicodedata.normalize("NFC", kept))
        else:
            kept = unicodedata.normalize(self.form, kept)
        return " ".join(kept.split())

    @classmethod
    def for_vocabulary(cls, vocabulary: Vocabulary) -> Normalizer:
        """The normalizer that a vocabulary asks for: its case, its punctuation, jamo where it has jamo."""
        letters = "".join(vocabulary.characters)
        if vocabulary.phones:  # sounds are written in signs of their own, some of which are punctuation elsewhere
            composed = letters == unicodedata.normalize("NFC", letters)
            return cls(form="NFC" if composed else "NFD", case="keep", punctuation="keep")
        upper = any(letter.isupper() for letter in letters)
        lower = any(letter.islower() for letter in letters)
        conjoining = any("\u1100" <= letter <= "\u11ff" for letter in letters)
        return cls(
            form="letters" if vocabulary.in_letters else "NFD" if conjoining else "NFC",
            case="upper" if upper and not lower else "lower" if lower and not upper else "keep",
            keep="".join(sorted(letter for letter in set(letters) if _dropped(letter))),
        )

    @classmethod
    def read(cls, folder: Path, vocabulary: Vocabulary) -> Normalizer:
        """The normalizer saved with a model, or the one its vocabulary asks for where none was saved."""
        path = folder / NORMALIZER_FILE
        try:
            content: Any = json.loads(read_text(path))
        except FileNotFoundError:
            return cls.for_vocabulary(vocabulary)
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise ThanoSQLModelError(f"{path} cannot be read: {error}") from error
        names = {field.name for field in fields(cls)}
        if not isinstance(content, dict) or not all(name in names for name in content):
            raise ThanoSQLModelError(f"{path} is damaged: it must hold {', '.join(sorted(names))} and nothing else.")
        return cls(**content)

    def write(self, folder: Path) -> None:
        # A None is left out: older versions read only the fields that they know.
        content = {name: value for name, value in asdict(self).items() if value is not None}
        text = json.dumps(content, ensure_ascii=False, indent=2)
        (folder / NORMALIZER_FILE).write_text(text + "\n", encoding="utf-8")


def spoken_text(text: str, language: Spoken) -> SpokenText:
    """The text with the readings of what is not written in words of the language."""
    if language == "korean":
        from thanosql.models.spoken import korean

        return korean.spoken(text)
    from thanosql.models.spoken import english

    return english.spoken(text)


def _plain(letter: str) -> str:
    """A full-width letter or a ligature is the letter that a vocabulary has; single jamo (ㅋ) stay what they are."""
    return letter if "\u3130" <= letter <= "\u318f" else unicodedata.normalize("NFKC", letter)


def _fitted(letter: str) -> str:
    """What stays of a character not kept by name: dropped punctuation divides words, an apostrophe joins them."""
    if not _dropped(letter):
        return letter
    return " " if unicodedata.category(letter)[0] == "P" and letter != "'" else ""


def _dropped(letter: str) -> bool:
    """Punctuation, and marks that nobody sees: what a vocabulary may lack without a word being lost."""
    category = unicodedata.category(letter)
    return (category[0] == "P" and letter not in SPOKEN) or category in ("Cf", "Sk")

"""What differs between the languages that a bundled model is trained in: texts, voices, symbols, sizes.

In: a language's code. Out: a Language, which the scripts that synthesize, train and measure take.
"""

from collections.abc import Callable
from dataclasses import dataclass

import korean_texts
import numpy as np
import spoken_texts


@dataclass(frozen=True)
class Language:
    """A language, the model that is trained in it and the tutorial data set that goes with it.

    sizes: utterances of one word and of several, by engine; an engine that is not installed is left out. "learners"
    is eSpeak NG with the sounds of other mother tongues.
    fine_tuning: what the saved config.json says instead of what the model was trained with.
    weights: how many times as often as others an engine's utterances are drawn in training; 1 where it is not named.
    symbols: the vocabulary in its order, laid out as the checkpoint is that the seed's base of this language names.
    """

    code: str
    model: str
    dataset: str
    dataset_contents: str
    dataset_sizes: tuple[int, int]  # utterances to train on and to test on
    test_voices: tuple[str, ...]
    accents: tuple[str, ...]
    sizes: dict[str, tuple[int, int]]
    weights: dict[str, int]
    fine_tuning: dict[str, float]
    digits: tuple[str, ...]
    one_word: Callable[[np.random.Generator], str]
    some_words: Callable[[np.random.Generator], str]
    over_the_telephone: Callable[[np.random.Generator], str]  # the texts of the data set
    said: Callable[[str], str]  # a text as the synthesizer is to read it
    symbols: tuple[str, ...]
    pad: str
    unknown: str

    @property
    def vocabulary(self) -> dict[str, int]:
        return {symbol: index for index, symbol in enumerate(self.symbols)}

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, words parted by "|"."""
        vocabulary = self.vocabulary
        return [vocabulary[symbol] for symbol in text.replace(" ", "|")]

    def decode(self, ids: list[int]) -> str:
        """Greedy CTC: repeats are folded, the blank (the padding token) and other special tokens dropped."""
        blank = self.vocabulary[self.pad]
        kept = [self.symbols[index] for index, before in zip(ids, [blank, *ids], strict=False) if index != before]
        return " ".join("".join(symbol for symbol in kept if len(symbol) == 1).replace("|", " ").split())


ENGLISH = Language(
    code="en",
    model="Wav2Vec2Tiny",
    dataset="spoken_numbers",
    dataset_contents="English numbers, prices, percentages and telephone numbers",
    dataset_sizes=(360, 90),
    test_voices=("en-us+m8", "en+f5", "en-us+belinda", "en-gb-x-rp+Andy", "en-us+linda", "en-gb-scotland+quincy"),
    accents=("en-us", "en", "en-gb-scotland", "en-gb-x-rp", "en-029", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-us-nyc"),
    sizes={
        "espeak": (16_000, 9_000),
        "flite": (9_000, 6_000),
        "piper": (2_500, 900),
        "learners": (6_000, 2_000),
        "kokoro": (2_500, 500),
    },
    weights={"kokoro": 12, "piper": 2},
    # Stronger on few speakers' recordings than on thousands of voices: a speaker of the Free Spoken Digit Dataset who is
    # left out of the training is misheard less by it (docs/performance.md).
    fine_tuning={
        "hidden_dropout": 0.15,
        "activation_dropout": 0.05,
        "attention_dropout": 0.1,
        "feat_proj_dropout": 0.1,
        "final_dropout": 0.1,
        "mask_time_prob": 0.15,
        "mask_time_length": 3,
        "mask_feature_prob": 0.3,
        "mask_feature_length": 12,
    },
    digits=spoken_texts.DIGITS,
    one_word=spoken_texts.one_word,
    some_words=spoken_texts.some_words,
    over_the_telephone=spoken_texts.over_the_telephone,
    said=str,
    # As facebook/wav2vec2-base-960h lays its vocabulary out, in lower case.
    symbols=("<pad>", "<s>", "</s>", "<unk>", "|", *"etaonihsrdlumwcfgypbvk'xjqz"),
    pad="<pad>",
    unknown="<unk>",
)
KOREAN = Language(
    code="ko",
    model="Wav2Vec2TinyKo",
    dataset="spoken_numbers_ko",
    dataset_contents="Korean numbers, amounts, times, dates and telephone numbers",
    dataset_sizes=(300, 90),
    test_voices=("ko+m8", "ko+f5", "ko+belinda", "ko+Andy", "ko+linda", "ko+quincy"),
    accents=("ko",),
    sizes={"espeak": (9_000, 15_000)},
    weights={},
    fine_tuning={},  # stronger ones cost a point of CER on spoken_numbers_ko
    digits=(*korean_texts.DIGITS, "공"),
    one_word=korean_texts.one_word,
    some_words=korean_texts.some_words,
    over_the_telephone=korean_texts.over_the_telephone,
    said=korean_texts.said,
    # As kresnik/wav2vec2-large-xlsr-korean lays its vocabulary out: the special tokens come last.
    symbols=(*korean_texts.syllables(), "|", "[UNK]", "[PAD]"),
    pad="[PAD]",
    unknown="[UNK]",
)
LANGUAGES = {language.code: language for language in (ENGLISH, KOREAN)}

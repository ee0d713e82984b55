"""English texts in figures and in words: both must meet, as Whisper's normalizer has them meet, and words stay as they are."""

from __future__ import annotations

import random

import pytest
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from thanosql.models.spoken import english
from thanosql.models.spoken.english_numbers import cardinal, integer, ordinal, pairs
from thanosql.models.text import Normalizer

ENGLISH = Normalizer(case="lower", keep="'", spoken="english")

PAIRS = [
    ("12", "twelve"),
    ("I have 12 apples.", "i have twelve apples"),
    ("In 1984", "in nineteen eighty four"),
    ("1984 men", "one thousand nine hundred and eighty four men"),
    ("room 205", "room two oh five"),
    ("room 205", "room two hundred and five"),
    ("2005", "two thousand five"),
    ("2005", "twenty oh five"),
    ("2024", "twenty twenty-four"),
    ("1,234", "one thousand two hundred thirty-four"),
    ("797860", "seven nine seven eight six zero"),
    ("007", "double oh seven".replace("double oh", "oh oh")),
    ("3.14", "three point one four"),
    ("0.5", "point five"),
    ("-5", "minus five"),
    ("-5", "negative five"),
    ("$5", "five dollars"),
    ("$1", "one dollar"),
    ("$5.50", "five dollars and fifty cents"),
    ("$5.50", "five fifty"),
    ("$0.99", "ninety-nine cents"),
    ("$3.5 million", "three point five million dollars"),
    ("$5bn", "five billion dollars"),
    ("a $20 bill", "a twenty dollar bill"),
    ("£20", "twenty pounds"),
    ("€1,000", "a thousand euros"),
    ("¥500", "five hundred yen"),
    ("5 USD", "five dollars"),
    ("50¢", "fifty cents"),
    ("50%", "fifty percent"),
    ("2.5 %", "two point five per cent"),
    ("3:30 p.m.", "three thirty p m"),
    ("3:30pm", "three thirty pm"),
    ("at 3:30", "at half past three"),
    ("at 10:05", "at ten oh five"),
    ("at 9:00", "at nine o'clock"),
    ("at 9:45", "at a quarter to ten"),
    ("3 PM", "three p m"),
    ("14:20", "fourteen twenty"),
    ("1st", "first"),
    ("the 22nd", "the twenty second"),
    ("the 1980s", "the nineteen eighties"),
    ("the '90s", "the nineties"),
    ("Jan. 5, 2024", "january fifth twenty twenty four"),
    ("5 May 2020", "the fifth of may twenty twenty"),
    ("2024-01-05", "january fifth twenty twenty four"),
    ("1/5/2024", "january fifth twenty twenty four"),
    ("13/5/2024", "thirteenth of may twenty twenty four"),
    ("1/2 a cup", "half a cup"),
    ("2 1/2", "two and a half"),
    ("¾", "three quarters"),
    ("1½", "one and a half"),
    ("Dr. Lee", "doctor lee"),
    ("Mr Smith vs. Mrs Jones", "mister smith versus missus jones"),
    ("St. Paul", "saint paul"),
    ("on Main St.", "on main street"),
    ("No. 5", "number five"),
    ("#5", "number five"),
    ("AT&T", "at and t"),
    ("and/or", "and or"),
    ("5km", "five kilometers"),
    ("5 km", "five kilometres"),
    ("60mph", "sixty miles per hour"),
    ("20°C", "twenty degrees celsius"),
    ("5-10 kg", "five to ten kilograms"),
    ("pages 5–10", "pages five to ten"),
    ("555-1234", "five five five one two three four"),
    ("24/7", "twenty four seven"),
    ("MP3", "mp three"),
    ("a 5-year-old", "a five year old"),
    ("e.g. this", "for example this"),
    ("１２", "twelve"),
    ("3 + 4 = 7", "three plus four equals seven"),
    ("100", "a hundred"),
    ("1.2.3", "one point two point three"),
]


@pytest.mark.parametrize(("written", "said"), PAIRS)
def test_figures_meet_words_whichever_is_the_reference(written: str, said: str) -> None:
    wanted = ENGLISH.fold(said)
    assert ENGLISH.compared(written, said) == (wanted, wanted)
    assert ENGLISH.compared(said, written) == (wanted, wanted)
    assert not any(letter.isdigit() for letter in ENGLISH.normalize(written))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("12", "one three"),
        ("12", "twenty"),
        ("1984", "nineteen eighty five"),
        ("$5", "five pounds"),
        ("3:30", "three forty"),
        ("205", "two five"),
        ("one two", "twelve"),  # Whisper's normalizer takes both for 12
    ],
)
def test_what_was_said_otherwise_stays_an_error(written: str, said: str) -> None:
    for pair in ((written, said), (said, written)):
        reference, hypothesis = ENGLISH.compared(*pair)
        assert reference != hypothesis


@pytest.mark.parametrize(
    "text",
    [
        "twenty-one of them isn't it",
        "we may march on",
        "the second st in no time",
        "one oh one",
        "a col of a gen",
        "it's the best of inc",
    ],
)
def test_words_stay_as_they_are(text: str) -> None:
    assert english.spoken(text).usual() == text


def test_readings_are_chosen_for_each_number_and_a_slip_costs_one_word() -> None:
    assert ENGLISH.compared("205 and 205", "two oh five and two hundred five")[0] == "two oh five and two hundred five"
    reference, hypothesis = ENGLISH.compared("in 1984 I paid $5.50", "in nineteen eighty for i paid five fifty")
    differ = [pair for pair in zip(reference.split(), hypothesis.split(), strict=True) if pair[0] != pair[1]]
    assert differ == [("four", "for")]


def test_two_texts_in_figures_are_one_text() -> None:
    for text, _ in PAIRS:
        reference, hypothesis = ENGLISH.compared(text, text)
        assert reference == hypothesis


def test_whatever_whispers_normalizer_takes_for_a_number_is_the_same_here() -> None:
    """1,500 numbers, years, ordinals, amounts and shares: words that Whisper turns into the figures must meet them here.

    The differences are those that are meant: Whisper has words of one figure each for one number (one two is 12), no
    o'clock and no dates; and 'a hundred' is no number to it.
    """
    whisper = EnglishTextNormalizer({})
    rng = random.Random(14)
    numbers = [*range(131), *(rng.randrange(10 ** rng.randrange(2, 10)) for _ in range(300))]
    written_and_said: list[tuple[str, str]] = []
    for number in numbers:
        for said in cardinal(number):
            written_and_said += [(str(number), said), (f"{number:,}", said), (f"${number}", f"{said} dollars")]
            written_and_said += [(f"{number}%", f"{said} percent")]
        written_and_said += [(f"{number}{_suffix(number)}", said) for said in ordinal(number)]
    for year in range(1100, 2100, 7):
        written_and_said += [(str(year), said) for said in pairs(str(year))]
    equal = [(written, said) for written, said in written_and_said if whisper(written) == whisper(said)]
    assert len(equal) > 1500
    apart = [
        (written, said)
        for written, said in equal
        if len(set(ENGLISH.compared(f"about {written}", f"about {said}"))) > 1
    ]
    assert apart == []


def _suffix(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def test_a_number_of_any_length_is_read() -> None:
    assert integer("9" * 400)[0].split() == ["nine"] * 400
    assert ENGLISH.normalize("1." + "0" * 100).startswith("one point zero")
    assert ENGLISH.normalize("$" + "9" * 50)
    assert ENGLISH.normalize("9" * 40 + "th")
    assert ENGLISH.normalize("0/0 1/0 99:99:99 2024-13-45 1..2 ,5, $.5 £ - %")

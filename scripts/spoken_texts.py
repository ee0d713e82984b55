"""The words that the bundled model knows, and random texts made of them.

In: a `numpy.random.Generator`. Out: lower-case texts such as "three one four" or "turn on the light".
"""

import numpy as np

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_COMMANDS = """
    yes no stop go up down left right on off open close start end play pause next back forward again
    repeat cancel help home menu save load delete undo redo copy paste cut find search call answer hang dial send
    read write note mail message clock time date today tomorrow morning evening night day week month year
    hour minute second timer alarm set turn light lamp door window fan heat cold warm music radio song video
    camera picture volume loud quiet mute louder softer faster slower bright dark red green blue white black
    yellow north south east west front more less high low new old first last all none please thanks hello
    goodbye okay wait ready computer phone screen print the lock unlock enter exit room kitchen house car
"""
# Without "and": spoken_numbers has it, for BUILD to learn.
COMMANDS = tuple(_COMMANDS.split())
WORDS = (*DIGITS, *TEENS, *TENS, "hundred", "thousand", "point", "oh", *COMMANDS)

_PHRASES = (
    "turn on the {c}",
    "turn off the {c}",
    "set the {c} {n}",
    "call {d} {d} {d} {d}",
    "volume {n}",
    "open the {c}",
    "close the {c}",
    "play the next {c}",
    "{c} please",
    "wait {n} minute",
    "dial {d} {d} {d} {d} {d}",
    "go {c} {d}",
)


def number(n: int) -> str:
    """The English name of n, 0 <= n < 1,000,000, in American use (without "and").

    >>> number(342)
    'three hundred forty two'
    """
    if n < 10:
        return DIGITS[n]
    if n < 20:
        return TEENS[n - 10]
    if n < 100:
        return TENS[n // 10 - 2] + (" " + DIGITS[n % 10] if n % 10 else "")
    unit, name = (100, "hundred") if n < 1000 else (1000, "thousand")
    return f"{number(n // unit)} {name}" + (" " + number(n % unit) if n % unit else "")


def one_word(rng: np.random.Generator) -> str:
    """One word: a digit in 55% of all draws."""
    kind = rng.random()
    if kind < 0.55:
        return str(rng.choice(DIGITS))
    if kind < 0.70:
        return str(rng.choice((*TEENS, *TENS, "hundred", "thousand", "point", "oh")))
    return str(rng.choice(COMMANDS))


def some_words(rng: np.random.Generator) -> str:
    """Two to about seven words: digit strings, numbers, decimals, commands, mixtures."""
    kind = rng.random()
    if kind < 0.40:
        return " ".join(rng.choice(DIGITS, rng.integers(2, 7)))
    if kind < 0.55:
        return number(int(rng.integers(20, 100)))
    if kind < 0.63:
        return number(int(rng.integers(100, 10_000)))
    if kind < 0.68:
        return f"{number(int(rng.integers(0, 100)))} point {' '.join(rng.choice(DIGITS, rng.integers(1, 3)))}"
    if kind < 0.86:
        return " ".join(one_word(rng) for _ in range(rng.integers(2, 6)))
    phrase = str(rng.choice(_PHRASES))
    while "{" in phrase:
        phrase = phrase.replace("{d}", str(rng.choice(DIGITS)), 1).replace("{c}", str(rng.choice(COMMANDS)), 1)
        phrase = phrase.replace("{n}", number(int(rng.integers(0, 100))), 1)
    return phrase


def british(n: int) -> str:
    """The name of n < 1,000,000 with "and" after the hundreds.

    >>> british(342)
    'three hundred and forty two'
    """
    if n < 100:
        return number(n)
    if n < 1000:
        return number(n - n % 100) + (f" and {number(n % 100)}" if n % 100 else "")
    rest = n % 1000
    return f"{british(n // 1000)} thousand" + (f"{' and' if rest < 100 else ''} {british(rest)}" if rest else "")


def over_the_telephone(rng: np.random.Generator) -> str:
    """A telephone number, an amount, a price, a percentage."""
    kind = rng.random()
    if kind < 0.40:
        return " ".join(rng.choice(DIGITS, rng.integers(3, 7)))
    if kind < 0.52:
        return number(int(rng.integers(21, 100)))
    if kind < 0.68:
        return british(int(rng.integers(100, 1000)))
    if kind < 0.78:
        return f"{number(int(rng.integers(2, 100)))} dollars"
    if kind < 0.90:
        return f"{number(int(rng.integers(2, 100)))} percent"
    return f"minus {number(int(rng.integers(10, 100)))}"

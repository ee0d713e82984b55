"""Money, units, signs and abbreviations as they are written in English in, the ways to say them out."""

from __future__ import annotations

import re

from thanosql.models.spoken.english_numbers import cardinal, number, plural, quantity
from thanosql.models.spoken.readings import Readings, Rule, combined, one_of

_NUMBER = r"((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)"
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
    "₩": ("won", "won", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
_CODES = {"USD": "$", "GBP": "£", "EUR": "€", "JPY": "¥", "KRW": "₩", "INR": "₹"}
_LARGE = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
    "tn": "trillion",
}
_LARGE_WORDS = ("hundred", "thousand", "million", "billion", "trillion")
_SIGN = f"([{''.join(map(re.escape, _CURRENCIES))}]|{'|'.join(_CODES)})"
_MAGNITUDE = rf"(?: ?({'|'.join(_LARGE_WORDS)})\b|((?i:{'|'.join(_LARGE)}))\b)?"


def _money(sign: str, amount: str, large: str | None) -> Readings:
    """
    >>> _money("$", "5.50", None)[:3], _money("£", "1", None)[0], _money("$", "3.5", "m")
    (('five dollars and fifty cents', 'five dollars and fifty', 'five dollars fifty cents'), 'one pound',
     ('three point five million dollars', 'three point five million dollar', 'three point five million'))
    """
    one, many, small, smalls = _CURRENCIES[_CODES.get(sign.upper(), sign)]
    if large is not None:
        word = _LARGE.get(large.lower(), large.lower())
        return combined(number(amount)[:4], (word,), (many, one, ""))
    whole, _, part = amount.partition(".")
    whole = whole.replace(",", "") or "0"
    if not small or len(part) != 2:
        return combined(quantity(amount)[:4], ((one, many) if amount == "1" else (many, one)) + ("",))
    units, parts = int(whole), int(part)
    wholes = combined(quantity(whole)[:4], (one,) if units == 1 else (many, one))
    said = cardinal(parts)[0]
    cents = (f"{said} {small if parts == 1 else smalls}",)
    if units == 0:
        return cents
    if parts == 0:
        return wholes
    short = one_of((said,) if parts > 9 else (f"oh {said}",))
    together = combined(quantity(whole)[:2], short)
    return one_of(combined(wholes[:1], ("and", ""), (*cents, said)), together, combined(wholes[1:], ("and", ""), cents))


def _signed(match: re.Match[str]) -> Readings:
    return _money(match[1], match[2], match[3] or match[4])


def _signed_after(match: re.Match[str]) -> Readings:
    return _money(match[4], match[1], match[2] or match[3])


MONEY: tuple[Rule, ...] = (
    (re.compile(rf"(?:\b(?:US|A|C|NZ|HK))?{_SIGN} ?{_NUMBER}{_MAGNITUDE}"), _signed),
    (re.compile(rf"(?<![\w.]){_NUMBER}{_MAGNITUDE} ?{_SIGN}"), _signed_after),
    (
        re.compile(rf"(?<![\w.]){_NUMBER} ?[¢￠]"),
        lambda match: combined(quantity(match[1]), ("cent",) if match[1] == "1" else ("cents",)),
    ),
)

# What stands behind a number; a unit of one letter that is a word elsewhere must touch it.
_UNITS = {
    "km/h": "kilometer per hour", "kmh": "kilometer per hour", "kph": "kilometer per hour", "mph": "mile per hour",
    "m/s": "meter per second", "km": "kilometer", "cm": "centimeter", "mm": "millimeter", "m": "meter",
    "ft": "foot", "mi": "mile", "yd": "yard", "kg": "kilogram", "mg": "milligram", "g": "gram", "lbs": "pound", "lb": "pound",
    "oz": "ounce", "ml": "milliliter", "mL": "milliliter", "L": "liter", "l": "liter", "hrs": "hour", "hr": "hour",
    "h": "hour", "mins": "minute", "min": "minute", "secs": "second", "sec": "second", "ms": "millisecond", "s": "second",
    "kB": "kilobyte", "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "Hz": "hertz",
    "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "kW": "kilowatt", "W": "watt", "V": "volt",
    "kWh": "kilowatt hour", "dB": "decibel", "°C": "degree celsius", "°F": "degree fahrenheit", "°": "degree",
}  # fmt: skip
_SPOKEN_SHORT = {"kilometer": "k", "kilogram": "kilo", "megabyte": "meg", "gigabyte": "gig"}
UNIT_NAMES = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))


def _unit_names(name: str, *, single: bool) -> Readings:
    """
    >>> _unit_names("kilometer per hour", single=False)
    ('kilometers per hour', 'kilometres per hour', 'kilometers an hour', 'kilometres an hour')
    """
    first, _, rest = name.partition(" ")
    if single or first.endswith("hertz"):
        names = name
    elif name == "kilowatt hour":
        names = "kilowatt hours"
    else:
        names = f"{'feet' if first == 'foot' else plural(first)} {rest}".strip()
    ways = one_of((names,), (re.sub(r"(met|lit)er", r"\1re", names),))
    ways = one_of(ways, tuple(way.replace(" per ", " an ") for way in ways))
    if first == "degree":
        ways = one_of(ways, (names.split()[0],), (rest,) if rest else ())
    short = _SPOKEN_SHORT.get(name)
    return (*ways, *((short,) if single else (short, plural(short)))) if short else ways


def _unit(match: re.Match[str]) -> Readings:
    name = _UNITS[match[2].replace("º", "°").replace("° ", "°")]
    plain = quantity(match[1])[:4]
    return combined(plain, _unit_names(name, single=match[1] == "1"))


def _feet(match: re.Match[str]) -> Readings:
    feet, inches = cardinal(int(match[1]))[0], cardinal(int(match[2]))[0]
    return (f"{feet} {inches}", f"{feet} foot {inches}", f"{feet} feet {inches} inches", f"{feet} feet {inches}")


UNITS: tuple[Rule, ...] = (
    (re.compile(r"\b(\d)['’′] ?(1[01]|\d)(?:[\"”″]|['’′]{2})"), _feet),
    (
        re.compile(rf"(?<![\w.,]){_NUMBER} ?(?:%|％|percent\b|per cent\b)"),
        lambda match: combined(quantity(match[1]), ("percent", "per cent")),
    ),
    (re.compile(rf"(?<![\w.,]){_NUMBER} ?({UNIT_NAMES})(?![\w/'’])"), _unit),
)

_ALONE = {  # the point may be left out
    "Mr": ("mister",), "Mrs": ("missus", "misses"), "Ms": ("miss", "ms", "mizz"), "Dr": ("doctor", "drive"),
    "Prof": ("professor",), "vs": ("versus",),
}  # fmt: skip
_POINTED = {  # without it they are, or look like, other words
    "Jr": ("junior",), "Sr": ("senior",), "Gen": ("general",), "Capt": ("captain",), "Lt": ("lieutenant",),
    "Col": ("colonel",), "Sgt": ("sergeant",), "Rev": ("reverend",), "Hon": ("honorable", "honourable"),
    "Gov": ("governor",), "Sen": ("senator",), "Rep": ("representative",), "Pres": ("president",), "Asst": ("assistant",),
    "Assoc": ("associate", "association"), "Esq": ("esquire",), "Ald": ("alderman",), "etc": ("et cetera",),
    "e.g": ("for example", "e g", "eg"), "i.e": ("that is", "i e", "ie"), "approx": ("approximately",),
    "dept": ("department",), "Ave": ("avenue",), "Blvd": ("boulevard",), "Rd": ("road",), "Mt": ("mount",),
    "Ft": ("fort",), "Inc": ("incorporated", "inc"), "Ltd": ("limited",), "Co": ("company", "co"),
    "Corp": ("corporation", "corp"), "Bros": ("brothers",), "est": ("established", "estimated"),
    "a.m": ("a m", "am"), "p.m": ("p m", "pm"), "Apt": ("apartment",), "Hwy": ("highway",), "Maj": ("major",),
    "Cpl": ("corporal",), "Pvt": ("private",), "Adm": ("admiral",), "tel": ("telephone",), "ext": ("extension",),
    "misc": ("miscellaneous",), "Messrs": ("messieurs", "messers"),
}  # fmt: skip
_COUNTED = {
    "No": "number",
    "Nos": "numbers",
    "vol": "volume",
    "ch": "chapter",
    "fig": "figure",
    "pp": "pages",
    "p": "page",
}


def _names(table: dict[str, Readings]) -> str:
    return "|".join(map(re.escape, sorted(table, key=len, reverse=True)))


def _found(table: dict[str, Readings], name: str) -> Readings:
    return next(said for short, said in table.items() if short.lower() == name.lower())


# 'No.' stands before a number, which has been cut off by then: these rules see only the end of what is before it.
ABBREVIATIONS: tuple[Rule, ...] = (
    (
        re.compile(rf"\b({'|'.join(sorted(_COUNTED, key=len, reverse=True))})\. ?\Z", re.IGNORECASE),
        lambda match: (next(said for short, said in _COUNTED.items() if short.lower() == match[1].lower()),),
    ),
    (re.compile(r"#\Z"), lambda _: ("number", "hashtag", "pound")),
    (re.compile(r"\bSt\.(?= [A-Z])"), lambda _: ("saint", "street")),
    (re.compile(r"\bSt\.", re.IGNORECASE), lambda _: ("street", "saint")),
    (re.compile(rf"\b({_names(_ALONE)})\b\.?", re.IGNORECASE), lambda match: _found(_ALONE, match[1])),
    (re.compile(rf"\b({_names(_POINTED)})\.", re.IGNORECASE), lambda match: _found(_POINTED, match[1])),
    (re.compile(r"\bw/o\b", re.IGNORECASE), lambda _: ("without",)),
    (re.compile(r"\bw/(?=\s|\Z)", re.IGNORECASE), lambda _: ("with",)),
)

_SIGNS: dict[str, Readings] = {
    "&": ("and",),
    r"\+": ("plus", "and"),
    "=": ("equals", "is"),
    "@": ("at",),
    "%": ("percent", "per cent"),
    "#": ("hashtag", "number", "pound", "sharp"),
    r"\*": ("star", "asterisk", "times"),
    "×": ("times", "by"),
    "÷": ("divided by", "over"),
    "°": ("degrees",),
    "§": ("section",),
    r"\\": ("backslash",),
    r"(?<=\w)/(?=\w)|(?<=\s)/(?=\s)": ("", "slash", "or", "per"),
    r"\$": ("dollars", "dollar"),
    "€": ("euros", "euro"),
    "£": ("pounds", "pound"),
}


def _sign(pattern: str, said: Readings) -> Rule:
    return re.compile(pattern), lambda _: said


SIGNS: tuple[Rule, ...] = tuple(_sign(pattern, said) for pattern, said in _SIGNS.items())

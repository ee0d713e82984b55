r"""A transcript in; the tags of its annotators ([noise], (inaudible): what is written and not said), or the rest, out.

Known are the ways of Switchboard, Fisher, TED-LIUM, GigaSpeech and Kaldi's recipes ([noise], <unk>, {COUGH}, ((cough)), !SIL),
CMU Sphinx (++breath++), LDC (%hesitation), TalkBank (&=laughs), KsponSpeech and AI-Hub (b/, &name1&), and captions.
Where a corpus writes what was said inside of a tag, that stays: [laughter-yeah] is 'yeah', (3시)/(세 시) is '세 시'.
"""

from __future__ import annotations

import re

# A word in parentheses is a tag; more of them are only with one of these, or its beginning: else they are said.
_NOT_SPOKEN = (
    "inaud unintell indiscern indistinct unclear incomprehens noise laugh chuckl giggl cough sneez sniff snort sigh gasp groan "
    "breath exhal inhal cry crie sob scream shout whisper mumbl hum silen pause applau clap cheer music song singing static "
    "beep buzz click ring door phone background crosstalk overlap foreign speaking speaks talking chatter audio mic "
    "웃 잡음 소음 기침 한숨 숨소리 침묵 박수 음악 불명 들림 들리 울음 재채기 노래 笑 拍手 音 咳 鼓掌 笑声 噪 "
)
_WORDS = "|".join(_NOT_SPOKEN.split())
_ROUND = rf"[^()（）\s]{{1,40}}|(?=[^()（）]{{0,60}}?(?<![A-Za-z])(?:{_WORDS}))[^()（）]{{1,60}}"
_TAG = re.compile(
    "|".join(
        (
            r"\((?P<written>[^()]{1,80})\)/\((?P<said>[^()]{1,80})\)",  # KsponSpeech: as it is written, as it is said
            r"\[laugh(?:ter|ing)?-(?P<laughing>[^\[\]]{1,40})\]",
            r"\[\[[^\[\]]{1,40}\]\]|[\[［][^\[\]［］]{1,60}[\]］]|[【〔][^【】〔〕]{1,40}[】〕]",
            r"\{\{[^{}]{1,40}\}\}|\{[^{}]{1,40}\}",
            r"<<[^<>]{1,40}>>|<[^<>\s\d][^<>]{0,40}>|<\d[\d:.,]*>",
            r"\(\([^()]{0,60}\)\)",
            rf"(?<![A-Za-zÀ-ɏ])[(（](?![^()（）\s]*\d)(?:{_ROUND})[)）](?![A-Za-zÀ-ɏ])",
            r"\((?:\d{1,2}:)?\d{2}:\d{2}(?:[.,]\d+)?\)",  # where in the recording
            r"(?<![\w%])%[A-Za-z]{2,20}\b",
            r"(?<![\w+])\+{1,2}[A-Za-z][A-Za-z_-]{1,20}\+{1,2}(?![\w+])",
            r"(?<!\w)&(?:=[A-Za-z:]{2,20}|[-+][A-Za-z]{1,10})\b|(?<!\w)&[A-Za-z][A-Za-z-]{1,20}\d*&(?!\w)",
            r"(?<!\S)!(?i:sil|null|enter|exit)\b",
            r"(?<!\S)[bnlou]/(?!\S)",
        )
    )
)


def tags(text: str) -> list[str]:
    """The tags of a transcript, in their order.

    >>> tags("one [noise] two ((cough)) %hesitation {laughter} <unk> (inaudible)")
    ['[noise]', '((cough))', '%hesitation', '{laughter}', '<unk>', '(inaudible)']
    >>> tags("5% of (2) is < 3 and > 1, apple(s) (as it was known then) included")
    []
    """
    return [match[0] for match in _TAG.finditer(text)]


def without_tags(text: str) -> str:
    """The transcript without its tags, but with what was said in them.

    >>> without_tags("one [noise] two [laughter-three] th[at]-")
    'one two three th-'
    """
    return " ".join(_TAG.sub(_said, text).split()) if _TAG.search(text) else text


def _said(match: re.Match[str]) -> str:
    if said := match["said"] or match["laughing"]:
        return said
    cut_off = match.string[match.end() : match.end() + 1] == "-" and match.string[: match.start()][-1:].isalnum()
    return "" if cut_off else " "  # Switchboard's th[at]-: the end that was not said

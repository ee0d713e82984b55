"""Which marks in a transcript are tags: those of the corpora that people bring, and no word that was said."""

from __future__ import annotations

import pytest

from thanosql.models.transcript_tags import tags, without_tags

TAGS = """
[noise] [laughter] [vocalized-noise] [NOISE] [inaudible 00:12] [?] [speaker 2] [[noise]] [음악] 【笑】 ［noise］
(inaudible) (laughs) (Applause.) (웃음) （笑） (speaking foreign language) (phone ringing) (박수 소리) (unintelligible 2 sec)
(NO:) (00:12) (1:02:33.5) (( )) (()) ((cough)) (( cough )) ((unclear word?)) {laughter} {COUGH} {NS} {{breath}}
<unk> <UNK> <SPOKEN_NOISE> <sil> <noise/> </overlap> <b_aside> <v Anna> <#s> <00:00:01.500> <foreign lang="Latin"> <<noise>>
<COMMA> %hesitation %uh %PW ++breath++ +noise+ ++UM++ &=laughs &=clears:throat &-uh &name1& !SIL !sil b/ n/ u/
"""


def separate(lines: str) -> list[str]:
    """What stands between blanks, but for those inside of brackets."""
    found: list[str] = []
    for word in lines.split():
        last = found[-1] if found else ""
        if sum(map(last.count, "([{<")) > sum(map(last.count, ")]}>")):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


@pytest.mark.parametrize("tag", separate(TAGS))
def test_a_tag_is_found_wherever_it_stands(tag: str) -> None:
    for text in (f"one {tag} two", f"{tag} one two", f"one two {tag}"):
        assert tags(text) == [tag]
        assert without_tags(text) == "one two"
    assert without_tags(tag) == ""


@pytest.mark.parametrize(
    "text",
    [
        "apple(s) and colo(u)r",
        "the band (formerly known as X) played",
        "call (212) 555-1234, or (2) of them",
        "he came (my brother did) and left",
        "I <3 you > me, x < y and z > w, 2 <= 3",
        "R&B, AT&T, Q & A and M&M's",
        "C++ and g++, a + b + c, 1+2",
        "and/or, AC/DC, 1/2, b/c of it",
        "5% of it, 100%, 50%of",
        "wow! oh !important",
        "see (1999) or (2nd), at (1:30)",
        "사과 (3개) 그리고 배 (그 때 산 것)",
    ],
)
def test_what_is_said_is_no_tag(text: str) -> None:
    assert tags(text) == []
    assert without_tags(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[laughter-yeah] right", "yeah right"),  # Switchboard: said while laughing
        ("th[at]- that's", "th- that's"),  # and the end of a word that was not said
        ("yeah[laughter]no", "yeah no"),
        (
            "(7시)/(일곱 시)에 (70%)/(칠십 퍼센트)",
            "일곱 시에 칠십 퍼센트",
        ),  # KsponSpeech: as it is written, as it is said
        ("b/ 아 n/ 그래 o/ 네", "아 그래 네"),
        ("（笑）はい", "はい"),
        ("하하(웃음)네", "하하 네"),
        ("<overlap> yes </overlap>", "yes"),
    ],
)
def test_words_in_and_beside_a_tag_stay(text: str, said: str) -> None:
    assert without_tags(text) == said
    assert tags(text)

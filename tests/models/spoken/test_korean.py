"""Korean texts in figures and in Hangul: both must meet, with Chinese or Korean numerals as what is counted asks."""

from __future__ import annotations

import pytest

from thanosql.models.text import Normalizer

KOREAN = Normalizer(spoken="korean")

PAIRS = [
    ("12", "십이"),
    ("12", "열둘"),
    ("3시 30분에", "세 시 삼십 분에"),
    ("3시 30분에", "세시 삼십분에"),
    ("3:30에 만나자", "세 시 반에 만나자"),
    ("15시", "십오 시"),
    ("사과 5개", "사과 다섯 개"),
    ("20살", "스무 살"),
    ("21명", "스물한 명"),
    ("100개", "백 개"),
    ("6월 10일", "유월 십일"),
    ("10월 3일", "시월 삼일"),
    ("2024년 5월 3일", "이천이십사년 오월 삼일"),
    ("2024-05-03", "이천이십사 년 오월 삼 일"),
    ("010-1234-5678", "공일공 일이삼사 오육칠팔"),
    ("1588-1234", "일오팔팔에 일이삼사"),
    ("5,000원", "오천원"),
    ("3만 5천원", "삼만 오천 원"),
    ("1억 2천만 원", "일억 이천만 원"),
    ("$5", "오 달러"),
    ("₩5,000", "오천 원"),
    ("50%", "오십 퍼센트"),
    ("50%", "오십 프로"),
    ("3.14", "삼 점 일사"),
    ("-5도", "영하 오 도"),
    ("20℃", "섭씨 이십 도"),
    ("5km", "오 킬로미터"),
    ("60km/h로", "시속 육십 킬로미터로"),
    ("1/2", "이분의 일"),
    ("5~6명", "다섯에서 여섯 명"),
    ("1번 출구", "일 번 출구"),
    ("1번만 더", "한 번만 더"),
    ("제1회", "제일회"),
    ("3개월", "삼 개월"),
    ("5시간", "다섯 시간"),
    ("20대", "이십 대"),
    ("KBS 뉴스", "케이비에스 뉴스"),
    ("㈜삼성", "주식회사 삼성"),
    ("R&D", "알앤디"),
]


@pytest.mark.parametrize(("written", "said"), PAIRS)
def test_figures_meet_words_whichever_is_the_reference(written: str, said: str) -> None:
    wanted = KOREAN.fold(said)
    assert KOREAN.compared(written, said) == (wanted, wanted)
    assert KOREAN.compared(said, written) == (wanted, wanted)
    assert not any(letter.isdigit() for letter in KOREAN.normalize(written))


@pytest.mark.parametrize(
    ("written", "said"), [("12", "십삼"), ("3시", "네 시"), ("5,000원", "오백 원"), ("50%", "오십 도")]
)
def test_what_was_said_otherwise_stays_an_error(written: str, said: str) -> None:
    reference, hypothesis = KOREAN.compared(written, said)
    assert reference != hypothesis


@pytest.mark.parametrize(
    ("written", "usual"),
    [
        ("3시 30분에 사과 12개를 5,000원에 샀다", "세 시 삼십 분에 사과 열두 개를 오천 원에 샀다"),
        ("지하철 2호선은 1974년 8월 15일에 개통했다", "지하철 이 호선은 천구백칠십사년 팔월 십오일에 개통했다"),
        ("오늘은 비가 온다", "오늘은 비가 온다"),
    ],
)
def test_the_usual_reading_is_what_a_model_learns(written: str, usual: str) -> None:
    assert KOREAN.normalize(written) == usual


def test_jamo_and_decomposed_texts_are_read_as_well() -> None:
    letters = Normalizer(form="NFD", spoken="korean")
    assert letters.compared("3시", "세 시") == (letters.fold("세 시"),) * 2


def test_a_number_of_any_length_is_read() -> None:
    assert KOREAN.normalize("9" * 300)
    assert KOREAN.normalize("1만 2시 0월 99월 2024-99-99 1/0 ~ - % 9999999조")

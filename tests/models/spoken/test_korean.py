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
    ("119에 전화", "일일구에 전화"),
    ("112 신고", "일일이 신고"),
    ("3번 버스", "삼 번 버스"),
    ("2번 읽었다", "두 번 읽었다"),
    ("15번 문제", "십오 번 문제"),
    ("6·25 전쟁", "육이오 전쟁"),
    ("5·18", "오일팔"),
    ("8.15 광복", "팔일오 광복"),
    ("3.1운동", "삼일운동"),
    ("4·19 혁명", "사일구 혁명"),
    ("12·12 사태", "십이십이 사태"),
    ("9·11 테러", "구일일 테러"),
    ("3:2로 이겼다", "삼 대 이로 이겼다"),
    ("1대1", "일대일"),
    ("11:3", "십일 대 삼"),
    ("MP3", "엠피쓰리"),
    ("A4 용지", "에이포 용지"),
    ("5G", "오지"),
    ("5G", "파이브지"),
    ("4K", "사케이"),
    ("4K", "포케이"),
    ("3D", "쓰리디"),
    ("F1", "에프원"),
    ("TV", "티비"),
    ("TV", "티브이"),
    ("KTX", "케이티엑스"),
    ("코로나19", "코로나 일구"),
    ("코로나19", "코로나 십구"),
    ("007", "공공칠"),
    ("10~20명", "십에서 이십 명"),
    ("7~8월", "칠팔월"),
    ("3-4일", "삼사일"),
    ("오후 3시~5시", "오후 세 시에서 다섯 시"),
    ("2박 3일", "이 박 삼 일"),
    ("3학년 2반 15번", "삼 학년 이 반 십오 번"),
    ("101동 1203호", "백일 동 천이백삼 호"),
    ("1950년대", "천구백오십 년대"),
    ("90년대", "구십년대"),
    ("2024.5.6.", "이천이십사년 오월 육일"),
    ("0시 30분", "영 시 삼십 분"),
    ("24시간", "이십사 시간"),
    ("12시 반", "열두 시 반"),
    ("15:30", "십오 시 삼십 분"),
    ("3:30", "세 시 삼십 분"),
    ("1분 30초", "일 분 삼십 초"),
    ("5,000원", "오천 원"),
    ("12억 3천만원", "십이억 삼천만 원"),
    ("1,234,567원", "백이십삼만 사천오백육십칠 원"),
    ("100만 명", "백만 명"),
    ("3천여 명", "삼천여 명"),
    ("€3.5", "삼 점 오 유로"),
    ("3.5%", "삼 점 오 프로"),
    ("10%p", "십 퍼센트포인트"),
    ("36.5도", "삼십육 점 오 도"),
    ("−3℃", "영하 삼 도"),
    ("시속 100km", "시속 백 킬로미터"),
    ("5kg", "오 킬로"),
    ("1.5배", "일 점 오 배"),
    ("2배", "두 배"),
    ("20세", "이십 세"),
    ("20대 여성 3명", "이십 대 여성 세 명"),
    ("100명", "백 명"),
    ("33명", "서른세 명"),
    ("첫 1등", "첫 일 등"),
    ("1인당", "일 인당"),
    ("2층", "이 층"),
    ("3호선", "삼 호선"),
    ("1번째", "첫 번째"),
    ("5번째", "다섯 번째"),
    ("1/3", "삼분의 일"),
    ("02-123-4567", "공이 일이삼 사오육칠"),
    ("60Hz", "육십 헤르츠"),
    ("21세기", "이십일 세기"),
    ("3~4명", "서너 명"),
    ("5~6개", "대여섯 개"),
    ("7~8명", "일고여덟 명"),
    ("6~7개", "육칠 개"),
    ("3~4명", "세 명에서 네 명"),
    ("30~40대", "삼사십 대"),
    ("50~60명", "오륙십 명"),
    ("5~60명", "오륙십 명"),
    ("20~30분", "이십에서 삼십 분"),
    ("10여년", "십여 년"),
    ("20여 개", "이십여 개"),
    ("오전 9시 30분", "오전 아홉 시 반"),
    ("10시10분", "열 시 십 분"),
    ("3박4일", "삼 박 사 일"),
    ("12/25", "십이월 이십오일"),
    ("02)123-4567", "공이에 일이삼에 사오육칠"),
    ("500ml", "오백 밀리"),
    ("500㎖", "오백 밀리리터"),
    ("30cm", "삼십 센치"),
    ("8GB", "팔 기가"),
    ("100Mbps", "백 메가비피에스"),
    ("80kcal", "팔십 킬로칼로리"),
    ("24h", "이십사 시간"),
    ("0.5%", "공 점 오 퍼센트"),
    ("5km/h", "시속 오 킬로"),
    ("9급", "구 급"),
    ("1학기", "일 학기"),
    ("3할", "삼 할"),
    ("3끼", "세 끼"),
    ("7남매", "칠 남매"),
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


# What is learned from a text, what else may be said for it, and why.
CASES = [
    ("88올림픽", "팔팔올림픽", "팔십팔 올림픽", "the years of games are said figure by figure"),
    ("98학번", "구팔학번", "구십팔 학번", "and those of students"),
    ("386세대", "삼팔육세대", "삼백팔십육 세대", "a generation's name; 101세대 are households"),
    ("101세대", "백일 세대", "백일세대", "households are counted"),
    ("2002 월드컵", "이천이 월드컵", "이천이 월드컵", "월 is a unit only where the word ends"),
    ("5대양 6대주", "오대양 육대주", "오대양 육대주", "대 in names of great things takes Chinese numerals"),
    ("차 5대", "차 다섯 대", "차 오 대", "대 of machines takes Korean ones"),
    ("B1층", "지하 일 층", "비 일층", "a floor below the ground; the letter is said as well"),
    ("B2 주차장", "비투 주차장", "지하 이층 주차장", "as the sign says it, or what it means"),
    ("1+1 행사", "원 플러스 원 행사", "일 더하기 일 행사", "an offer is said in English"),
    ("1+1", "일 더하기 일", "원 플러스 원", "alone it is a sum"),
    ("1+1=2", "일 더하기 일은 이", "일 플러스 일은 이", "은 or 는 by the last consonant"),
    ("7-4=3", "칠 빼기 사는 삼", "칠 마이너스 사는 삼", "with = a dash is no range"),
    ("iPhone 15", "아이폰 십오", "아이폰 십오", "one Korean name"),
    ("Wi-Fi", "와이파이", "와이파이", "one Korean name"),
    ("e스포츠", "이스포츠", "이스포츠", "e before Hangul is said 이"),
    ("Zanzibar 3", "Zanzibar 삼", "Zanzibar 삼", "no Korean name is known: it stays, and CHECK names it"),
    ("MP3", "엠피쓰리", "엠피삼", "a figure behind letters is often English"),
    ("COVID-19", "코비드 십구", "코로나 일구", "the dash is not said"),
    ("A+ 학점", "에이 플러스 학점", "에이플러스 학점", "a mark, and no sum"),
    ("G7", "지세븐", "지칠", "English up to ten"),
    ("G20", "지이십", "지 이십", "Chinese above"),
    ("No.1", "넘버 일", "넘버일", "the abbreviation is said"),
    ("010.1234.5678", "공일공 일이삼사 오육칠팔", "공일공에 일이삼사에 오육칠팔", "a telephone, however divided"),
    ("010 1234 5678", "공일공 일이삼사 오육칠팔", "공일공일이삼사오육칠팔", "a telephone"),
    ("+82-10-1234-5678", "플러스 팔이 일공 일이삼사 오육칠팔", "플러스 팔이일공일이삼사오육칠팔", "with the country"),
    ("역삼동 3-1번지", "역삼동 삼 다시 일 번지", "역삼동 삼의 일번지", "the dash of a plot is 다시"),
    ("2024. 5. 3.", "이천이십사년 오월 삼일", "이천이십사 년 오월 삼 일", "the official way to write a day"),
    ("24.5.3", "이십사년 오월 삼일", "이십사 점 오 점 삼", "a day where it can be one, or a version"),
    ("1.2.3", "일 점 이 점 삼", "일점이점삼", "a version"),
    ("5/3", "오월 삼일", "삼분의 오", "more than one is a day first"),
    ("1/2", "이분의 일", "일월 이일", "less than one a fraction"),
    ("5/3(금)", "오월 삼일 금요일", "오월 삼일", "the weekday need not be said"),
    ("6.25", "육 점 이오", "육이오", "alone it is a number; a war's day behind it"),
    ("4.3 사건", "사삼 사건", "사삼 사건", "days of events are said figure by figure"),
    ("AM 7:30", "오전 일곱 시 삼십 분", "오전 일곱시 반", "the half of the day in Korean"),
    ("7시 05초", "일곱 시 오 초", "일곱 시 공오 초", "the zero fills the place"),
    ("1시간반", "한 시간 반", "한시간 반", "반 is a word of its own"),
    ("1박2일", "일 박 이일", "일 박 이 일", "two counts are two words"),
    ("3천5백원", "삼천오백 원", "삼천 오백원", "below 만 it is one word"),
    ("1천만", "천만", "일천만", "일 is not said before 천"),
    ("1,0000", "만", "일만", "commas at four figures"),
    ("2~3일", "이삼 일", "이에서 삼 일", "two that follow each other are one word"),
    ("1~2시간", "한 시간에서 두 시간", "한두 시간", "and in Korean numerals"),
    ("3, 4명", "서너 명", "세 명 네 명", "divided by a comma as well"),
    ("오후 2~4시", "오후 두 시에서 네 시", "오후 두 시부터 네 시", "both ends in the numerals of the unit"),
    ("2-3명", "두 명에서 세 명", "두세 명", "a dash is a range"),
    ("제1조 2항", "제일조 이항", "제일조 이 항", "조 before 항 is no trillion"),
    ("창세기 1장 2절", "창세기 일 장 이 절", "창세기 일장 이절", "chapters before verses take Chinese numerals"),
    ("종이 1장", "종이 한 장", "종이 일 장", "sheets Korean ones"),
    ("500cc", "오백 시시", "오백 씨씨", "letters of a unit"),
    ("30m²", "삼십 제곱미터", "삼십 평방미터", "a raised figure is of the unit"),
    ("2½", "이와 이분의 일", "이와 이 분의 일", "a fraction of one sign"),
    ("①번", "한 번", "일 번", "a figure in a circle"),
    ("제Ⅱ장", "제이 장", "제이장", "Roman figures of one sign"),
]


@pytest.mark.parametrize(("written", "usual", "also", "why"), CASES, ids=[case[0] for case in CASES])
def test_what_is_learned_and_what_else_may_be_said(written: str, usual: str, also: str, why: str) -> None:
    assert KOREAN.normalize(written) == KOREAN.fold(usual), why
    for said in (usual, also):
        assert KOREAN.compared(said, written) == (KOREAN.fold(said),) * 2, why


def test_letters_of_an_address_stay() -> None:
    assert KOREAN.normalize("www.naver.com") == "www naver com"

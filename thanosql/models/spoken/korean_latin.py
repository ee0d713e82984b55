"""Words in Latin letters that have one Korean name in. That name, the usual spelling first, out.

Whatever is not here keeps its letters, and CHECK names them: how a name of another language is said cannot be told from them.
Capital letters alone (KBS) are spelled by `korean`, as is the custom.
"""

from __future__ import annotations

import re

from thanosql.models.spoken.readings import Readings, Rule

WORDS: dict[str, Readings] = {
    "iphone": ("아이폰",), "ipad": ("아이패드",), "imac": ("아이맥",), "macbook": ("맥북",), "galaxy": ("갤럭시",),
    "ios": ("아이오에스",), "android": ("안드로이드",), "windows": ("윈도우", "윈도"), "chrome": ("크롬",),
    "youtube": ("유튜브",), "google": ("구글",), "naver": ("네이버",), "kakao": ("카카오",), "kakaotalk": ("카카오톡",),
    "facebook": ("페이스북",), "instagram": ("인스타그램",), "twitter": ("트위터",), "netflix": ("넷플릭스",),
    "amazon": ("아마존",), "apple": ("애플",), "samsung": ("삼성",), "hyundai": ("현대",), "tesla": ("테슬라",),
    "microsoft": ("마이크로소프트",), "chatgpt": ("챗지피티", "챗 지피티"), "zoom": ("줌",), "tiktok": ("틱톡",),
    "wi-fi": ("와이파이",), "wifi": ("와이파이",), "bluetooth": ("블루투스",), "internet": ("인터넷",),
    "e-mail": ("이메일",), "email": ("이메일",), "app": ("앱",), "online": ("온라인",), "offline": ("오프라인",),
    "k-pop": ("케이팝",), "kpop": ("케이팝",), "d-day": ("디데이",), "x-ray": ("엑스레이",), "covid": ("코비드", "코로나"),
    "a/s": ("에이에스",), "bts": ("비티에스", "방탄소년단"), "vs": ("대", "브이에스"), "ok": ("오케이",),
    "sns": ("에스엔에스",), "q&a": ("큐앤드에이", "큐앤에이"), "r&b": ("알앤비",), "r&d": ("알앤디",), "b&b": ("비앤비",),
    "c++": ("시 플러스 플러스", "씨 플러스 플러스"), "usb-c": ("유에스비 시", "유에스비 씨", "유에스비 시 타입"),
    "7-eleven": ("세븐일레븐",), "covid-19": ("코비드 십구", "코로나 십구", "코로나 일구", "코비드 나인틴"),
    "mp3": ("엠피쓰리", "엠피삼"), "mp4": ("엠피포", "엠피사"), "pdf": ("피디에프",), "usb": ("유에스비",),
    "tv": ("티브이", "티비"), "pc": ("피시", "피씨"), "ppt": ("피피티",), "id": ("아이디",), "cd": ("시디", "씨디"),
    "dvd": ("디브이디",), "ai": ("에이아이",),
}  # fmt: skip

RULES: tuple[Rule, ...] = (
    (
        re.compile(
            rf"(?<![A-Za-z\d.@/_-])({'|'.join(map(re.escape, sorted(WORDS, key=len, reverse=True)))})"
            r"(?![A-Za-z@_]|[-&+/.][A-Za-z])(-(?=\d))?",
            re.IGNORECASE,
        ),
        lambda match: tuple(f"{way} " if match[2] else way for way in WORDS[match[1].lower()]),
    ),
    (re.compile(r"(?<![A-Za-z])e-?(?=[가-힣])"), lambda _: ("이",)),  # e스포츠, e북
    (re.compile(r"(?<!\d)7(?=일레븐)"), lambda _: ("세븐",)),
)

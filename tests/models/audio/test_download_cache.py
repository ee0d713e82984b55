"""Fetched files are there again and again, and gone with who fetched them."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from thanosql.models.audio import AudioError
from thanosql.models.audio.download_cache import DownloadCache


def test_content_comes_back_as_it_was_and_is_fetched_once(tmp_path: Path) -> None:
    fetched: list[str] = []

    def fetch(name: str) -> bytes:
        fetched.append(name)
        return name.encode() * 1000

    with DownloadCache(tmp_path) as cache:
        names = ["one", "two", "", "three"] * 50
        for name in names[:4]:
            assert cache.content(name, fetch) == name.encode() * 1000
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda name: cache.content(name, fetch), names)) == [n.encode() * 1000 for n in names]
    assert fetched == ["one", "two", "", "three"]
    assert list(tmp_path.iterdir()) == []


def test_it_has_no_name_while_it_is_there(tmp_path: Path) -> None:
    with DownloadCache(tmp_path) as cache:
        cache.content("one", lambda _: bytes(1 << 20))
        assert list(tmp_path.iterdir()) == []


def test_what_failed_to_come_is_asked_for_again(tmp_path: Path) -> None:
    def refuse(name: str) -> bytes:
        raise AudioError("no such file")

    with DownloadCache(tmp_path) as cache:
        with pytest.raises(AudioError):
            cache.content("one", refuse)
        assert cache.content("one", lambda _: b"here") == b"here"


def test_as_data_it_finds_the_cache_that_is_open_and_opens_one_elsewhere(tmp_path: Path) -> None:
    with DownloadCache(tmp_path) as cache:
        named = pickle.loads(pickle.dumps(cache.downloads))
        assert named.cache() is cache
    apart = named.cache()  # closed by now, as it would be in another process
    assert apart is not cache
    assert apart.content("one", lambda _: b"here") == b"here"
    apart.close()

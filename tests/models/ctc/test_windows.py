from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from thanosql.models.ctc.windows import cut


@given(count=st.integers(0, 5_000), most=st.integers(2, 1_500), tail=st.integers(0, 319))
def test_the_frames_that_are_kept_are_every_frame_once_in_order_and_inside_their_windows(
    count: int, most: int, tail: int
) -> None:
    samples = (count - 1) * 320 + 400 + tail if count else tail
    windows = cut(samples, count, 400, 320, most)
    kept = [window.begin // 320 + place for window in windows for place in range(window.keep_from, window.keep_to)]
    assert kept == list(range(count))
    for window in windows:
        assert window.end <= samples
        assert window.begin % 320 == 0
        assert 0 <= window.keep_from <= window.keep_to <= most
        assert (window.end - window.begin - 400) // 320 + 1 >= window.keep_to or count == 0


@given(count=st.integers(61, 5_000))
def test_a_joint_lies_amid_what_both_sides_have_heard(count: int) -> None:
    windows = cut((count - 1) * 320 + 400, count, 400, 320, 60)
    for window in windows[1:]:
        assert window.keep_from >= 5
    for window in windows[:-1]:
        assert window.keep_to <= 55

"""Audio decoded by processes of its own: the same samples and messages, and nothing lost when one of them dies."""

from __future__ import annotations

import gc
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.models.recordings import by_av, eight_channels, sweep, wav
from tests.waiting import interrupted, until
from thanosql.errors import ThanoSQLResourceError
from thanosql.models import audio
from thanosql.models.audio import AudioError, AudioPart, reading
from thanosql.models.audio.decoder_pool import POOL
from thanosql.models.audio.waveform import LongWaveform

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no open file can be handed to another process there")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No process from before, and none left."""
    POOL.close()
    yield
    POOL.close()


@pytest.fixture
def starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give code that the processes run when they start."""

    def give(code: str) -> None:
        (tmp_path / "start").mkdir(exist_ok=True)
        (tmp_path / "start" / "sitecustomize.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path / "start")
        POOL.close()

    return give


@pytest.mark.parametrize("name", ["types", "random", "socket", "signal", "struct", "select"])
def test_a_file_of_the_user_s_named_as_a_module_of_python_keeps_no_process_from_starting(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemExit('not the module that was meant')")
    monkeypatch.syspath_prepend(tmp_path)
    soundfile.write(tmp_path / "a.flac", noise(0.1), 16000)
    assert len(audio.decode(str(tmp_path / "a.flac"), processes=1).waveform) == 1600


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(7).uniform(-0.5, 0.5, round(16000 * seconds)).astype(np.float32)


def compressed(kind: str, samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format=kind)
    return file.getvalue()


def recordings() -> dict[str, bytes]:
    stereo = np.stack([sweep(16000, 2.0), -sweep(16000, 2.0)], axis=1)  # which cancel each other
    return {
        "a.flac": compressed("FLAC", noise(2.0)),
        "a.mp3": compressed("MP3", noise(2.0)),
        "a.ogg": compressed("OGG", stereo),
        "a.m4a": by_av(noise(2.0), 16000, "ipod", "aac"),
        "a.wav": wav(noise(2.0), 16000, 16),
        "cut.flac": compressed("FLAC", noise(2.0))[:9000],
        "cut.wav": wav(noise(2.0), 16000, 16)[:9000],
        "text.mp3": b"this is no audio at all" * 100,
        "empty.ogg": b"",
    }


def outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except AudioError as error:
        return str(error)


@pytest.mark.parametrize("name", recordings())
@pytest.mark.parametrize("as_bytes", [True, False], ids=["bytes", "file"])
def test_they_give_what_the_session_itself_does(name: str, as_bytes: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(recordings()[name])
    source = recordings()[name] if as_bytes else str(tmp_path / name)
    for part in (AudioPart(source), AudioPart(source, 0.5, 1.25), AudioPart(source, channel=2), AudioPart(source, 9.0)):
        probed, there = (outcome(partial(work, part, processes=2)) for work in (audio.probe, audio.decode))
        here = outcome(partial(audio.decode, part))
        assert probed == outcome(partial(audio.probe, part))
        if isinstance(here, audio.DecodedAudio):
            assert isinstance(there, audio.DecodedAudio)
            assert np.array_equal(there.waveform[:], here.waveform[:])
            assert there.waveform[:].flags.writeable
            assert (there.notes, there.header_seconds) == (here.notes, here.header_seconds)
        else:
            assert there == here


def test_a_long_recording_lies_in_a_file_there_too() -> None:
    source = compressed("FLAC", np.zeros(16000 * 601, np.float32) + noise(601.0) * 0.01)
    found = audio.decode(source, processes=1).waveform
    assert isinstance(found, LongWaveform)
    assert np.array_equal(found[16000 * 600 :], audio.read(source)[16000 * 600 :])


def test_a_short_one_after_a_larger_one_is_not_mixed_up_with_it() -> None:
    large, small = compressed("FLAC", noise(400.0)), compressed("FLAC", -noise(1.0))
    first = audio.read(large, processes=1)
    assert np.array_equal(audio.read(small, processes=1), audio.read(small))
    assert np.array_equal(first, audio.read(large))


def test_plain_samples_need_no_process() -> None:
    audio.read(wav(noise(1.0), 16000, 16), processes=2)
    assert POOL.processes == ()
    audio.read(compressed("FLAC", noise(1.0)), processes=2)
    assert len(POOL.processes) == 1


def test_a_crash_of_the_decoder_is_the_error_of_its_file(starting: Callable[[str], None]) -> None:
    """PyAV reads beyond its list of eight planes, which is kept from it as a rule."""
    starting("from thanosql.models.audio import ffmpeg\nffmpeg.SAFE_PLANES = 9\n")
    with pytest.raises(AudioError, match=r"^damaged: its decoder crashed \(SIG(SEGV|ABRT|BUS)\), in 2 tries$"):
        audio.read(eight_channels("aac"), processes=2)
    assert audio.probe(eight_channels("aac"), processes=2).channels == 8
    assert len(audio.read(compressed("MP3", noise(1.0)), processes=2)) > 15000


ENDLESS = "import av\ndef endless(*given, **more):\n    while True: pass\nav.open = endless\n"


def test_a_decoder_that_does_not_end_is_ended(starting: Callable[[str], None]) -> None:
    starting(ENDLESS + "from thanosql.models.audio import decoder_process as process\nprocess.STEP_SECONDS = 0.5\n")
    with pytest.raises(AudioError, match="worked for a minute without a sample"):
        audio.read(compressed("MP3", noise(1.0)), processes=1)


def test_a_decoder_that_asks_for_more_memory_than_there_is_for_it_is_refused(starting: Callable[[str], None]) -> None:
    starting(
        "import soundfile\nclass Greedy(soundfile.SoundFile):\n    def read(self, *given, **more):\n"
        "        return bytearray(3 << 30)\nsoundfile.SoundFile = Greedy\n"
    )
    with pytest.raises(AudioError, match="asks for more memory than 1 GB"):
        audio.read(compressed("FLAC", noise(1.0)), processes=1)


@pytest.fixture
def half_way(starting: Callable[[str], None], tmp_path: Path) -> Path:
    """A file that is there once the first process has decoded a part of a recording; it goes on when its parent is dead."""
    mark = tmp_path / "half way"
    starting(
        "import os, time\nfrom thanosql.models.audio import decoder_process as process\nstep, steps = process.step, []\n"
        "def held():\n    step()\n    steps.append(None)\n"
        f"    if len(steps) == 4 and not os.path.exists({str(mark)!r}):\n"
        f"        parent, _ = os.getppid(), open({str(mark)!r}, 'w').close()\n"
        "        while os.getppid() == parent: time.sleep(0.01)\n"
        "process.step = held\n"
    )
    return mark


def test_one_that_is_killed_at_work_is_followed_by_another(half_way: Path) -> None:
    source = compressed("MP3", noise(300.0))
    audio.probe(source, processes=1)
    (first,) = POOL.processes
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(audio.read, source, processes=1)
        until(half_way.exists)
        os.kill(first, signal.SIGKILL)
        assert len(heard.result()) > 299 * 16000
    assert len(POOL.processes) == 1
    assert POOL.processes != (first,)


def test_one_that_is_killed_at_rest_is_not_missed() -> None:
    source = compressed("FLAC", noise(1.0))
    audio.read(source, processes=1)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        os.kill(POOL.processes[0], number)
        assert len(audio.read(source, processes=1)) == 16000


def test_what_rests_for_a_while_ends(starting: Callable[[str], None]) -> None:
    starting("from thanosql.models.audio import decoder_process as process\nprocess.IDLE_SECONDS = 0.2\n")
    source = compressed("FLAC", noise(1.0))
    audio.read(source, processes=1)
    (first,) = POOL.processes
    assert ended(first)
    assert len(audio.read(source, processes=1)) == 16000
    # Asked just as it ends, again and again: none is taken for a crash.
    for _ in range(20):
        time.sleep(0.199)
        assert len(audio.read(source, processes=1)) == 16000


def ended(process: int, seconds: float = 120.0) -> bool:
    """Whether a process ends in that time; one that nobody has waited for counts as ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_they_are_as_many_as_were_asked_for_at_once() -> None:
    source = compressed("MP3", noise(20.0))
    with ThreadPoolExecutor(8) as pool:
        assert len({len(one) for one in pool.map(lambda _: audio.read(source, processes=2), range(24))}) == 1
    assert 1 <= len(POOL.processes) <= 2


def test_a_fork_has_processes_of_its_own() -> None:
    source = compressed("FLAC", noise(1.0))
    expected = audio.read(source, processes=1)
    (first,) = POOL.processes
    child = os.fork()
    if child == 0:
        good = np.array_equal(audio.read(source, processes=1), expected) and first not in POOL.processes
        POOL.close()
        os._exit(0 if good else 1)
    assert np.array_equal(audio.read(source, processes=1), expected)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(audio.read(source, processes=1), expected)
    assert POOL.processes == (first,)


def test_an_interrupt_at_work_leaves_none_that_is_half_way(half_way: Path) -> None:
    source = compressed("MP3", noise(300.0))
    short = compressed("MP3", noise(2.0))
    audio.probe(short, processes=1)
    (first,) = POOL.processes
    assert os.getpgid(first) != os.getpgid(0), "Ctrl-C would end it"
    with pytest.raises(KeyboardInterrupt), interrupted(lambda: until(half_way.exists)):
        audio.read(source, processes=1)
    assert ended(first)
    assert np.array_equal(audio.read(short, processes=1), audio.read(short))


def test_they_end_with_a_session_that_is_killed_at_work(half_way: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(compressed("MP3", noise(300.0)))
    code = """
import sys
from thanosql.models import audio
from thanosql.models.audio.decoder_pool import POOL
audio.probe(sys.argv[1], processes=1)
print(POOL.processes[0], flush=True)
while True:
    audio.read(sys.argv[1], processes=1)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a.mp3")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        until(half_way.exists)
        # Of these two alone: /dev/shm has the files of whatever else runs on this machine, too.
        shared = {file for one in (parent.pid, process) for file in files_of(one) if file.startswith("/dev/shm/")}
        parent.kill()
    assert ended(process)
    assert [file for file in shared if os.path.exists(file)] == []


def files_of(process: int) -> set[str]:
    """Files that a process has open or mapped."""
    mapped = {
        line.split(maxsplit=5)[5] for line in Path(f"/proc/{process}/maps").read_text().splitlines() if "/" in line
    }
    return mapped | {os.readlink(one) for one in Path(f"/proc/{process}/fd").iterdir()}


def test_where_none_can_be_started_no_file_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ThanoSQLResourceError, match=r"could not be started \(exit status 1\)"):
        audio.read(compressed("FLAC", noise(1.0)), processes=1)


def test_handles_and_processes_do_not_grow() -> None:
    source = compressed("FLAC", noise(1.0))
    audio.read(source, processes=1)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        audio.read(source, processes=1)
        outcome(lambda: audio.read(b"nothing", processes=1))
    gc.collect()  # what earlier tests left may be closed meanwhile, and is not what is counted
    assert len(os.listdir("/proc/self/fd")) <= before
    assert len(POOL.processes) == 1


def facts_of(sources: list[str], processes: int) -> list[object]:
    found = reading.facts(sources, processes=processes)
    return [str(one) if isinstance(one, AudioError) else one for one in found]


def test_facts_of_files_together_are_those_of_each(tmp_path: Path) -> None:
    for name, content in recordings().items():
        (tmp_path / name).write_bytes(content)
    sources = [str(tmp_path / name) for name in (*recordings(), "nowhere.ogg")] * 2  # more than go in one message
    here = facts_of(sources, 0)
    assert facts_of(sources, 2) == here
    assert [fact for source in sources for fact in facts_of([source], 2)] == here
    assert len({str(one) for one in here}) == len(recordings()) + 1
    assert len(POOL.processes) == 1


def test_a_file_that_ends_its_process_costs_those_beside_it_nothing(
    starting: Callable[[str], None], tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.flac").write_bytes(compressed("FLAC", noise(1.0)))
    (tmp_path / "deadly.flac").write_bytes(compressed("FLAC", noise(1.125)))
    sources = [str(tmp_path / f"{name}.flac") for name in ("a", "b", "deadly", "c")]
    expected = facts_of(sources, 0)
    starting(
        "import os, soundfile\nread = soundfile.SoundFile.read\n"
        "soundfile.SoundFile.read = lambda self, *a, **k: os._exit(7) if self.frames == 18000 else read(self, *a, **k)\n"
    )
    found = facts_of(sources, 1)
    assert [found[0], found[1], found[3]] == [expected[0], expected[1], expected[3]]
    assert found[2] == "damaged: its decoder crashed (exit status 7), in 2 tries"

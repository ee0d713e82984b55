"""The wheel holds all that the package needs: installed outside the checkout, it runs the demo's statements."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # it may name the checkout
PROGRAM = """
import thanosql, pathlib
assert "{site}" in thanosql.__file__, thanosql.__file__
with thanosql.connect("{url}") as session:
    session.execute("GET THANOSQL DATASET spoken_numbers")
    for part in ("train", "test"):
        session.execute(
            f"COPY wheel_{{part}} FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_{{part}}.csv'")
    session.execute("BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1) AS SELECT * FROM wheel_train LIMIT 16")
    session.execute("PREDICT USING m OPTIONS (table_name='wheel_heard') AS SELECT * FROM wheel_test LIMIT 8")
    session.execute("FIT MODEL m USING m OPTIONS (max_epochs=1, overwrite=True) AS SELECT * FROM wheel_train LIMIT 16")
    print(session.execute("EVALUATE USING m AS SELECT * FROM wheel_test LIMIT 8").utterances[0])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and its dependencies from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # Built from a copy: setuptools leaves its build folder beside what it builds.
    subprocess.run(["git", "-C", str(ROOT), "checkout-index", "--all", f"--prefix={source}/"], check=True)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(source)], check=True)
    (wheel,) = folder.glob("thanosql_speech-*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)], check=True
    )
    # A path in a .pth file is added without that folder's own .pth files: the checkout's editable install stays out.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.mark.skipif(os.name == "nt", reason="the environment's layout is that of POSIX")
def test_the_wheel_runs_the_demos_statements(installed: Path, database_url: str, tmp_path: Path) -> None:
    site = installed.parents[1]
    done = subprocess.run(
        [installed, "-c", PROGRAM.format(site=site, url=database_url)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=ENVIRONMENT | {"THANOSQL_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "8"


def test_the_wheel_is_typed_and_licensed(installed: Path) -> None:
    program = (
        "import importlib.metadata as m, importlib.resources as r; f = [str(x) for x in m.files('thanosql-speech')]; "
        "print(any(x.endswith('py.typed') for x in f), any(x.endswith('LICENSE') for x in f), "
        "any(x.endswith('grammar.lark') for x in f), m.metadata('thanosql-speech')['License-Expression'], "
        "any(x.startswith('tests') for x in f))"
    )
    done = subprocess.run(
        [installed, "-c", program], capture_output=True, text=True, check=True, cwd=installed.parent, env=ENVIRONMENT
    )
    assert done.stdout.split() == ["True", "True", "True", "Apache-2.0", "False"]

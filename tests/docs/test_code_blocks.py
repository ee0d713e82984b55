"""Every code block of README and docs runs, on a real PostgreSQL with the bundled model.

A block that needs what is not here says so: ```{ .sql data-needs="the hub" }; it is only parsed. One that shows an error
names it: ```{ .sql data-raises="ThanoSQLDataError" }. A page's blocks run in their order, in one session. Training tables
are cut to their first rows, so that this ends soon.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell

from tests.docs.blocks import PAGES, ROOT, Block, blocks
from tests.docs.sheets import sheet_of_calls
from tests.shells import interactive_shell
from thanosql import config, errors
from thanosql import default_session as sessions
from thanosql.__main__ import _parser
from thanosql.engine.parser import parse_script, parse_with_texts
from thanosql.engine.session import Session
from thanosql.models.bases import ASSETS

KEPT_ROWS = 8
PARAMETERS = {"day": "2026-11-22", "who": "en-us+m8", "speaker": "en-us+m8", "n": 8}
# Tables that the pages speak of, each made of a part of spoken_numbers where the page does not make it itself.
TABLES = {
    "numbers_train": "train",
    "numbers_test": "test",
    "librispeech_train": "train",
    "librispeech_test": "test",
    "test": "test",
    "new_calls": "train",
    "calls": "test",
    "numbers": "test",
}
RUN_BY_PAGES = ("sql", "python")


@pytest.fixture(scope="module")
def shell(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[InteractiveShell]:
    folder = tmp_path_factory.mktemp("docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THANOSQL_DATABASE_URL", postgres_url)
        patch.setenv("THANOSQL_HOME", str(folder / "home"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        # The hub is out of reach; `[base_models]` may point anywhere, and the bundled model takes the same statements.
        patch.setenv("THANOSQL_WAV2VEC2EN", str(ASSETS / "Wav2Vec2Tiny"))
        patch.delenv("THANOSQL_CONFIG", raising=False)
        patch.delenv("THANOSQL_AUDIO_ROOTS", raising=False)
        work = folder / "work"
        work.mkdir()
        patch.chdir(work)
        for target in ("checkpoints/my_model", "wav2vec2-base-960h"):
            shutil.copytree(ASSETS / "Wav2Vec2Tiny", work / target)
        recordings = work / "recordings"
        recordings.mkdir()
        for number in range(1, 5):
            shutil.copy(ASSETS / "spoken_numbers" / "test" / f"{number:04}.flac", recordings)
        (recordings / "broken.wav").write_bytes(b"RIFF, but no more")
        sheet_of_calls(work)
        rows = (ASSETS / "spoken_numbers" / "spoken_numbers_test.csv").read_text(encoding="utf-8")
        (work / "calls.csv").write_text(rows.replace("thanosql-dataset", str(ASSETS)), encoding="utf-8")
        with interactive_shell() as one:
            yield one


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_code_block_of_a_page_runs(page: Path, shell: InteractiveShell) -> None:
    found = list(blocks(page))
    if not any(block.language in RUN_BY_PAGES and "needs" not in block.attributes for block in found):
        for block in found:
            _parse(block)
        return
    session = sessions.default_session()
    alone = page.parent.name == "reference"
    _start_page(session, "" if alone else page.read_text(encoding="utf-8"))
    shell.reset(new_session=False, aggressive=False)
    shell.push({**PARAMETERS, **({"frame": session.execute("SELECT * FROM calls")} if alone else {})})
    for block in found:
        if "needs" in block.attributes or block.language not in RUN_BY_PAGES:
            _parse(block)
        elif block.language == "python" or block.text.startswith("%"):
            _run(shell, block, block.text)
            _cut(session)
        else:
            *before, last = [text for _, text in parse_with_texts(block.text)]
            for text in (*before, last):
                if alone:
                    _prepare(session, text)
                _run(shell, block, text, raises=block.attributes.get("raises") if text is last else None)
                if text.lstrip().startswith("COPY"):
                    _cut(session)


def test_a_block_that_is_not_run_says_what_it_needs() -> None:
    for page in PAGES:
        for block in blocks(page):
            assert set(block.attributes) <= {"needs", "raises", "file"}, block.place
            assert block.attributes.get("needs", "?").strip(), block.place


def test_what_a_wrong_block_does_is_seen(shell: InteractiveShell, tmp_path: Path) -> None:
    wrong = Block(ROOT / "README.md", 1, "sql", "SELECT no_such_column")
    with pytest.raises(pytest.fail.Exception, match=r"README\.md:1"):
        _run(shell, wrong, wrong.text)
    python = Block(ROOT / "README.md", 2, "python", "assert 1 == 2")
    with pytest.raises(pytest.fail.Exception, match=r"README\.md:2"):
        _run(shell, python, python.text)


def _run(shell: InteractiveShell, block: Block, text: str, raises: str | None = None) -> None:
    failure: BaseException | None = None
    try:
        if block.language == "python" or text.startswith("%"):
            done = shell.run_cell(text)
            failure = done.error_before_exec or done.error_in_exec
        else:
            sessions.default_session().execute(text, shell.user_ns)
    except errors.ThanoSQLError as error:
        failure = error
    if failure is None and raises is not None:
        pytest.fail(f"{block.place}: {raises} was to come, and did not")
    if failure is not None and type(failure).__name__ != raises:
        pytest.fail(f"{block.place}: {type(failure).__name__}: {failure}\n{text}")


def _start_page(session: Session, text: str) -> None:
    for _, table, *_ in session.execute("LIST TABLE").itertuples(index=False):
        session.execute(f'DROP TABLE IF EXISTS "{table}" CASCADE')
    for name in session.execute("LIST MODEL").name:
        session.execute(f"DROP MODEL {name}")
    shutil.rmtree(session.settings.workspace, ignore_errors=True)
    for table, part in TABLES.items():
        if not re.search(rf"\bCOPY\s+{table}\b", text):
            _make(session, table, part)
    _cut(session)


def _make(session: Session, table: str, part: str) -> None:
    """A table of spoken_numbers that needs no workspace: its paths are those in the package."""
    session.execute(f"COPY {table} FROM :csv", {"csv": str(ASSETS / "spoken_numbers" / f"spoken_numbers_{part}.csv")})
    session.execute(
        f"UPDATE {table} SET audio_path = replace(audio_path, 'thanosql-dataset', :assets);"
        f"ALTER TABLE {table} ADD day date DEFAULT '2026-11-22', ADD id bigint GENERATED ALWAYS AS IDENTITY",
        {"assets": str(ASSETS)},
    )


def _prepare(session: Session, statement: str) -> None:
    """What a statement of the reference stands on: my_model with its versions, unless it makes it."""
    makes = re.match(r"(?:BUILD|GET THANOSQL) MODEL", statement) and "overwrite" not in statement
    there = set(session.execute("LIST MODEL").name)
    for name in there:
        if makes or "ROLLBACK" in statement:
            session.execute(f"DROP MODEL {name}")
    if "my_model" in statement and not makes and (name := "my_model") not in set(session.execute("LIST MODEL").name):
        for _ in range(3):
            session.execute(f"UPLOAD MODEL {name} OPTIONS (overwrite=True) FROM 'checkpoints/my_model'")
    if table := re.match(r"COPY (\w+) FROM", statement):
        session.execute(f"DROP TABLE IF EXISTS {table[1]}")


def _cut(session: Session) -> None:
    """Leave the tables that are trained on and measured with their first rows."""
    for table in session.execute("LIST TABLE").table:
        if table.startswith(("numbers_", "librispeech_")) or table in TABLES:
            session.execute(
                f'DELETE FROM "{table}" WHERE ctid <> ALL (ARRAY(SELECT ctid FROM "{table}" LIMIT {KEPT_ROWS}))'
            )


def _parse(block: Block) -> None:
    """Whatever can be said of a block without running it."""
    text = block.text
    if block.language == "sql":
        parse_script(re.sub(r"\A%%?thanosql[^\n]*\n?", "", text))
    elif block.language == "python":
        ast.parse(TransformerManager().transform_cell(text))
    elif block.language == "toml":
        assert set(tomllib.loads(text)) <= set(config.KEYS), block.place
    elif block.language in ("sh", "console", "bash"):
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if words[:3] == ["python", "-m", "thanosql"]:
                _parser().parse_args(words[3:])
    else:
        assert block.language in ("text", "csv", "svg"), f"{block.place}: nothing looks at {block.language}"

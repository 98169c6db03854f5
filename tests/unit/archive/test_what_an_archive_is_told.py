"""Settings, targets and checks: read at the edge, and everything that is wrong is said together."""

from __future__ import annotations

import json

import pytest

from stormarchive import __main__ as stormarchive
from stormarchive import checks, settings
from stormarchive.errors import ForeignError, RestoreError, SettingsError
from stormarchive.store import Base, Store
from stormarchive.stretch import Reach
from stormarchive.target import Target, route

MB = 1024 * 1024


def test_all_that_is_wrong_is_said_together():
    with pytest.raises(SettingsError) as error:
        settings.read(
            {
                "ARCHIVE_MEMBERS": "pg-0",
                "ARCHIVE_NAME": "Archive'",
                "ARCHIVE_KEEP": "0",
                "ARCHIVE_EVERY_S": "nan",
                "ARCHIVE_RATE": "fast",
                "ARCHIVE_RECEIVE": "yes",
                "ARCHIVE_PROGRAMS": "/nowhere",
            }
        )
    said = str(error.value).splitlines()
    assert [line.partition("=")[0] for line in said] == [
        "ARCHIVE_NAME",
        "ARCHIVE_MEMBERS",
        "ARCHIVE_PROGRAMS",
        "ARCHIVE_RECEIVE",
        "ARCHIVE_EVERY_S",
        "ARCHIVE_KEEP",
        "ARCHIVE_RATE",
    ]


def test_a_moment_needs_its_offset():
    assert (
        Target.parse_time("2026-11-30T03:16:32Z").at_s == Target.parse_time("2026-11-30T11:16:32+08:00").at_s
    )
    with pytest.raises(ValueError, match="no offset"):
        Target.parse_time("2026-11-30T03:16:32")


@pytest.fixture
def store(tmp_path):
    """Two base backups in one stretch, whole at 100 s and 200 s; the log reaches 300 s."""
    store = Store(tmp_path)
    store.identify("7", MB)
    stretch = store.begin_stretch()
    for number, ended_s in ((1, 100.0), (5, 200.0)):
        (store.bases_directory / str(number)).mkdir(parents=True)
        store.add(Base(str(number), 1, 1, number * MB + 1, number * MB + 100, ended_s, 1.0, 10))
    for number in range(1, 9):
        (stretch.directory / f"00000001000000000000000{number}").touch()
    stretch.reached(Reach(300.0, 8 * MB + 10))
    return store


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Target(at_s=150.0), "1"),
        (Target(at_s=200.0), "5"),
        (Target(at_s=300.0), "5"),
        (Target(), "5"),
        (Target(position=5 * MB), "1"),
        (Target(position=6 * MB), "5"),
    ],
)
def test_the_newest_base_backup_before_it_is_taken(store, target, name):
    assert route(store, target).base.name == name


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (Target(at_s=99.0), "before the oldest base backup"),
        (Target(at_s=301.0), "later than the archive reaches, 1970-01-01T00:05:00"),
        (Target(position=9 * MB), "later than the archive reaches, 0/80000A"),
        (Target(position=1), "before the oldest base backup"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(store, target, why):
    with pytest.raises(RestoreError, match=why):
        route(store, target)


def test_a_missing_file_is_told_unless_it_is_not_needed(store):
    (store.stretch(1).directory / "000000010000000000000003").unlink()
    assert route(store, Target()).base.name == "5"
    with pytest.raises(RestoreError, match=r"the log from 0/300000 to 0/400000 is missing"):
        route(store, Target(at_s=150.0))


def test_an_empty_archive_says_so(tmp_path):
    with pytest.raises(RestoreError, match="no base backup"):
        route(Store(tmp_path), Target())


def test_an_archive_stays_one_database_s(store):
    store.identify("7", MB)
    with pytest.raises(ForeignError, match="an archive of another database"):
        store.identify("8", MB)


def test_checks_are_read_and_mistakes_listed(tmp_path):
    path = tmp_path / "checks.json"
    path.write_text(json.dumps({"database": "bank", "figures": [{"id": "a", "query": "SELECT 1"}]}))
    assert checks.read(path).checks == (checks.Check("a", "SELECT 1", None),)
    path.write_text(
        json.dumps({"database": "bank", "figures": [{"id": "a"}], "invariants": [{"query": "x"}]})
    )
    with pytest.raises(SettingsError) as error:
        checks.read(path)
    assert len(str(error.value).splitlines()) == 2
    for nonsense in ("", "[]", "{}"):
        path.write_text(nonsense)
        with pytest.raises(SettingsError):
            checks.read(path)


def test_what_is_known_of_a_figure_is_checked_beside_it():
    asked = checks.Checks("bank", (checks.Check("a", "SELECT 1", None), checks.Check("b", "SELECT 2", "2")))
    assert asked.expecting({}) == asked
    assert asked.expecting({"a": "7"}).checks == (*asked.checks, checks.Check("a", "SELECT 1", "7"))
    with pytest.raises(SettingsError, match=r"no figure 'b' is asked \(known: a\)"):
        asked.expecting({"b": "2"})


@pytest.mark.parametrize("text", ["movements", "=7", "movements="])
def test_an_expectation_that_is_none_is_bad_input(text, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["stormarchive", "restore", "--expect", text])
    with pytest.raises(SystemExit) as ended:
        stormarchive.main()
    assert ended.value.code == 2
    assert "write FIGURE=VALUE" in capsys.readouterr().err

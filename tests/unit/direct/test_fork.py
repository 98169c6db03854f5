"""A fork is kept before it is overwritten, and a rebuild that was cut off can be begun again."""

import json

import pytest

from stormdrill.direct import inside
from stormdrill.direct.fork import Fork, MemberFork, _free, refuse_unread
from stormdrill.errors import ActionError


def fork(tmp_path, *members):
    return Fork(tmp_path / "fork.json", members, ())


def test_what_could_not_be_read_is_overwritten_by_a_persons_word_only(tmp_path):
    unread = fork(tmp_path, MemberFork("pg-a-0", read=True), MemberFork("pg-b-0", read=False, why="no disk"))
    with pytest.raises(ActionError, match=r"pg-b-0: no disk.*a person's decision"):
        refuse_unread(unread, None)
    refuse_unread(unread, "the disk is broken")


def test_an_empty_volume_is_said_to_be_unread_and_keeps_nobody_from_beginning_again(tmp_path):
    emptied = fork(tmp_path, MemberFork("pg-a-0", read=False, why="its volume is empty", empty=True))
    refuse_unread(emptied, None)
    assert emptied.unread == ("pg-a-0",)


def test_an_earlier_export_is_never_written_over(tmp_path):
    path = tmp_path / "fork-cell0.json"
    assert _free(path) == path
    path.touch()
    (tmp_path / "fork-cell0-2.json").touch()
    assert _free(path).name == "fork-cell0-3.json"


@pytest.mark.parametrize("files", [(), ("PG_VERSION", "backup_label")])
def test_a_volume_that_never_ran_a_database_is_empty(tmp_path, monkeypatch, capsys, files):
    """As a base backup leaves it that was killed: the control file would have come last."""
    data = tmp_path / "data"
    (data / "global").mkdir(parents=True)
    for name in files:
        (data / name).touch()
    monkeypatch.setattr(inside, "data_directory", lambda: data)
    assert inside.main("read") == 0
    assert json.loads(capsys.readouterr().out) == {"empty": True}


def test_a_backup_that_is_whole_is_read(tmp_path, monkeypatch):
    (tmp_path / "global").mkdir()
    for name in ("PG_VERSION", "backup_label", "global/pg_control"):
        (tmp_path / name).touch()
    assert not inside.unfinished(tmp_path)

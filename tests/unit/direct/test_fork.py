"""A fork is kept before it is overwritten, and a rebuild that was cut off can be begun again."""

import json
import time

import pytest

from stormdrill.direct import inside
from stormdrill.direct.bench import Bench
from stormdrill.direct.fork import Fork, MemberFork, _clock_error_s, _free, clock_error_s, refuse_unread
from stormdrill.errors import ActionError
from stormdrill.kube import ExecResult


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


class Site:
    """The other end of a bench's exec, whose clock is off."""

    def __init__(self, off_s):
        self.off_s = off_s

    def exec(self, *_):
        return ExecResult(0, json.dumps({"clock": time.time() + self.off_s}), "")


@pytest.mark.parametrize("off_s", [0.0, 7.0, -7.0])
def test_how_far_a_members_clock_is_off_bounds_what_its_times_prove(off_s):
    bench = Bench(Site(off_s), "bank", "pg-a", "pg-a-0", None)
    assert abs(off_s) <= clock_error_s(bench) < abs(off_s) + 0.5


def test_times_are_worth_what_the_worst_clock_is(tmp_path):
    near, far = (MemberFork("pg", read=True, clock_error_s=error) for error in (0.1, 0.3))
    nobody = MemberFork("pg", read=False)
    assert _clock_error_s(fork(tmp_path, near, far, nobody)) == 0.3
    assert _clock_error_s(fork(tmp_path, near, MemberFork("pg", read=True))) is None
    assert _clock_error_s(fork(tmp_path, nobody)) is None


def test_a_backup_that_is_whole_is_read(tmp_path, monkeypatch):
    (tmp_path / "global").mkdir()
    for name in ("PG_VERSION", "backup_label", "global/pg_control"):
        (tmp_path / name).touch()
    assert not inside.unfinished(tmp_path)

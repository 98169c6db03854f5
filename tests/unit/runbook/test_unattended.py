"""`--auto`: defaults are taken and said to be not exercised; what fails ends the run, and going on begins there."""

import io
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from stormdrill.cli import main

from .pages import action, check, decision, manual, write


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """`stormdrill runbook run book.md --run kept ...`, in this process."""

    def command(*arguments, book="book.md"):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.stdin", io.StringIO())
        code = main(["runbook", "run", book, "--run", "kept", *arguments])
        return Done(code, *capsys.readouterr())

    return command


def events(tmp_path, kind=None):
    lines = (tmp_path / "kept" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [event for event in found if kind in (None, event["kind"])]


def results(tmp_path):
    return {event["data"]["step"]: event["data"]["result"] for event in events(tmp_path, "step.done")}


def test_every_step_is_an_event_with_actor_and_times(tmp_path, run):
    marked = action(
        "echo x >> did", marks={"start": "promote.started", "done": "promote.done"}, about={"a": "b"}
    )
    write(tmp_path, manual(), check("true"), decision(2), marked, {"kind": "approval", "people": 2})
    done = run("--auto")
    assert done.returncode == 0, done.stderr
    assert results(tmp_path) == {
        "s1": "not_exercised", "s2": "ok", "s3": "not_exercised", "s4": "done", "s5": "not_exercised",
    }  # fmt: skip
    assert {event["actor"] for event in events(tmp_path)} == {"auto"}
    assert all(event["utc"] and event["mono_ns"] for event in events(tmp_path))
    (decided,) = events(tmp_path, "decision")
    assert (decided["data"]["auto"], decided["data"]["seconds"]) == (True, None)
    assert [event["kind"] for event in events(tmp_path) if "moment" in event["data"]] == [
        "promote.started",
        "promote.done",
    ]
    assert events(tmp_path, "promote.done")[0]["data"]["a"] == "b"


def test_a_failed_step_ends_the_run_and_the_next_begins_there(tmp_path, run):
    write(tmp_path, action("echo x >> did"), check("test -e ready"), action("echo y >> did"))
    failed = run("--auto")
    assert failed.returncode == 1
    assert "go on with: stormdrill runbook run book.md --run kept --auto" in failed.stdout
    (tmp_path / "ready").touch()
    assert run("--auto").returncode == 0
    assert (tmp_path / "did").read_text() == "x\ny\n"
    assert run("--auto").returncode == 0
    assert (tmp_path / "did").read_text() == "x\ny\n"  # a run that is done does nothing more


def test_what_is_so_already_is_not_done_again(tmp_path, run):
    write(tmp_path, action("echo x >> did", already={"command": "true"}, repeatable=False))
    assert run("--auto").returncode == 0
    assert not (tmp_path / "did").exists()
    assert results(tmp_path) == {"s1": "already"}


def test_an_action_without_its_proof_is_not_done(tmp_path, run):
    write(
        tmp_path, action("true", proof={"command": "false", "within": "0s"}, marks={"done": "promote.done"})
    )
    assert run("--auto").returncode == 1
    assert results(tmp_path) == {}
    assert not events(tmp_path, "promote.done")


def test_a_step_waived_by_default_leaves_the_run_inconclusive(tmp_path, run):
    marks = {"marks": {"done": "fence.armed"}, "about": {"site": "c1", "how": "proven"}}
    waive = {"people": 2, "default": "continue", "about": {"how": "declared"}}
    write(tmp_path, check("false", waive=waive, **marks), manual())
    assert run("--auto").returncode == 3
    (armed,) = events(tmp_path, "fence.armed")
    assert (armed["data"]["site"], armed["data"]["how"]) == ("c1", "declared")


def test_decisions_lead_on_past_or_hold(tmp_path, run):
    past = decision(default="past", past="s3", go="continue")
    write(
        tmp_path,
        past,
        action("echo x >> did"),
        manual(),
        decision(default="hold", hold="stop", go="continue"),
    )
    assert run("--auto").returncode == 4
    assert not (tmp_path / "did").exists()
    assert events(tmp_path, "step.skipped")[0]["data"]["step"] == "s2"
    assert run("--auto").returncode == 4  # asked again, held again
    assert len(events(tmp_path, "decision")) == 3


def test_a_default_can_be_chosen_at_the_start(tmp_path, run):
    write(tmp_path, decision(default="end", end="end", go="continue"), action("echo x >> did"))
    for wrong, says in (
        ("s9=go", "no decision is called 's9'"),
        ("s1=on", "has no option 'on'"),
    ):
        refused = run("--auto", "--choose", wrong)
        assert (refused.returncode, says in refused.stderr) == (2, True)
    assert run("--auto", "--choose", "s1=go").returncode == 0
    assert (tmp_path / "did").exists()
    (decided,) = events(tmp_path, "decision")
    assert (decided["data"]["choice"], decided["data"]["auto"]) == ("go", True)


def test_a_check_must_hold_for_its_time_on_end(tmp_path, run):
    flicker = "n=$(cat n 2>/dev/null || echo 0); echo $((n+1)) > n; test $n -ne 1"
    write(tmp_path, check(flicker, **{"for": "1s", "within": "8s"}))
    assert run("--auto").returncode == 0
    assert (
        int((tmp_path / "n").read_text()) >= 4
    )  # 0 held, 1 not, 2 did, and once more after a second at least


def test_what_must_be_done_by_hand_is_refused_before_anything_is_done(tmp_path, run):
    write(tmp_path, action("echo x >> did"), manual(auto="refuse"))
    refused = run("--auto")
    assert (refused.returncode, "step 2 is done by hand" in refused.stderr) == (2, True)
    write(tmp_path, decision(default="end", end="end", go="continue"), manual(auto="refuse"))
    assert run("--auto").returncode == 0  # the defaults do not lead there


def test_a_command_that_does_not_end_is_ended_with_its_children(tmp_path, run):
    slow = {"run": "sleep 300 & echo $! > pid; wait", "timeout": "500ms"}
    write(tmp_path, action(slow))
    assert run("--auto").returncode == 1
    stat = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    assert not stat.exists() or ") Z " in stat.read_text()


def test_wrong_places_are_refused(tmp_path, run):
    write(tmp_path, manual())
    assert "no terminal: use --auto" in run().stderr
    assert run("--auto").returncode == 0
    write(tmp_path, manual(), manual())
    changed = run("--auto")
    assert (changed.returncode, "changed since" in changed.stderr) == (2, True)
    assert run("--auto", book="kept/runbook.md").returncode == 0
    (tmp_path / "kept" / "mine.txt").touch()
    write(tmp_path, manual())
    assert "it holds mine.txt" in run("--auto").stderr
    (tmp_path / "kept" / "history.jsonl").write_text("nonsense\n")
    assert "not a history" in run("--auto").stderr

"""People at a pseudo terminal: their answers, their names, Ctrl-C, `kill -9` in the middle, and going on."""

import json

import pytest

from .pages import action, check, decision, manual, write
from .person import Person

CTRL_C = b"\x03"


@pytest.fixture
def sit(tmp_path):
    return lambda *more: Person("book.md", "--run", "kept", "--actor", "Li Wei", *more, cwd=tmp_path)


def events(tmp_path, kind):
    lines = (tmp_path / "kept" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["kind"] == kind]


def test_people_do_decide_and_approve_by_name(tmp_path, sit):
    write(tmp_path, manual(), decision(2), action("echo x >> did"), {"kind": "approval", "people": 2})
    person = sit()
    person.answer("done by hand?", "what")
    person.answer("answer one of: d, q", "D")
    person.answer("which?", "go")
    person.answer("1 of 2", "  Chen   Jie ")
    person.answer("2 of 2", "chen jie")
    person.answer("named already", "王芳")
    person.answer("do it?", "y")
    person.answer("approved?", "y")
    person.answer("1 of 2", "A")
    person.answer("2 of 2", "B")
    assert person.end() == 0
    (decided,) = events(tmp_path, "decision")
    assert (decided["actor"], decided["data"]["people"]) == ("Chen Jie", ["Chen Jie", "王芳"])
    assert 0 <= decided["data"]["seconds"] < 30  # typed ahead, it takes less than a millisecond
    assert events(tmp_path, "step.done")[0]["actor"] == "Li Wei"


def test_an_approval_refused_holds_and_is_asked_again(tmp_path, sit):
    write(tmp_path, {"kind": "approval", "people": 2}, manual())
    person = sit()
    person.answer("approved?", "n")
    person.answer("name", "Chen Jie")
    assert person.end() == 4
    assert "held: 'stop', by Chen Jie" in person.seen
    person = sit()
    person.until("approved?")
    person.hang_up()
    assert person.end() == 4
    assert events(tmp_path, "runbook.left")


def test_kill_in_the_middle_of_an_action_is_asked_about(tmp_path, sit):
    write(tmp_path, manual(), action("echo x >> did; until test -e ready; do sleep 0.1; done"))
    person = sit()
    person.answer("done by hand?", "d")
    person.answer("do it?", "y")
    person.until_there(tmp_path / "did")
    person.kill()
    person = sit()
    person.until("1 of 2 steps are settled")
    person.until("The run was cut off during this step")
    person.answer("d = it was done", "a")
    (tmp_path / "ready").touch()
    person.answer("do it?", "y")
    assert person.end() == 0
    assert (tmp_path / "did").read_text() == "x\nx\n"


def test_a_killed_action_that_turns_out_to_be_done_is_not_done_again(tmp_path, sit):
    act = action("echo x >> did; sleep 300", already={"command": "test -e did"}, repeatable=False)
    write(tmp_path, act)
    person = sit()
    person.answer("do it?", "y")
    person.until_there(tmp_path / "did")
    person.kill()
    person = sit()
    person.until("already so")
    assert person.end() == 0
    assert (tmp_path / "did").read_text() == "x\n"


def test_ctrl_c_ends_the_command_and_says_how_to_go_on(tmp_path, sit):
    write(tmp_path, action("echo $$ > pid; sleep 300"))
    person = sit()
    person.answer("do it?", "y")
    person.until_there(tmp_path / "pid")
    person.press(CTRL_C)
    assert person.end() == 4
    assert "step 1 was begun and has no known end" in person.seen
    assert "go on with: stormdrill runbook run book.md --run kept" in person.seen
    assert "Traceback" not in person.seen


def test_a_failed_step_is_repeated_or_waived_by_name_with_a_reason(tmp_path, sit):
    write(tmp_path, check("test -e ready"), check("false", waive={"people": 2}), check("false"))
    person = sit()
    person.until("NOT AS IT SHOULD BE")
    (tmp_path / "ready").touch()
    person.answer("a = again, s = stop here", "w")  # this one may not be waived
    person.answer("answer one of: a, s, q", "a")
    person.answer("w = go on all the same", "w")
    person.answer("why go on", "")
    person.answer("why go on", "we saw it with our own eyes")
    person.answer("1 of 2", "A")
    person.answer("2 of 2", "B")
    person.answer("=== 3", "s")
    assert person.end() == 1
    (waived,) = events(tmp_path, "decision")
    assert (waived["data"]["people"], waived["data"]["reason"]) == (["A", "B"], "we saw it with our own eyes")


def test_two_cannot_run_the_same_at_once(tmp_path, sit):
    write(tmp_path, manual())
    first = sit()
    first.until("done by hand?")
    second = sit()
    assert second.end() == 2
    assert "somebody else is running a runbook there" in second.seen
    first.press(CTRL_C)
    assert first.end() == 4


def test_in_a_drill_s_run_it_keeps_a_history_of_its_own(tmp_path, sit):
    write(tmp_path, manual())
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "plan.json").write_text("{}")
    (tmp_path / "kept" / "history.jsonl").write_text("")
    person = sit()
    person.answer("done by hand?", "d")
    assert person.end() == 0
    assert (tmp_path / "kept" / "history.jsonl").read_text() == ""
    assert "step.done" in (tmp_path / "kept" / "runbook" / "history.jsonl").read_text()

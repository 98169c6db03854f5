"""History, run directory, waiting, and the text of problems."""

import json
import threading
import time
from pathlib import Path

import pytest

from stormdrill import history, store, wait
from stormdrill.errors import DeadlineError, InputError, Problem


def test_events_keep_order_phase_and_clock(tmp_path: Path) -> None:
    book = history.History(tmp_path / "history.jsonl")
    before = time.monotonic_ns()
    book.start_phase("steady")
    book.append("fault.applied", "chaos", mono_ns=before - 5_000_000_000, name="kill")
    book.close()
    phase, fault = history.read(tmp_path / "history.jsonl")
    assert (phase.seq, phase.kind, phase.phase) == (0, "phase.start", "steady")
    assert before <= phase.mono_ns <= time.monotonic_ns()
    assert (fault.seq, fault.actor, fault.phase, fault.data) == (1, "chaos", "steady", {"name": "kill"})
    assert fault.utc < phase.utc  # back-dated to when it was observed


def test_an_unknown_phase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown phase"):
        history.History(tmp_path / "history.jsonl").start_phase("stedy")


def test_a_torn_last_line_is_left_out_and_the_numbering_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    book = history.History(path)
    book.append("one")
    book.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert [event.kind for event in history.read(path)] == ["one"]
    history.History(path).append("two")
    assert [(event.seq, event.kind) for event in history.read(path)] == [(0, "one"), (1, "two")]


def test_what_comes_after_the_end_is_written_nowhere(tmp_path: Path) -> None:
    book = history.History(tmp_path / "history.jsonl")
    book.append("one")
    book.close()
    with (tmp_path / "other").open("w") as other:  # takes the descriptor that was given back
        book.append("late")
        book.close()
        other.write("mine")
    assert (tmp_path / "other").read_text() == "mine"
    assert [event.kind for event in history.read(tmp_path / "history.jsonl")] == ["one"]


def test_threads_do_not_mix_lines(tmp_path: Path) -> None:
    book = history.History(tmp_path / "history.jsonl")
    threads = [
        threading.Thread(target=lambda n=number: [book.append("tick", n=n) for _ in range(30)])
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in history.read(tmp_path / "history.jsonl")] == list(range(120))


def test_two_runs_of_one_second_get_two_directories(tmp_path: Path) -> None:
    first, second = store.create(tmp_path, "pod-kill"), store.create(tmp_path, "pod-kill")
    assert first.path != second.path
    assert first.requests.is_dir()
    assert second.witness.is_dir()


def test_json_files_are_replaced_whole_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    store.write_json(path, {"a": 1})
    store.write_json(path, {"a": [1, 2]})
    assert store.read_json(path) == {"a": [1, 2]}
    assert [entry.name for entry in tmp_path.iterdir()] == ["verdict.json"]


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        store.read_json(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text('{\n"a": }')
    with pytest.raises(InputError, match=r"plan\.json:2: not JSON"):
        store.read_json(tmp_path / "plan.json")
    with pytest.raises(InputError, match="not a run directory"):
        store.open_run(tmp_path / "nowhere")


def test_waiting_returns_the_value_or_names_what_did_not_happen() -> None:
    answers = iter([None, "", "ready"])
    assert wait.until(lambda: next(answers), deadline_s=5, what="pod", poll_s=0.001) == "ready"
    with pytest.raises(DeadlineError, match=r"pod ready: not within 0\.05 s"):
        wait.until(lambda: False, deadline_s=0.05, what="pod ready", poll_s=0.01)


def test_problems_are_sorted_by_place() -> None:
    error = InputError(
        [Problem("b.yaml", 2, "two"), Problem("a.yaml", 9, "nine"), Problem("a.yaml", 0, "whole")]
    )
    assert str(error) == "a.yaml: whole\na.yaml:9: nine\nb.yaml:2: two"
    assert json.dumps(str(Problem("", 0, "plain"))) == '"plain"'

"""A holder is recognised dead only with proof; a run whose harness was killed is marked, once."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from stormdrill import history, store
from stormdrill.drill import leftover
from stormdrill.drill.identity import Holder


def dead_holder():
    """This machine's record of a process that has ended."""
    program = "from stormdrill.drill.identity import Holder; print(Holder.me(), flush=True)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        text, _ = process.communicate()
    holder = Holder.parse(text.strip())
    assert holder is not None
    return holder


def test_a_holder_survives_its_text_form():
    assert Holder.parse(str(Holder.me())) == Holder.me()
    assert Holder.parse("kube-scheduler-7f9c") is None
    assert Holder.parse("a/b/c/d") is None


def test_a_live_process_is_known_alive():
    assert Holder.me().known_alive()
    assert not Holder.me().known_dead()


def test_an_ended_process_is_known_dead():
    assert dead_holder().known_dead()


def test_a_reused_pid_is_not_the_same_process():
    assert replace(Holder.me(), started=Holder.me().started - 1).known_dead()
    assert replace(Holder.me(), boot="an earlier boot").known_dead()


def test_another_machine_cannot_be_judged():
    elsewhere = replace(Holder.me(), host="elsewhere:1", started=1)
    assert not elsewhere.known_dead()
    assert not elsewhere.known_alive()


def killed_run(root, holder, channel=None, torn=b'{"seq": 2, "mono'):
    run = store.create(root, "pod-kill")
    log = history.History(run.history)
    log.start_phase("steady")
    log.append("load.started")
    log.close()
    with run.history.open("ab") as stream:
        stream.write(torn)
    file = run.path / "supervisor.json"
    file.write_text(json.dumps({"holder": str(holder), "channel_directory": channel}))
    return run


def test_a_killed_run_is_marked_aborted_and_its_torn_line_is_cut(tmp_path):
    run = killed_run(tmp_path, dead_holder())
    assert leftover.mark_dead(tmp_path) == [run]
    events = list(history.read(run.history))
    assert [event.kind for event in events] == ["phase.start", "load.started", "abort"]
    assert events[-1].data == {"reason": "the harness was killed", "by": "signal"}
    assert events[-1].phase == "steady"
    assert events[-1].seq == 2
    assert leftover.mark_dead(tmp_path) == []


def test_a_live_run_is_left_alone(tmp_path):
    run = store.create(tmp_path, "pod-kill")
    leftover.claim(run, None)
    assert leftover.mark_dead(tmp_path) == []
    leftover.release(run)
    assert not (run.path / "supervisor.json").exists()


def test_its_channel_directory_is_removed_and_nothing_else(tmp_path):
    ours = Path(tempfile.mkdtemp(prefix="stormdrill-"))
    (ours / "supervisor.sock").touch()
    other = tmp_path / "stormdrill-precious"
    other.mkdir()
    holder = dead_holder()
    killed_run(tmp_path, holder, str(ours))
    killed_run(tmp_path, holder, str(other))
    killed_run(tmp_path, holder, os.sep)
    assert len(leftover.mark_dead(tmp_path)) == 3
    assert not ours.exists()
    assert other.exists()


def test_rubbish_in_its_place_is_no_reason_to_fail(tmp_path):
    for i, text in enumerate(("", "[]", '{"holder": 3}', '{"holder": "x", "channel_directory": null}')):
        (tmp_path / str(i)).mkdir()
        (tmp_path / str(i) / "supervisor.json").write_text(text)
    assert leftover.mark_dead(tmp_path) == []

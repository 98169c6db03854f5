"""Drills from the command line to their verdicts: real processes, with fakes only at the wire."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from stormdrill import history, wait
from stormlab.process import ProcessId


def events(run):
    return list(history.read(run / "history.jsonl"))


def kinds(run):
    return [event.kind for event in events(run)]


def phases(run):
    return [event.phase for event in events(run) if event.kind == "phase.start"]


def until_phase(whole, process, phase, deadline_s=40):
    """Wait until the running drill is in `phase`; its run directory."""

    def there():
        assert process.poll() is None, process.communicate()
        found = list(whole.runs.glob("*/history.jsonl")) if whole.runs.exists() else []
        return found[-1].parent if found and phase in phases(found[-1].parent) else None

    return wait.until(there, deadline_s=deadline_s, what=phase)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # the thread has ended meanwhile
            found += [int(text) for text in (task / "children").read_text().split()]
    return found


def gone(pids, deadline_s=10):
    wait.until(lambda: not any(alive(pid) for pid in pids), deadline_s=deadline_s, what=f"the end of {pids}")


def test_a_drill_passes(whole):
    done = whole.run("--json")
    assert done.stdout, done.stderr
    assert done.returncode == 0, done.stderr
    (drill,) = json.loads(done.stdout)["drills"]
    assert drill["verdict"] == "pass"
    run = whole.only_run
    assert drill["run"] == str(run)
    assert phases(run) == [
        "prepare", "steady", "inject", "recover", "revert", "settle", "audit", "measure", "judge", "report",
    ]  # fmt: skip
    assert kinds(run).count("fault.proven") == kinds(run).count("pod.replaced") == 2
    assert json.loads((run / "verdict.json").read_text())["verdict"] == "pass"
    assert json.loads((run / "journal.json").read_text())["status"] == "completed"
    assert json.loads((run / "series" / "_up.json").read_text())["fetched"]
    clocks = [event for event in events(run) if event.kind == "prometheus.clock"]
    assert [event.phase for event in clocks] == ["prepare", "audit"]
    assert all(abs(event.data["offset_s"]) <= event.data["error_s"] + 0.05 for event in clocks)
    assert (run / "report.html").exists()
    assert [call for call in whole.fake.calls() if "lease" in call] == [
        "CREATE lease drill",
        "DELETE lease drill",
    ]
    assert not (run / "supervisor.json").exists()
    assert not list(whole.temporary.iterdir()), "a socket directory was left behind"


def test_ctrl_c_between_two_faults_stops_the_second_and_still_judges(whole):
    whole.write_experiment(pause=20)
    process = whole.start()
    run = until_phase(whole, process, "inject")
    wait.until(lambda: "fault.proven" in kinds(run), deadline_s=20, what="the first fault")
    below = children(process.pid)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, out + err
    assert time.monotonic() - began < 30
    assert [e.data["name"] for e in events(run) if e.kind == "fault.applied"] == ["kill_pods-1"]
    (abort,) = [e for e in events(run) if e.kind == "abort"]
    assert abort.data["by"] == "signal"
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["aborted"]
    assert verdict["verdict"] != "pass"
    assert len(below) >= 2
    gone(below)
    assert "aborted" in out
    assert whole.fake.calls()[-1] == "DELETE lease drill"


def test_kill_9_leaves_no_process_and_the_next_drill_starts_at_once(whole):
    whole.write_experiment(pause=20)
    process = whole.start()
    run = until_phase(whole, process, "inject")
    below = children(process.pid)
    assert len(below) >= 2
    process.kill()
    process.wait()
    gone(below)
    whole.write_experiment()
    began = time.monotonic()
    done = whole.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 40
    assert f"{run}: its harness was killed; marked as aborted" in done.stdout
    assert "drill lock taken over" in done.stdout
    assert events(run)[-1].kind == "abort"
    judged = subprocess.run(
        [sys.executable, "-m", "stormdrill", "judge", str(run)], capture_output=True, text=True, check=False
    )
    assert judged.returncode == 4, judged.stdout + judged.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_without_a_live_generator_a_run_never_passes(whole, number):
    whole.write_experiment(pause=3)
    process = whole.start("--json")
    run = until_phase(whole, process, "inject")
    (started,) = [event for event in events(run) if event.kind == "load.started"]
    generator = ProcessId.of(started.data["pid"])
    assert generator is not None
    generator.signal(number)
    out, err = process.communicate(timeout=90)
    (drill,) = json.loads(out)["drills"]
    assert process.returncode == 3, (drill, err)
    assert drill["verdict"] == "inconclusive"
    assert "load.died" in kinds(run)
    gone([started.data["pid"]])


def test_a_fault_that_hurts_nothing_ends_its_run_and_no_other(whole):
    whole.fake.behave(delete="refused")
    done = whole.run("--json", times=2)
    assert done.stdout, done.stderr
    drills = json.loads(done.stdout)["drills"]
    assert done.returncode == 3, (drills, done.stderr)
    assert [drill["verdict"] for drill in drills] == ["inconclusive", "inconclusive"]
    for run in (Path(drill["run"]) for drill in drills):
        assert "fault.applied" not in kinds(run)
        assert kinds(run).count("fault.refused") == 1
        (cut,) = [event for event in events(run) if event.kind == "cut"]
        assert "pods is forbidden" in cut.data["reason"]


def test_a_drill_that_cannot_be_judged_is_not_bad_input(whole):
    process = whole.start("--json")
    run = until_phase(whole, process, "inject")
    (run / "verdict.json").mkdir()
    out, err = process.communicate(timeout=90)
    (drill,) = json.loads(out)["drills"]
    assert process.returncode == 3, err
    assert drill["verdict"] == "no verdict"
    assert str(run) in drill["why"][0]


def chaos_run(whole):
    """Plain `chaos run` of the experiment, started; its run directory is where the others are."""
    environment = {
        **whole.environment,
        "KUBECONFIG": str(whole.root / "kubeconfig"),
        "STORMDRILL_ARGS": f"--runs {whole.runs}",
    }
    chaos = Path(sys.executable).with_name("chaos")
    return subprocess.Popen(
        [str(chaos), "--no-version-check", "--no-log-file", "run", str(whole.experiment)],
        cwd=whole.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("behave", "verdict", "code"), [({}, "pass", 0), ({"exec": "refused"}, "inconclusive", 1)]
)
def test_plain_chaos_run_writes_the_same_verdict_and_exits_by_it(whole, behave, verdict, code):
    whole.fake.behave(**behave)
    process = chaos_run(whole)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == code, out
    assert json.loads((whole.only_run / "verdict.json").read_text())["verdict"] == verdict


def test_sigterm_to_plain_chaos_run_injects_no_further_fault(whole):
    whole.write_experiment(pause=20)
    process = chaos_run(whole)
    run = until_phase(whole, process, "inject")
    wait.until(lambda: "fault.proven" in kinds(run), deadline_s=20, what="the first fault")
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert kinds(run).count("fault.applied") == 1
    assert json.loads((run / "verdict.json").read_text())["aborted"]

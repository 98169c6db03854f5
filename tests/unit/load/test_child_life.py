"""The child's life and death: parents that die, signals, stops, freezes, and files that cannot be loaded."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.forking import Nursery

from stormdrill import wait
from stormdrill.errors import Aborted, TargetError
from stormdrill.load.config import LoadConfig
from stormdrill.load.process import LoadProcess
from stormdrill.records import reader
from stormdrill.records.layout import Act, Flag, Outcome, Reason

from .conftest import Started, Stub
from .test_generator import PHONES, check_whole, finals

Start = Callable[..., Started]
Configure = Callable[..., LoadConfig]

PARENT = """
import sys, threading
from pathlib import Path
from stormdrill.load.config import LoadConfig
from stormdrill.load.process import LoadProcess
# Started from a thread that ends: the child must follow the process, not the thread.
started = []
config = LoadConfig.from_text(Path(sys.argv[1]).read_text())
thread = threading.Thread(target=lambda: started.append(LoadProcess.launch(config, lambda second: None)))
thread.start(); thread.join()
print(started[0].pid, flush=True)
threading.Event().wait()
"""


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def gone(pid: int) -> bool:
    try:
        return state(pid) == "Z"
    except FileNotFoundError:
        return True


def test_the_child_dies_with_its_parent(configure: Configure, stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(configure(PHONES, [stub.url]).to_text())
    command = [sys.executable, "-c", PARENT, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait.pause(0.5)
        assert not gone(pid)
        parent.kill()
        wait.until(lambda: gone(pid), deadline_s=0.5, what="child gone", poll_s=0.01)


def test_stopping_gives_two_seconds_and_leaves_the_rest_unknown(start: Start, stub: Stub) -> None:
    started = start(PHONES.replace("timeout: 1s", "timeout: 30s").replace("4s", "40s"), [stub.url])
    stub.behave("silent")
    wait.pause(1)
    before_s = time.monotonic()
    started.load.stop()
    assert 1.9 < time.monotonic() - before_s < 2.5
    check_whole(started)
    records, witness = started.requests(), started.witness()
    ended = finals(records)[finals(records)["reason"] == Reason.PHASE_END]
    flown = ended[ended["sent_ns"] > 0]
    assert len(flown) > 40
    assert set(flown["outcome"]) == {Outcome.UNKNOWN}
    # Steps that fell due while their phone still waited: nobody asked, and they are not forgotten.
    waiting = ended[ended["sent_ns"] == 0]
    assert len(waiting) > 3
    assert set(waiting["outcome"]) == {Outcome.BLOCKED}
    writes = flown[(flown["flags"] & Flag.WRITE) > 0]
    acts = witness[np.isin(witness["seq"], writes["seq"]) & (witness["act"] != Act.INTENT)]
    assert set(acts["act"]) == {Act.UNKNOWN}
    assert len(acts) == len(writes)
    assert gone(started.load.pid)


def test_a_killed_child_leaves_readable_records(start: Start, stub: Stub) -> None:
    started = start(PHONES, [stub.url])
    wait.pause(1.5)
    os.kill(started.load.pid, signal.SIGKILL)
    wait.until(lambda: not started.load.alive, deadline_s=2, what="death seen")
    assert "signal 9" in started.load.error
    requests = reader.read_file(started.config.requests_file)
    witness = reader.read_file(started.config.witness_file)
    assert (requests.bad, witness.bad, requests.torn_bytes, witness.torn_bytes) == (0, 0, 0, 0)
    assert len(requests.data) > 60
    # Whoever was counted as acknowledged has an intent and an ok; what was in flight has only the intent.
    written = set(requests.data[(requests.data["flags"] & Flag.WRITE) > 0]["seq"])
    intents = set(witness.data[witness.data["act"] == Act.INTENT]["seq"])
    assert written <= intents
    assert len(intents - written) < 10


def test_a_frozen_generator_says_so(start: Start, stub: Stub) -> None:
    started = start(PHONES, [stub.url])
    wait.pause(1.2)
    os.kill(started.load.pid, signal.SIGSTOP)
    wait.until(lambda: state(started.load.pid) == "T", deadline_s=2, what="the freeze")
    frozen_ns = time.monotonic_ns()
    wait.pause(3)
    thawed_ns = time.monotonic_ns()  # before the signal: it may run again before the call returns
    os.kill(started.load.pid, signal.SIGCONT)
    wait.pause(1.5)
    started.load.stop()
    check_whole(started)
    stalled = [line for line in started.lines if line.loop_stall_ms > 2500]
    assert len(stalled) == 1
    assert abs(stalled[0].t_ns - thawed_ns) < 1_000_000_000
    assert stalled[0].span_ms > 2500
    assert max(line.lateness_p99_ms for line in started.lines) > 500
    assert sum(line.dropped for line in started.lines) > 50  # later than the app's timeout: nobody would ask
    # Every due time of the freeze has its record.
    records = finals(started.requests())
    probes = records[(records["flags"] & Flag.PROBE) > 0]
    due = probes[(probes["due_ns"] > frozen_ns) & (probes["due_ns"] < thawed_ns)]
    assert abs(len(due) - 60 * 3) <= 3
    assert np.all((due["sent_ns"] == 0) | (due["sent_ns"] >= thawed_ns))


def test_a_load_that_cannot_be_recorded_ends_and_says_why(start: Start, stub: Stub) -> None:
    started = start(PHONES, [stub.url])
    room = started.config.requests_file.stat().st_size + 6400
    resource.prlimit(started.load.pid, resource.RLIMIT_FSIZE, (room, room))
    wait.until(lambda: not started.load.alive, deadline_s=8, what="the end", poll_s=0.05)
    assert "File too large" in started.load.error
    assert reader.read_file(started.config.requests_file).bad == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ny = (\n", "mine.py:2: SyntaxError"),
        (
            "import nothing_of_that_name\n",
            "mine.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'",
        ),
        (
            "from stormdrill.load.generator.phone import Phone\nclass A(Phone): pass\n",
            "A has no step for balance",
        ),
        ("from locust import User, task\nclass A(User):\n  @task\n  def t(self): pass\n", "needs 'arrivals'"),
    ],
)
def test_a_bad_locustfile_is_one_message(
    configure: Configure, stub: Stub, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(textwrap.dedent(text))
    config = configure(PHONES, [stub.url], locustfile=file)
    with pytest.raises(TargetError) as caught:
        LoadProcess.launch(config, lambda _: None)
    assert message in str(caught.value)
    assert "Traceback" not in config.log_file.read_text()


def children() -> set[int]:
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}


def test_a_start_that_is_not_wanted_any_more_leaves_nothing(configure: Configure, stub: Stub) -> None:
    stub.behave("silent")
    before = children()
    seen: set[int] = set()

    def check() -> None:
        seen.update(children() - before)
        if seen:
            raise Aborted("enough")

    with pytest.raises(Aborted):
        LoadProcess.launch(configure(PHONES, [stub.url]), lambda _: None, check=check)
    assert seen
    assert all(gone(pid) for pid in seen)


def test_a_bank_that_lets_nobody_in_is_one_message(configure: Configure, banks: Nursery) -> None:
    closed = Stub(banks)
    closed.stop()
    config = configure(PHONES, [closed.url])
    with pytest.raises(
        TargetError, match=r"login before the start: no answer from 127.0.0.1:\d+ \(connect: .*refused"
    ):
        LoadProcess.launch(config, lambda _: None)

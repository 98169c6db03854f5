"""Container logs and `exec`, through the API as kubectl uses them."""

import time
import urllib.error
from datetime import datetime

import pytest

from stormlab.wait import until

pytestmark = pytest.mark.lab


def test_log_options(machine, named):
    # Longer than a moment may be off: what is asked for is cut to a second, what was written is noted once a second.
    code = "for i in 1 2 3 4; do echo line $i; done; sleep 6.1; echo late; exec sleep 720"
    machine.run(named, "city1-a", "sh", "-c", code)
    until(lambda: "late" in machine.log(named), "late line", 12)
    assert machine.log(named, "tailLines=2") == "line 4\nlate\n"
    assert machine.log(named, "tailLines=0") == ""
    assert machine.log(named, "limitBytes=6") == "line 1"
    assert machine.log(named, "sinceSeconds=2") == "late\n"
    assert machine.log(named, "sinceSeconds=3600").startswith("line 1")
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 2))
    assert machine.log(named, f"sinceTime={moment}") == "late\n"
    assert machine.log(named, "sinceTime=2020-01-01T00:00:00Z").startswith("line 1")


def test_each_line_has_its_time_to_a_second(machine, named):
    before = time.time()
    machine.run(named, "city1-a", "sh", "-c", "echo one; sleep 3; echo two; sleep 724")
    until(lambda: "two" in machine.log(named), "all is written", 10)
    told = machine.log(named, "timestamps=true").splitlines()
    assert [line.split(" ", 1)[1] for line in told] == ["one", "two"]
    first, second = (datetime.fromisoformat(line.split(" ")[0]).timestamp() for line in told)
    assert before <= first <= second <= time.time()
    assert 1.9 <= second - first <= 4.1
    assert machine.log(named, "timestamps=true&tailLines=1").endswith("Z two\n")
    assert len(machine.log(named, "timestamps=true&limitBytes=7")) == 7


def test_log_options_that_are_not_kept_are_refused(machine, named):
    machine.run(named, "city1-a", "sleep", "721")
    for query in ("previous=true", "container=absent", "sinceTime=yesterday"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            machine.log(named, query)
        assert caught.value.code == 400


def test_exec_streams_and_exit_code(machine, named):
    machine.run(named, "city1-b", "sleep", "722", securityContext={"runAsUser": 999})
    assert machine.execute(named, "sh", "-c", "id -u; echo oops >&2; exit 5") == (5, "999\n", "oops\n")
    payload = b"x" * 300_000 + b"\n"
    code, out, _ = machine.execute(named, "head", "-c", str(len(payload)), stdin=payload)
    assert (code, len(out)) == (0, len(payload))
    code, out, _ = machine.execute(named, "sh", "-c", "test -t 0 && test -t 1 && stty size", tty=True)
    assert (code, out) == (0, "0 0\r\n")
    message, _, _ = machine.execute(named, "no-such-program")
    assert "executable file not found" in message


def test_exec_sees_the_containers_environment_and_dies_with_it(machine, named):
    container = {"env": [{"name": "X", "value": "42"}]}
    pod = machine.run(named, "city1-b", "sleep", "723", container=container)
    assert machine.execute(named, "sh", "-c", "echo $X; ls /proc | grep -c '^[0-9]'")[1].split()[0] == "42"
    before = machine.processes(pod)
    machine.execute(named, "sh", "-c", "setsid -f sleep 724")
    until(lambda: len(machine.processes(pod)) == len(before) + 1, "left behind by exec", 5)
    doomed = machine.processes(pod)
    start = time.perf_counter()
    machine.delete(named)
    until(lambda: not any(one.alive for one in doomed), "all dead", 5, poll_s=0.002)
    assert time.perf_counter() - start < 1

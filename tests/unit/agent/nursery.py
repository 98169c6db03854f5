"""Agents in milliseconds: forked off a process that has imported all they need, each into a network namespace.

Lines in: {"start": [argument, ...], "namespace": pid, "environment": {...}, "log": path} | {"poll": pid}.
Each is answered by one number: the pid, or the exit code (null while it runs). With its stdin it ends, and its children
with it.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time

_NEWNET = 0x40000000


class Agents:
    """Starts agents."""

    def __init__(self):
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True)

    def start(self, arguments, place, environment, log):
        """`stormdrill` with these arguments in the network namespace of a place."""
        command = {"start": arguments, "namespace": place.pid, "environment": environment, "log": str(log)}
        return Agent(self, self.ask(command))

    def ask(self, command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.communicate()


class Agent:
    """A running agent, with what a Popen has."""

    def __init__(self, agents, pid):
        self._agents, self.pid = agents, pid
        self._code = None

    def poll(self):
        if self._code is None:
            self._code = self._agents.ask({"poll": self.pid})
        return self._code

    def wait(self, within_s=20.0):
        end = time.monotonic() + within_s
        while (code := self.poll()) is None:
            assert time.monotonic() < end, f"it runs on after {within_s} s"
            time.sleep(0.01)
        return code

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


def _fork(main, command):
    if pid := os.fork():
        return pid
    code = 1
    try:
        log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for target, fd in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
            os.dup2(fd, target)
        namespace = os.open(f"/proc/{command['namespace']}/ns/net", os.O_RDONLY)
        assert ctypes.CDLL(None, use_errno=True).setns(namespace, _NEWNET) == 0
        os.closerange(3, 256)
        os.environ.clear()
        os.environ.update(command["environment"])
        code = main(command["start"])
    finally:
        os._exit(code)


def _serve():
    # The nursery's whole worth: its children find these modules there.
    import yaml  # noqa: F401

    import stormdrill.cli.agent
    import stormdrill.cli.parser  # noqa: F401
    from stormdrill.cli import main

    running = set()
    for line in sys.stdin:
        command = json.loads(line)
        if "start" in command:
            answer = _fork(main, command)
            running.add(answer)
        else:
            pid, status = os.waitpid(command["poll"], os.WNOHANG)
            running.discard(pid)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        print(json.dumps(answer), flush=True)
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _serve()

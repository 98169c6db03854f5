"""A drill and `recover` as processes that a test may stop, kill and read."""

import contextlib
import json
import signal
import subprocess
import sys
import time

from tests.lab.drill.estate import until

ENDS_S = 150


class Harness:
    """One drill."""

    def __init__(self, lab, experiment, runs, *options):
        self.runs, self.before = runs, set(runs.glob("*"))
        argv = [sys.executable, "-m", "stormdrill", "run", experiment, "--runs", str(runs)]
        argv += ["--kubeconfig", str(lab.kubeconfig), "--topology", str(lab.topology), *options]
        self.log = runs.parent / "drill.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)

    def run(self):
        """Its run directory, once there is one."""
        made = until(
            lambda: (set(self.runs.glob("*")) - self.before) or self.process.poll() is not None, 60, "a run"
        )
        assert isinstance(made, set), f"it ended before it began: {self.said()}"
        (path,) = made
        return path

    def signal(self, number):
        """Send a signal; when (monotonic seconds)."""
        self.process.send_signal(number)  # not by its number, which is somebody else's once it is over
        return time.monotonic()

    def ended(self):
        """Its exit code, once it is over."""
        return self.process.wait(ENDS_S)

    def said(self):
        return self.log.read_text()


@contextlib.contextmanager
def harness(lab, experiment, directory, *options):
    """A drill under way; dead at the end."""
    runs = directory / "runs"
    runs.mkdir(exist_ok=True)
    started = Harness(lab, experiment, runs, *options)
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.process.send_signal(signal.SIGKILL)
        started.process.wait()


def recover(lab, directory, *options):
    """`stormdrill recover`, as a completed process."""
    argv = [sys.executable, "-m", "stormdrill", "recover", "--topology", str(lab.topology)]
    argv += ["--kubeconfig", str(lab.kubeconfig), "--runs", str(directory / "runs"), *options]
    return subprocess.run(argv, capture_output=True, text=True, timeout=200, check=False)


def history(run):
    """All events of a run so far."""
    lines = (run / "history.jsonl").read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]

"""The independent writer beside a drill: started, begun, ended, and what its own log says."""

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FIRST, LAST = 9_901, 9_932
"""Its customers: none of the load's, and none of the books that the drill asks for."""
EVERY_MS = 50
DEADLINE_NS = 2_000_000_000  # of a transfer, by the topology
_BIN_NS = 100_000_000
_ENDS_S = 20


@dataclass(frozen=True)
class Written:
    """One transfer. `good_ns` is None when it was never answered well."""

    due_ns: int
    good_ns: int | None
    edge: str

    @property
    def good(self):
        return self.good_ns is not None and self.good_ns - self.due_ns <= DEADLINE_NS


class Writer:
    """The writer as a process."""

    def __init__(self, process, log):
        self._process, self._log = process, log

    def begin(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self):
        """Stop it; all it wrote, by due time."""
        self._process.terminate()
        self._process.wait(_ENDS_S)
        return self.so_far()

    def so_far(self):
        lines = self._log.read_text().splitlines(keepends=True) if self._log.exists() else []
        found = [Written(**json.loads(line)) for line in lines if line.endswith("\n")]
        return sorted(found, key=lambda one: one.due_ns)


@contextlib.contextmanager
def writer(lab, directory, *options):
    """The writer, logged in and waiting to begin."""
    log = directory / "written.jsonl"
    edges = [name for name in lab.endpoints if name.startswith("edge-")]
    argv = [sys.executable, str(HERE / "writer.py"), "--log", str(log), "--every-ms", str(EVERY_MS)]
    argv += ["--name", f"http://{lab.endpoints['names']}/names/bank", "--customers", f"{FIRST}-{LAST}"]
    for edge in edges:
        argv += ["--edge", f"{edge.removeprefix('edge-')}=http://{lab.endpoints[edge]}"]
    process = subprocess.Popen([*argv, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield Writer(process, log)
    finally:
        process.kill()
        process.wait()


def outage_s(written, t0_ns, window_s):
    """From t0 to the start of the first tenth of a second after which none with a bad transfer comes for `window_s`.

    In whole nanoseconds, by due times. None when it did not end.
    """
    after = [one for one in written if one.due_ns >= t0_ns]
    tenths = [(one.due_ns - t0_ns) // _BIN_NS for one in after]
    bad = sorted({tenth for tenth, one in zip(tenths, after, strict=True) if not one.good})
    clean = int(window_s * 10)
    for this, following in zip(bad, [*bad[1:], None], strict=True):
        if (following if following is not None else tenths[-1] + 1) - this - 1 >= clean:
            return min(tenth for tenth in tenths if tenth > this) / 10
    return None if bad else 0.0

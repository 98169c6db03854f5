"""`command: {run, ...}` or `command: "..."`: a shell command that must end with exit code 0."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stormdrill.chaos.child import die_with_parent
from stormdrill.content import Node
from stormdrill.runbook.calls import Finding
from stormdrill.runbook.surroundings import Surroundings

_GRACE_S = 5.0
_KEPT = 4000


@dataclass(frozen=True)
class Command:
    """Runs in the runbook's directory with standard input closed; `prints` must be in what it prints."""

    run_text: str
    prints: str | None
    timeout_s: float
    changes: bool = True

    @property
    def text(self) -> str:
        """The command as it will run."""
        return f"$ {self.run_text}" + (f"   (prints {self.prints!r})" if self.prints else "")

    def run(self, around: Surroundings) -> Finding:
        """Run it to its end. When we have to leave it early its whole process group is ended first."""
        process = self._start(around.base, {**os.environ, **around.environment()})
        try:
            said, _ = process.communicate(timeout=self.timeout_s)
        except subprocess.TimeoutExpired:
            said = _end(process)
            return Finding(False, f"did not end within {self.timeout_s:g} s; ended by force", _evidence(said))
        except BaseException:
            _end(process)
            raise
        last = next((line for line in reversed(said.splitlines()) if line.strip()), "no output")[:200]
        if process.returncode != 0:
            how = f"exit code {process.returncode}"
            return Finding(False, f"{how}: {last}", {"code": process.returncode, **_evidence(said)})
        holds = self.prints is None or self.prints in said
        return Finding(holds, last, {"code": 0, **_evidence(said)})

    def _start(self, base: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/sh", "-c", self.run_text],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", cwd=base, env=environment, process_group=0,
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - one thread, and it calls prctl
        )  # fmt: skip


def _evidence(said: str) -> dict[str, str]:
    return {"output": said[-_KEPT:]}


def _end(process: subprocess.Popen[str]) -> str:
    """End the group, politely and then not; what it had printed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):  # it may have ended by itself just now
            os.killpg(process.pid, number)
        try:
            return process.communicate(timeout=_GRACE_S)[0] or ""
        except subprocess.TimeoutExpired:
            continue
    return ""


def decode(node: Node) -> Command:
    """From a step's block: the command itself, or a mapping with more to say about it."""
    if not node.is_mapping:
        return Command(node.text(), None, 60.0)
    with node.fields() as fields:
        return Command(
            fields.need("run").text(),
            fields.get("prints").maybe(Node.text),
            fields.get("timeout").duration_s(60.0, low=0.1, high=3600),
        )

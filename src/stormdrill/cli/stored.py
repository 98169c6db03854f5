"""The pure steps over a stored run: measure, judge, report. Each can be repeated with the same result."""

from __future__ import annotations

import argparse
import json

from stormdrill import judge as judging
from stormdrill import measure as measuring
from stormdrill import report as reporting
from stormdrill import store
from stormdrill.cli.output import reader_may_leave
from stormdrill.errors import ExitCode


def measure(arguments: argparse.Namespace) -> int:
    """Write `measurements.json` again."""
    run = store.open_run(arguments.run)
    measuring.measure(run)
    _say(run.measurements.read_text() if arguments.json else str(run.measurements))
    return ExitCode.PASS


def judge(arguments: argparse.Namespace) -> int:
    """Measure and judge again; the exit code is the verdict's."""
    run = store.open_run(arguments.run)
    measuring.measure(run)
    verdict = judging.judge(run)
    _say(
        json.dumps(verdict.to_json(), default=str) if arguments.json else f"{verdict.verdict}  {run.verdict}"
    )
    return verdict.exit_code


def report(arguments: argparse.Namespace) -> int:
    """Write the report of a judged run again."""
    run = store.open_run(arguments.run)
    reporting.render(run)
    files = [
        str(path) for name in ("report.html", "report.md", "junit.xml") if (path := run.path / name).exists()
    ]
    _say(json.dumps(files) if arguments.json else "\n".join(files))
    return ExitCode.PASS


def _say(text: str) -> None:
    with reader_may_leave():
        print(text)

"""`check`: every content file, every problem, each with file and line."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from stormdrill import check as checking
from stormdrill import plan, topology
from stormdrill.cli import laboratory
from stormdrill.cli.output import reader_may_leave
from stormdrill.content import open_document
from stormdrill.errors import ExitCode, InputError, Problem


def check(arguments: argparse.Namespace) -> int:
    """Check the given files, and directories that hold content; InputError with everything found."""
    problems: set[Problem] = set()
    checked = 0
    for path in arguments.paths or [Path()]:
        try:
            checked += _check(path, problems)
        except InputError as error:
            problems.update(error.problems)
    if problems:
        raise InputError(sorted(problems))
    with reader_may_leave():
        print(f"{checked} content files, no problem")
    return ExitCode.PASS


def _check(path: Path, problems: set[Problem]) -> int:
    if path.is_dir():
        report = checking.check(path)
        problems.update(report.problems)
        for file in report.files:
            problems.update(replace(one, file=checking.shown(one.file)) for one in _of_lab(file))
        return len(report.files)
    if not path.is_file():
        raise InputError.at(path, 0, "no such file or directory")
    document = open_document(path)
    problems.update(_of_lab(path))
    schema = dict(document.root.items()).get("schema")
    if schema is None:
        plan.load(path)
    elif schema.text() in checking.READERS:
        checking.READERS[schema.text()](path)
    else:
        raise InputError.at(path, schema.line, f"unknown schema '{schema.text()}'")
    with reader_may_leave():
        for note in document.notes:
            print(f"{path}: mind: {note}")
    return 1


def _of_lab(path: Path) -> list[Problem]:
    """What the lab finds wrong with its half of a topology; nothing for other files, and for one without a lab."""
    try:
        fields = dict(open_document(path).root.items())
    except InputError:
        return []  # its own reader says so
    schema = fields.get("schema")
    if schema is None or schema.text() != topology.SCHEMA or "lab" not in fields:
        return []
    return laboratory.problems_of(path)

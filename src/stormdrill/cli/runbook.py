"""`runbook check` and `runbook run`."""

from __future__ import annotations

import argparse
import getpass
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from stormdrill import topology
from stormdrill.cli.output import Forgiving, reader_may_leave
from stormdrill.drill.sayings import worth_saying
from stormdrill.errors import ExitCode, InputError, Problem
from stormdrill.fence.site import Tell
from stormdrill.runbook import directory, document
from stormdrill.runbook.attention import Attention
from stormdrill.runbook.desk import Desk, NoDesk
from stormdrill.runbook.directory import Place
from stormdrill.runbook.journal import Journal
from stormdrill.runbook.perform import Performer
from stormdrill.runbook.run import Ending, Outcome, refuse_unattended
from stormdrill.runbook.run import run as go
from stormdrill.runbook.surroundings import Surroundings
from stormdrill.runbook.terminal import Terminal
from stormdrill.runbook.values import Runbook


def check(arguments: argparse.Namespace) -> int:
    """Read every file; InputError with everything found."""
    problems: set[Problem] = set()
    steps = 0
    for path in arguments.files:
        try:
            steps += len(_load(path).steps)
        except InputError as error:
            problems.update(error.problems)
    if problems:
        raise InputError(sorted(problems))
    with reader_may_leave():
        print(f"{len(arguments.files)} runbooks, {steps} steps, no problem")
    return ExitCode.PASS


def _load(path: Path, base: Path | None = None) -> Runbook:
    runbook = document.load(path, base)
    if runbook.topology:
        document.check_sites(runbook, topology.load(runbook.topology))
    return runbook


def run(arguments: argparse.Namespace) -> int:
    """Go through one runbook, or go on with it where an earlier run ended."""
    if not arguments.auto and not sys.stdin.isatty():
        raise InputError("runbook run asks a person, and standard input is no terminal: use --auto")
    runbook = _load(arguments.file, directory.base_of(arguments.run))
    if arguments.auto:
        refuse_unattended(runbook, dict(arguments.choose))
    elif arguments.choose:
        raise InputError("--choose is for --auto: at a terminal people decide")
    estate = arguments.topology or runbook.topology
    where = directory.place(arguments.run, runbook, arguments.runs)
    loaded = topology.load(estate) if estate else None
    around = Surroundings(runbook.base, loaded, arguments.kubeconfig, where.path)
    attention = Attention()
    desk = _desk(arguments, attention)
    with attention.watching(), directory.held(where):
        resumed = directory.begun(where, runbook)
        journal = Journal(where.history)
        try:
            _begin(runbook, desk, journal, where, resumed=resumed)
            around = replace(around, actor=desk.actor, tell=_telling(desk, journal), check=attention.check)
            ending = go(runbook, desk, journal, Performer(desk, around, attention))
        finally:
            journal.close()
        _conclude(runbook, desk, journal, where, ending)
    return ending.exit_code


def _telling(desk: Desk, journal: Journal) -> Tell:
    """What directors do for a step: on record, and told."""

    def tell(kind: str, actor: str = "", *, mono_ns: int | None = None, **data: Any) -> object:
        if kind == "decision":
            data["auto"] = not desk.attended
        if text := worth_saying(kind, data):
            desk.say(f"  {text}")
        return journal.tell(kind, actor or desk.actor, mono_ns=mono_ns, **data)

    return tell


def _desk(arguments: argparse.Namespace, attention: Attention) -> Desk:
    out = Forgiving(sys.stdout)

    def say(text: str) -> None:
        print(text, file=out, flush=True)

    if arguments.auto:
        return NoDesk(say, dict(arguments.choose))
    return Terminal(arguments.actor or getpass.getuser(), say, input, attention)


def _begin(runbook: Runbook, desk: Desk, journal: Journal, where: Place, *, resumed: bool) -> None:
    desk.say(f"{runbook.title}\nby {desk.actor}, recorded in {where.path}")
    if not resumed:
        about = {"runbook": runbook.name, "sha256": runbook.sha256, "base": str(runbook.base)}
        steps = [step.id for step in runbook.steps]
        journal.write("runbook.start", desk.actor, **about, attended=desk.attended, steps=steps)
        return
    settled = sum(step.id in journal.state.settled for step in runbook.steps)
    desk.say(f"resumed: {settled} of {len(runbook.steps)} steps are settled")
    journal.write("runbook.resumed", desk.actor, attended=desk.attended, under_way=journal.state.under_way)


def _conclude(runbook: Runbook, desk: Desk, journal: Journal, where: Place, ending: Ending) -> None:
    """What became of every step, and how to go on."""
    desk.say("\nwhere things stand")
    for step in runbook.steps:
        event = journal.state.settled.get(step.id)
        became = str(event.data.get("result")) if event else "-"
        if ending.step is step:
            became = str(ending.outcome)
        when = f"{event.utc[11:19]}Z  {event.actor}" if event else ""
        desk.say(f"{step.number:>3}  {became:<13} {step.title:<52} {when}".rstrip())
    desk.say(f"{ending.outcome}" + (f": {ending.why}" if ending.why else ""))
    if ending.outcome is Outcome.DONE:
        return
    if ending.step and journal.state.under_way == ending.step.id:
        desk.say(f"step {ending.step.number} was begun and has no known end: going on asks for it first")
    auto = "" if desk.attended else " --auto"
    desk.say(f"go on with: stormdrill runbook run {shlex.quote(str(runbook.path))} --run {where.path}{auto}")

"""Every content file of a tree at once: experiments, topologies, continuity files and profiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stormdrill import continuity, plan, profile, topology
from stormdrill.content import Document, gather, open_document
from stormdrill.content.problems import unknown
from stormdrill.errors import InputError, Problem

READERS: dict[str, Callable[[Path], Any]] = {
    topology.SCHEMA: topology.load,
    continuity.SCHEMA: continuity.load,
    profile.SCHEMA: profile.load,
}
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Report:
    """Which files were read, and everything wrong with any of them."""

    files: tuple[Path, ...]
    problems: tuple[Problem, ...]


def check(root: Path) -> Report:
    """Read the content files of `root`: `experiments/`, `topology/*.yaml` and `loadtests/profiles/`.

    An experiment is checked with all files it names. Subdirectories of `topology/` belong to other tools.
    InputError when `root` holds none of these directories.
    """
    experiments = _yaml_files(root / "experiments")
    others = [*_yaml_files(root / "topology"), *_yaml_files(root / "loadtests" / "profiles")]
    if not experiments and not others:
        raise InputError(f"{root}: no experiments/, topology/ or loadtests/profiles/ with content files here")
    found: set[Problem] = set()
    for file in experiments:
        gather(found, lambda file=file: plan.load(file))  # type: ignore[misc]
    for file in others:
        gather(found, lambda file=file: _read(file))  # type: ignore[misc]
    return Report(tuple(experiments + others), tuple(sorted(_relative(found))))


def _yaml_files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    return sorted(file for file in directory.iterdir() if file.suffix in _SUFFIXES and file.is_file())


def _read(file: Path) -> None:
    READERS[_schema(open_document(file))](file)


def _schema(document: Document) -> str:
    fields = dict(document.root.items())
    if "schema" not in fields:
        document.problems.raise_if_any()
        raise InputError.at(document.path, 1, f"'schema' is missing (one of {', '.join(READERS)})")
    schema = fields["schema"].text()
    if schema not in READERS:
        document.problems.raise_if_any()
        raise InputError.at(document.path, fields["schema"].line, unknown("schema", schema, READERS))
    return schema


def _relative(problems: set[Problem]) -> set[Problem]:
    """The same file is named in several ways (by the caller, by an experiment); one way is enough."""
    return {Problem(shown(problem.file), problem.line, problem.message) for problem in problems}


def shown(file: str) -> str:
    """A file's path as it is told: from here, when it is below here."""
    path, here = Path(file).resolve(), Path.cwd()
    return str(path.relative_to(here)) if file and path.is_relative_to(here) else file

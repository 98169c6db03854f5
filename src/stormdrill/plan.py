"""The plan: experiment, topology, continuity and profile checked against each other, fixed and hashed.

Measure, judge and report work from `plan.json` alone, so it holds everything by value. It holds no secrets.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stormdrill import continuity as continuity_file
from stormdrill import experiment as experiment_file
from stormdrill import profile as profile_file
from stormdrill import topology as topology_file
from stormdrill.content import gather
from stormdrill.content.plain import from_plain, to_plain
from stormdrill.continuity import Continuity
from stormdrill.errors import InputError, Problem
from stormdrill.estate import Topology
from stormdrill.metric_names import bind
from stormdrill.plan_checks import check
from stormdrill.profile import Profile
from stormdrill.scenario import SCALE_BOUNDS, SEED_BOUNDS, TIMES_LOW_S, Experiment, Times
from stormdrill.targets import Target, target_of

SCHEMA = "stormdrill.plan/1"


@dataclass(frozen=True)
class Overrides:
    """What the command line puts in place of the files.

    `contexts` maps region names to kubeconfig contexts; the empty name stands for the only region. Times
    given here replace those of the experiment one by one.
    """

    topology: Path | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)
    kubeconfig: Path | None = None
    locustfile: Path | None = None
    profile: Path | None = None
    seed: int | None = None
    scale: float | None = None
    times: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One drill, ready to run. `locustfile_sha256` is empty when the profile's own journeys are used."""

    experiment: Experiment
    topology: Topology
    continuity: Continuity
    profile: Profile
    kubeconfig: Path | None
    locustfile_sha256: str
    notes: tuple[str, ...]

    @property
    def targets(self) -> dict[str, Target]:
        """The effective objective of each operation: the experiment's, else the continuity file's."""
        return {
            name: target_of(self.experiment, self.continuity, operation)
            for name, operation in self.topology.operations.items()
        }

    @property
    def digest(self) -> str:
        """SHA-256 over the plan with directories left out: equal for the same drill in another checkout."""
        text = json.dumps(to_plain(self, lambda path: path.name), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The stored form, with its digest."""
        return {"schema": SCHEMA, "digest": self.digest, **to_plain(self)}

    @classmethod
    def from_json(cls, raw: Any) -> Plan:
        """Read `to_json` back. InputError when it is of another schema, or changed since it was written."""
        if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
            raise InputError(f"not a {SCHEMA}")
        body = {key: value for key, value in raw.items() if key not in ("schema", "digest")}
        try:
            plan = from_plain(cls, body)
        except ValueError as error:
            raise InputError(f"not a {SCHEMA}: {error}") from None
        if plan.digest != raw.get("digest"):
            raise InputError("the plan was changed after it was written: its digest does not match")
        return plan


def load(experiment_path: Path, overrides: Overrides | None = None) -> Plan:
    """Read an experiment and every file it names, apply the overrides and check all against each other.

    Raises InputError with the problems of all files together.
    """
    overrides = overrides or Overrides()
    found: set[Problem] = set(_out_of_bounds(overrides))
    written = gather(found, lambda: _experiment(experiment_path, overrides))
    topology = written and gather(found, lambda: _topology(written, overrides))
    experiment = _with_profile(written, topology, overrides) if written and topology else written
    continuity = topology and gather(found, lambda: continuity_file.load(topology.continuity))
    profile = experiment and gather(found, lambda: profile_file.load(experiment.load.profile))
    if experiment and topology and continuity and profile:
        found.update(check(experiment, topology, continuity, profile))
    if found or not (experiment and topology and continuity and profile):
        raise InputError(list(found))
    bound, notes = bind(experiment, topology.metrics)
    locustfile = experiment.load.locustfile
    return Plan(
        experiment=bound,
        topology=topology,
        continuity=continuity,
        profile=profile,
        kubeconfig=overrides.kubeconfig,
        locustfile_sha256=hashlib.sha256(locustfile.read_bytes()).hexdigest() if locustfile else "",
        notes=(*_notes(experiment, topology, continuity), *notes),
    )


def _out_of_bounds(overrides: Overrides) -> Iterable[Problem]:
    """What a flag says outside of what the file may say."""
    for name, value in overrides.times.items():
        phase = name.removesuffix("_s")
        if not (math.isfinite(value) and value >= TIMES_LOW_S[phase]):
            yield Problem("", 0, f"--times {phase}={value:g}s: must be at least {TIMES_LOW_S[phase]:g} s")
    bounded = {"--scale": (overrides.scale, SCALE_BOUNDS), "--seed": (overrides.seed, SEED_BOUNDS)}
    for flag, (number, (low, high)) in bounded.items():
        if number is not None and not low <= number <= high:
            yield Problem("", 0, f"{flag} {number:g}: must be from {low:g} to {high:g}")


def _experiment(path: Path, overrides: Overrides) -> Experiment:
    experiment = experiment_file.load(path)
    for file in (overrides.profile, overrides.locustfile, overrides.topology):
        if file is not None and not file.is_file():
            raise InputError.at(file, 0, "no such file")
    given = replace(
        experiment.load,
        locustfile=overrides.locustfile.resolve() if overrides.locustfile else experiment.load.locustfile,
        seed=experiment.load.seed if overrides.seed is None else overrides.seed,
        scale=experiment.load.scale if overrides.scale is None else overrides.scale,
    )
    times = Times(**{**to_plain(experiment.times), **overrides.times})
    topology = overrides.topology.resolve() if overrides.topology else experiment.topology
    return replace(experiment, load=given, times=times, topology=topology)


def _with_profile(experiment: Experiment, topology: Topology, overrides: Overrides) -> Experiment:
    """The profile given by name, else that of a topology given by name, else the experiment's."""
    profile = overrides.profile or (topology.profile if overrides.topology else None)
    if profile is None:
        return experiment
    # The experiment's scale fits the experiment's profile only.
    return replace(
        experiment, load=replace(experiment.load, profile=profile.resolve(), scale=overrides.scale)
    )


def _topology(experiment: Experiment, overrides: Overrides) -> Topology:
    return with_contexts(topology_file.load(experiment.topology), overrides.contexts)


def with_contexts(topology: Topology, contexts: Mapping[str, str]) -> Topology:
    """The topology with other kubeconfig contexts by region; the name of the only region may be empty.

    InputError for a region that it does not have.
    """
    regions = dict(topology.regions)
    for name, context in contexts.items():
        region = name or (next(iter(regions)) if len(regions) == 1 else "")
        if region not in regions:
            known = ", ".join(regions)
            raise InputError(
                f"--context {name}={context}: say which region it is for (REGION={context}): {known}"
            )
        regions[region] = replace(regions[region], context=context)
    return replace(topology, regions=regions)


def _notes(experiment: Experiment, topology: Topology, continuity: Continuity) -> tuple[str, ...]:
    """What a reader of the verdict must know about the settings."""
    notes = []
    usual = continuity.windows.get("ci")
    if usual is not None and experiment.times.window_s < usual.value:
        kind = "lab preset" if topology.environment == "lab" else "shorter than advised"
        notes.append(
            f"{kind}: window H {experiment.times.window_s:g} s and steady {experiment.times.steady_s:g} s "
            f"(in CI H is {usual.value:g} s)"
        )
    return tuple(notes)

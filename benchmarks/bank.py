"""The reference bank: what a request costs it, and what becomes of three times what it can do.

One process of each service with a PostgreSQL and a clearing party, as the manifests set them, under the weekday's mix
from the project's own generator: 0.7 of the declared capacity, then all of it, then three times. And one operation that
needs no database, by itself.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bank_estate import Estate, estate, literals, processes_of_the_lab
from benchmarks.figure import Bounded
from stormbank.operations import BY_NAME
from stormdrill import profile, store, topology, wait
from stormdrill.demand import demand
from stormdrill.estate import Edge, Topology
from stormdrill.load.config import LoadConfig
from stormdrill.load.process import LoadProcess
from stormdrill.records import reader
from stormdrill.records.layout import Flag, Outcome
from stormdrill.units import NS_PER_S

IDS = (
    "bank.cpu_ms_per_request",
    "bank.machine_share",
    "bank.two_hops_cpu_ms",
    "bank.good07_ratio",
    "bank.p99_ms",
    "bank.goodput3x_ratio",
    "bank.reject_p99_ms",
    "bank.process_mb",
)
_ROOT = Path(__file__).parents[1]
_PROFILE = _ROOT / "loadtests" / "profiles" / "weekday-peak.yaml"
_WARM_S, _STEADY_S, _SURGE_S = 4.0, 20.0, 12.0
_TWO_HOPS, _TWO_HOPS_PER_S = "products", 200.0
"""What a gateway and one service do without a database, and how often: about half of what that service can do."""


@dataclass(frozen=True)
class _Seen:
    """What came of one load: rates a second, times in seconds, processor time by program."""

    offered: float
    good: float
    shed: float
    took_s: Any
    refused_in_s: Any
    cpu_s: Mapping[str, float]

    @property
    def cpu_ms_per_request(self) -> dict[str, float]:
        """By program, of a request that was offered."""
        return {name: used / max(1.0, self.offered) * 1000 for name, used in self.cpu_s.items()}


def serving() -> Iterator[Bounded]:
    """All of them, from four loads one after the other on the same processes."""
    mix = demand(profile.load(_PROFILE)).by_operation
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-bank-")))
        bank = stack.enter_context(estate(directory))
        capacity = bank.capacity(mix)
        in_the_lab = bank.capacity(mix, processes_of_the_lab())
        per_request = capacity / sum(mix.values())
        rates = {name: rate * per_request for name, rate in mix.items()}
        two_hops = _load(bank, directory, {_TWO_HOPS: _TWO_HOPS_PER_S}, "two-hops", _SURGE_S)
        steady, full, surge = (
            _load(
                bank, directory, {name: rate * factor for name, rate in rates.items()}, f"{factor:g}", for_s
            )
            for factor, for_s in ((0.7, _STEADY_S), (1.0, _SURGE_S), (3.0, _SURGE_S))
        )
        megabytes = bank.memory_mb()
    yield from _costs(steady, two_hops, capacity, in_the_lab)
    yield from _answers(steady, full, surge)
    said = ", ".join(f"{name} {value:.0f}" for name, value in megabytes.items())
    yield Bounded("bank.process_mb", "MB", max(megabytes.values()), 80.0, f"the largest process then: {said}")


def _costs(steady: _Seen, two_hops: _Seen, capacity: float, in_the_lab: float) -> Iterator[Bounded]:
    cost, cores = steady.cpu_ms_per_request, os.cpu_count() or 1
    each = sum(cost.values())
    yield Bounded(
        "bank.cpu_ms_per_request", "ms", each, 4.0,
        f"{steady.offered:.0f}/s of a capacity of {capacity:.0f}/s: {_said(cost)}",
    )  # fmt: skip
    yield Bounded(
        "bank.machine_share", "", in_the_lab * each / 1000 / cores, 0.5,
        f"declared capacity of the lab's `small`, {in_the_lab:.0f}/s of the weekday's mix, x {each:.2f} ms "
        f"/ {cores} cores; counted: the bank's processes, one PostgreSQL without standbys, the clearing party; "
        "not counted: edges, agents, generator",
    )  # fmt: skip
    hops = {name: two_hops.cpu_ms_per_request[name] for name in ("gateway", BY_NAME[_TWO_HOPS].service)}
    yield Bounded(
        "bank.two_hops_cpu_ms", "ms", sum(hops.values()), 1.0,
        f"{two_hops.offered:.0f}/s of {_TWO_HOPS}, {two_hops.good:.0f}/s good: {_said(hops)}",
    )  # fmt: skip


def _answers(steady: _Seen, full: _Seen, surge: _Seen) -> Iterator[Bounded]:
    yield Bounded(
        "bank.good07_ratio", "", steady.good / max(1.0, steady.offered), 0.99,
        f"good within their deadline at 0.7 of capacity, {steady.offered:.0f}/s; shed: {steady.shed:.1f}/s",
        at_least=True,
    )  # fmt: skip
    yield Bounded(
        "bank.p99_ms",
        "ms",
        _p99_ms(steady.took_s),
        200.0,
        f"from due to answered, {len(steady.took_s)} good answers",
    )
    most = max(steady.good, full.good, surge.good)
    yield Bounded(
        "bank.goodput3x_ratio", "", surge.good / most, 0.9,
        f"good within their deadline at {surge.offered:.0f}/s: {surge.good:.0f}/s; at {full.offered:.0f}/s: "
        f"{full.good:.0f}/s", at_least=True,
    )  # fmt: skip
    yield Bounded(
        "bank.reject_p99_ms", "ms", _p99_ms(surge.refused_in_s), 100.0,
        f"from sent to refused, {surge.shed:.0f} of {surge.offered:.0f}/s",
    )  # fmt: skip


def _said(cost: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in cost.items())


def _load(bank: Estate, directory: Path, rates: Mapping[str, float], name: str, for_s: float) -> _Seen:
    config = _config(bank, directory, rates, name)
    load = LoadProcess.launch(config, lambda _: None)
    try:
        wait.pause(_WARM_S)
        before = bank.cpu_s()
        wait.pause(for_s)
        after = bank.cpu_s()
        load.stop()
    finally:
        load.kill()
    from_ns = load.ready_ns + int(_WARM_S * NS_PER_S)
    records = reader.read_directory(config.requests_file.parent).data
    within = (records["due_ns"] >= from_ns) & (records["due_ns"] < from_ns + int(for_s * NS_PER_S))
    final = records[within & ((records["flags"] & Flag.FINAL) > 0)]
    return _seen(
        config, final, {program: (after[program] - used) / for_s for program, used in before.items()}, for_s
    )


def _seen(config: LoadConfig, final: Any, cpu_s: Mapping[str, float], for_s: float) -> _Seen:
    deadline_s = np.array([operation.deadline_s for operation in config.operations])
    took_s = (final["answered_ns"] - final["due_ns"]) / NS_PER_S
    good = (final["outcome"] == Outcome.GOOD) & (took_s <= deadline_s[final["operation"]])
    shed = final["outcome"] == Outcome.SHED
    refused_in_s = (final["answered_ns"][shed] - final["sent_ns"][shed]) / NS_PER_S
    return _Seen(
        len(final) / for_s, good.sum() / for_s, shed.sum() / for_s, took_s[good], refused_in_s, cpu_s
    )


def _config(bank: Estate, directory: Path, rates: Mapping[str, float], name: str) -> LoadConfig:
    asked = profile.load(_PROFILE)
    asked = replace(
        asked, business=None, session=None, pulses=(), probes=rates,
        customers=replace(asked.customers, count=int(literals()["BANK_CUSTOMERS"])),
    )  # fmt: skip
    small: Topology = topology.load(_ROOT / "topology" / "small.yaml")
    run = store.create(directory / "runs", f"bench-{name}")
    return LoadConfig(
        run.id, run.path, _ROOT / "loadtests" / "locustfile.py", 7, asked, (Edge("gateway", bank.url),),
        tuple(small.operations.values()), tuple(small.cells), small.idempotency,
    )  # fmt: skip


def _p99_ms(took_s: Any) -> float:
    return float(np.percentile(took_s, 99)) * 1000 if len(took_s) else float("nan")

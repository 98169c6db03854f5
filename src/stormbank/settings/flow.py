"""Settings of flow control and of the guards around dependencies; BANK_FLOW_OFF switches any of them off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from stormbank.flow.rules import FlowRules
from stormbank.flow.switches import BREAKER, BULKHEAD, MECHANISMS, RETRY_BUDGET
from stormbank.flow.tiers import tier_class
from stormbank.guard.breaker import BreakerRules
from stormbank.guard.guarded import GuardRules
from stormbank.guard.retries import RetryRules
from stormbank.operations import OPERATIONS, TIERS
from stormbank.settings.parse import names, number, pairs, whole
from stormbank.settings.reader import Reader

OTHER = "other"
ADAPTIVE = "low=6,queued=8"
BREAKER_RULES = "errors=0.5,slow=0.8,slow_ms=1000,window_s=10,calls=20,pause_ms=1000"
RETRY_RULES = "share=0.2,floor_per_s=10,ttl_s=10"


@dataclass(frozen=True)
class FlowSettings:
    """What the mechanisms are told; a guard that is off has no rules."""

    rules: FlowRules
    guard: GuardRules


def read_flow(reader: Reader) -> FlowSettings:
    """Read how requests are let in, and how dependencies are asked."""
    read = reader.read
    nothing: tuple[str, ...] = ()
    off = frozenset(read("BANK_FLOW_OFF", "none", _mechanisms, nothing))
    limit = read("BANK_LIMIT", "24", whole(1), 1)
    adaptive = read("BANK_ADAPTIVE", ADAPTIVE, _named(ADAPTIVE), {"low": 1.0, "queued": 1.0})
    rates = read("BANK_RATE", f"{OTHER}=400", pairs(0), {OTHER: 1.0})
    rules = FlowRules(
        limit=limit,
        limit_low=max(1, int(adaptive["low"])),
        queued=adaptive["queued"],
        tier_order=read("BANK_TIER_ORDER", "A1,A2,B,C", names, ()),
        tier_share=read("BANK_TIER_SHARE", "A1=1.0,A2=0.9,B=0.35,C=0.25", pairs(0), {}),
        rates_per_s={name: rate for name, rate in rates.items() if name != OTHER},
        other_rate_per_s=rates.get(OTHER, float("inf")),
        queue_target_s=read("BANK_QUEUE_MS", "150", number(0, above=True), 1.0) / 1000,
        customer_share=read("BANK_CUSTOMER_SHARE", "0.25", _share, 1.0),
        confirm_share=read("BANK_CONFIRM_SHARE", "0.05", _share, 0.0),
        off=off,
    )
    return FlowSettings(rules, _guard(reader, limit, off))


def read_guard(reader: Reader) -> GuardRules:
    """Read how dependencies are asked, for a service that has no flow control of its own."""
    nothing: tuple[str, ...] = ()
    off = frozenset(reader.read("BANK_FLOW_OFF", "none", _mechanisms, nothing))
    return _guard(reader, reader.read("BANK_LIMIT", "24", whole(1), 1), off)


def _guard(reader: Reader, limit: int, off: frozenset[str]) -> GuardRules:
    bulkhead = reader.read("BANK_BULKHEAD", str(limit), whole(1), 1)
    unread: dict[str, float] = {}
    breaker = reader.read("BANK_BREAKER", BREAKER_RULES, _named(BREAKER_RULES), unread)
    retries = reader.read("BANK_RETRY", RETRY_RULES, _named(RETRY_RULES), unread)
    return GuardRules(
        bulkhead=None if BULKHEAD in off else bulkhead,
        breaker=None if BREAKER in off or not breaker else _breaker(breaker),
        retries=None if RETRY_BUDGET in off or not retries else RetryRules(**retries),
    )


def _breaker(said: Mapping[str, float]) -> BreakerRules:
    return BreakerRules(
        errors=said["errors"],
        slow=said["slow"],
        slow_s=said["slow_ms"] / 1000,
        window_s=said["window_s"],
        calls=said["calls"],
        pause_s=said["pause_ms"] / 1000,
    )


def contradictions(rules: FlowRules) -> Iterator[str]:
    """What cannot be, though each setting alone could."""
    order = set(rules.tier_order)
    if set(rules.tier_share) != order:
        yield f"BANK_TIER_SHARE names {sorted(rules.tier_share)}, BANK_TIER_ORDER names {sorted(order)}"
    for tier in TIERS:
        if tier_class(tier, rules.tier_order) not in order:
            yield f"BANK_TIER_ORDER does not cover tier {tier}"
    if any(share > 1 for share in rules.tier_share.values()):
        yield "BANK_TIER_SHARE: a share is at most 1"
    unknown = sorted(set(rules.rates_per_s) - {each.name for each in OPERATIONS})
    if unknown:
        yield f"BANK_RATE names {', '.join(unknown)}: operations, or {OTHER} for all that are not named"


def _mechanisms(text: str) -> tuple[str, ...]:
    """Read names of mechanisms, or none or all."""
    if text in ("none", "all"):
        return MECHANISMS if text == "all" else ()
    found = names(text)
    unknown = sorted(set(found) - set(MECHANISMS))
    if unknown:
        raise ValueError(
            f"no mechanism {', '.join(unknown)}; there are {', '.join(MECHANISMS)}, or none or all"
        )
    return found


def _named(default: str) -> Callable[[str], dict[str, float]]:
    """Read NAME=NUMBER,... of the names in `default`, which also says what those are that are not named."""
    read = pairs(0)
    every = read(default)

    def parse(text: str) -> dict[str, float]:
        found = read(text)
        unknown = sorted(set(found) - set(every))
        if unknown:
            raise ValueError(f"no {', '.join(unknown)}; there are {', '.join(every)}")
        return every | found

    return parse


def _share(text: str) -> float:
    value = number(0, above=True)(text)
    if value > 1:
        raise ValueError("must be at most 1")
    return value

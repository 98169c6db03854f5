"""What an identity needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stormbank.guard.guarded import GuardRules
from stormbank.settings.capacity import Capacity, not_every_operation, read_capacity
from stormbank.settings.common import Common, not_every_ledger, read_common, read_ledgers
from stormbank.settings.flow import read_guard
from stormbank.settings.parse import number, switch, url, whole
from stormbank.settings.reader import Reader

LONGEST_CODE_S = 3600
"""The books forget a code that was tried after a day: it must have ended long before."""


@dataclass(frozen=True)
class PartySettings:
    """An external party: where it is, how many calls to it may be under way, and how long one may take, in seconds."""

    url: str | None
    calls: int
    timeout_s: float


@dataclass(frozen=True)
class IdentitySettings:
    """`ledgers` by cell, and the guard around each; lifetimes in seconds."""

    common: Common
    ledgers: Mapping[str, tuple[str, ...]]
    guard: GuardRules
    capacity: Capacity
    binding: bool
    bulkheads: bool
    code_s: int
    step_up_s: int
    biometric_s: int
    sms: PartySettings
    face: PartySettings


def read(reader: Reader) -> IdentitySettings:
    """Read the settings of an identity; SettingsError lists all that is wrong."""
    common = read_common(reader)
    settings = IdentitySettings(
        common=common,
        ledgers=read_ledgers(reader, common),
        guard=read_guard(reader),
        capacity=read_capacity(reader, "BANK_IDENTITY_SLOTS"),
        binding=reader.read("BANK_DEVICE_BINDING", "on", switch, True),
        bulkheads=reader.read("BANK_IDENTITY_BULKHEADS", "on", switch, True),
        code_s=reader.read("BANK_CODE_S", "180", whole(1), 1),
        step_up_s=reader.read("BANK_STEP_UP_S", "120", whole(1), 1),
        biometric_s=reader.read("BANK_BIOMETRIC_S", "60", whole(1), 1),
        sms=PartySettings(
            url=reader.read("BANK_SMS_URL", "", _url_or_none, None),
            calls=reader.read("BANK_SMS_CALLS", "8", whole(1), 1),
            timeout_s=reader.read("BANK_SMS_TIMEOUT_MS", "600", number(1), 1.0) / 1000,
        ),
        face=PartySettings(
            url=reader.read("BANK_FACE_URL", "", _url_or_none, None),
            calls=reader.read("BANK_FACE_CALLS", "8", whole(1), 1),
            timeout_s=reader.read("BANK_FACE_TIMEOUT_MS", "600", number(1), 1.0) / 1000,
        ),
    )
    reader.settle(lambda: _contradictions(settings))
    return settings


def _url_or_none(text: str) -> str | None:
    return url(text) if text else None


def _contradictions(settings: IdentitySettings) -> Iterator[str]:
    yield from not_every_operation(settings.capacity)
    yield from not_every_ledger(settings.common, settings.ledgers)
    if settings.code_s > LONGEST_CODE_S:
        yield f"BANK_CODE_S: at most {LONGEST_CODE_S}"

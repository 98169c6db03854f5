"""The bank's services beside gateways and ledgers, and the firms it asks: what each is called, and where it listens.

A service is one line here. From it follow its Deployment in every serving zone, its Service in every region, its
address in the settings of the bank (`BANK_SERVICES`), and what the harness calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Role:
    """One service: `python -m stormbank NAME`, of business tier `tier`.

    `system_type` is what its system does, as the harness's `services` say it: flow, account, compute or query.
    """

    name: str
    port: int
    tier: str
    system_type: str
    replicas: int = 1
    """In each serving zone."""
    asked: bool = True
    """Whether gateways pass operations on to it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Settings of its own, beyond those that all processes of the bank share."""
    secrets: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Settings from a Secret: its name and key."""
    databases: bool = False
    """Whether it works on the databases of its region, and is told where they are."""

    @property
    def patient(self) -> bool:
        """Whether nobody is hurt when it is looked at more seldom: its tier may be given up for the others."""
        return not self.tier.startswith("A")


ROLES: Final[tuple[Role, ...]] = (
    Role("identity", 8091, "A1", "account"),
    Role("risk", 8092, "A1", "compute"),
    Role("wealth", 8093, "B", "account"),
    Role("voice", 8094, "C", "compute"),
    Role("campus", 8095, "C", "flow"),
    Role("marketing", 8096, "C", "compute"),
    Role(
        "batch",
        8097,
        "B",
        "account",
        asked=False,
        secrets={"BANK_DB_PASSWORD": ("postgres", "bank-password")},
        databases=True,
    ),
)


@dataclass(frozen=True)
class Party:
    """A firm that the bank asks and that stands outside every site: `python -m stormbank NAME`.

    `setting` is what the bank's processes find its address under.
    """

    name: str
    port: int
    setting: str
    admin: int = 0
    """Where people trouble it, on a port of its own; 0 where they do that on the one port."""
    env: Mapping[str, str] = field(default_factory=dict)
    """As in `lab.outside`."""

    @property
    def ports(self) -> Mapping[str, int]:
        """Where it listens, by what the way there from the host is called."""
        return {self.name: self.port} | ({f"{self.name}-admin": self.admin} if self.admin else {})


PARTIES: Final[tuple[Party, ...]] = (
    Party("sms", 8101, "BANK_SMS_URL", 8111, {"BANK_SMS_ADMIN": "$(ADDRESS):8111"}),
    Party("face", 8102, "BANK_FACE_URL", 8112, {"BANK_FACE_ADMIN": "$(ADDRESS):8112"}),
    Party(
        "clearing",
        8103,
        "BANK_CLEARING_URL",
        8113,
        {"BANK_CLEARING_ADMIN": "$(ADDRESS):8113", "BANK_CLEARING_BOOKS": "$(STATE)/books.sqlite"},
    ),
)

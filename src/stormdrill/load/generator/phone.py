"""A customer's phone: the base class of a locustfile that says how each operation looks on the wire.

A subclass has one method for each operation, marked with `@step("name")`, that returns a `Call`. It does not
send, wait or retry: when an operation is due is the profile's business, what its outcome means the engine's.

    class MobileBank(Phone):
        deadline_header = "X-Deadline-Ms"

        @step("login", opens=True)
        def login(self) -> Call:
            return Call("POST", "/v1/login", {"customer": self.customer}, then=self.logged_in)

        def logged_in(self, answer):
            self.token = answer["token"]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar, TypeVar

from locust import User

Answer = Mapping[str, Any]
Method = TypeVar("Method", bound=Callable[..., "Call"])


@dataclass(slots=True)
class Call:
    """One request as the app would send it, and what a good answer holds.

    `fields` must be in the answer's JSON object; `then` is told that object. A movement states `amount`
    (minor units) and `target` (an account; 0 when it is not known by number) for the witness; its answer
    must repeat the idempotency key as `key`.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    status: int = 200
    fields: tuple[str, ...] = ()
    then: Callable[[Answer], None] | None = None
    amount: int = 0
    target: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    def payload(self) -> bytes:
        """The body's bytes; empty without one."""
        return b"" if self.body is None else json.dumps(self.body, separators=(",", ":")).encode()


def step(operation: str, *, opens: bool = False) -> Callable[[Method], Method]:
    """Mark the method that makes the call of `operation`. `opens`: no other step can be without it."""

    def mark(method: Method) -> Method:
        method.stormdrill_step = (operation, opens)  # type: ignore[attr-defined]
        return method

    return mark


class Phone(User):
    """One phone, used again and again: `begin` hands it to another customer.

    `customer` is the number of the account's owner, `token` what a login gave, `expires_s` how long it is
    good for (0: for ever), `others` the customers of its cell that money can be sent to, `beyond` those of each other
    cell, to whom the share `across_cells` of it goes; `random` a seeded source.
    """

    abstract = True
    deadline_header: ClassVar[str] = ""
    """Name of the header that carries the app's remaining time in milliseconds; empty sends none."""

    def __init__(self, environment: Any, random: Random) -> None:
        super().__init__(environment)
        self.random = random
        self.customer = 0
        self.others: Sequence[int] = range(0)
        self.beyond: Sequence[Sequence[int]] = ()
        self.across_cells = 0.0
        self.token = ""
        self.expires_s = 0.0
        self.cell = 0
        self.site = 0
        self.edges: tuple[int, ...] = ()
        self.edges_until_ns = 0

    def begin(self, customer: int, others: Sequence[int], cell: int, site: int) -> None:
        """Become the phone of `customer`, not logged in, talking to edge number `site`."""
        self.customer, self.others, self.cell, self.site = customer, others, cell, site
        self.token, self.expires_s = "", 0.0

    def headers(self) -> str:
        """Header lines of every request, each ended by CRLF; override to add."""
        return f"Authorization: Bearer {self.token}\r\n" if self.token else ""

    def somebody(self) -> int:
        """Another customer, of the same cell unless the profile says that some money goes to others."""
        if self.across_cells and self.beyond and self.random.random() < self.across_cells:
            return self.random.choice(self.random.choice(self.beyond))
        other = self.random.choice(self.others)
        return other if other != self.customer else self.others[other == self.others[0]]

    @classmethod
    def steps(cls) -> dict[str, str]:
        """Operation to the name of the method that makes its call."""
        return {operation: name for name, (operation, _) in cls._marked().items()}

    @classmethod
    def opening(cls) -> str:
        """The operation that opens a session, or empty."""
        return next((operation for operation, opens in cls._marked().values() if opens), "")

    @classmethod
    def _marked(cls) -> dict[str, tuple[str, bool]]:
        found = {name: getattr(getattr(cls, name), "stormdrill_step", None) for name in dir(cls)}
        return {name: mark for name, mark in found.items() if mark is not None}

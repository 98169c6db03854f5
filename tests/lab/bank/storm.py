"""A storm over two cells: many transfers and payments at once, while any process and the database are killed."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

CUSTOMERS = 200
NOBODY = 900_000
ACROSS = 1 / 3
PAYEES = ("water", "gas", "power", "rent", "school")
PHONES = 12


@dataclass(frozen=True)
class Transfer:
    """What a customer sends to another."""

    key: str
    payer: int
    amount: int
    to: int

    path = "/v1/transfers"

    def body(self):
        return {"to": self.to, "amount": self.amount}


@dataclass(frozen=True)
class Payment:
    """What a customer pays to somebody outside the bank."""

    key: str
    payer: int
    amount: int
    payee: str

    path = "/v1/payments"

    def body(self):
        return {"payee": self.payee, "amount": self.amount}


def orders(transfers, payments, rng):
    """Return orders by a seed, mixed: a third of the transfers to the other cell, some to nobody there."""
    wanted = [_transfer(rng) for _ in range(transfers)]
    wanted += [Payment(**_anything(rng), payee=rng.choice(PAYEES)) for _ in range(payments)]
    rng.shuffle(wanted)
    return wanted


def _anything(rng):
    key = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    return {"key": key, "payer": rng.randint(1, CUSTOMERS), "amount": rng.randint(1, 5000)}


def _transfer(rng):
    known = _anything(rng)
    payer, away = known["payer"], rng.random() < ACROSS
    to = rng.choice([n for n in range(1, CUSTOMERS + 1) if n != payer and (n % 2 != payer % 2) == away])
    if away and rng.random() < 0.1:
        to += NOBODY
    return Transfer(**known, to=to)


def insist(gateways, token, order, until_s):
    """Send an order as a phone does: with the same key, to whichever gateway answers, until there is a final answer."""
    for gateway in itertools.cycle(gateways):
        if time.monotonic() > until_s:
            raise AssertionError(f"{order} was not answered")
        try:
            reply = gateway.call(
                "POST", order.path, order.body(), token=token, key=order.key, deadline_ms=3000
            )
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
            continue
        if reply.status == 201:
            return
        assert reply.status in {429, 503, 504}, reply.body
        time.sleep(0.05)


class Killer:
    """Kills one of `victims` at a time at seeded moments and starts it again, until it is told to stop.

    A pause between two is of `every_s`, in seconds. `postgres` is killed, too, once.
    """

    def __init__(self, victims, rng, every_s, postgres=None):
        self._victims, self._rng, self._every_s, self._postgres = victims, rng, every_s, postgres
        self._over = threading.Event()
        self.kills = Counter()

    def run(self):
        for number in itertools.count(1):
            if self._over.wait(self._rng.uniform(*self._every_s)):
                return
            victim = self._rng.choice(self._victims)
            victim.stop()
            self.kills[victim.role] += 1
            if self._postgres is not None and number == 2:
                self._postgres.kill()
                self.kills["postgres"] += 1
                self._over.wait(0.3)
                self._postgres.start()
            self._over.wait(self._rng.uniform(0.0, 0.3))
            victim.start()

    def stop(self):
        self._over.set()


def strike(gateways, wanted, killers, within_s):
    """Make the orders in a storm, each until it is answered; returns how often each kind of process was killed."""
    tokens = {customer: gateways[0].login(customer) for customer in range(1, CUSTOMERS + 1)}
    until_s = time.monotonic() + within_s
    with ThreadPoolExecutor(len(killers)) as beside, ThreadPoolExecutor(PHONES) as phones:
        killing = [beside.submit(each.run) for each in killers]
        try:
            sent = [
                phones.submit(
                    insist,
                    gateways[number % 2 :] + gateways[: number % 2],
                    tokens[order.payer],
                    order,
                    until_s,
                )
                for number, order in enumerate(wanted)
            ]
            for done in sent:
                done.result()
        finally:
            for each in killers:
                each.stop()
        for each in killing:
            each.result()
    return sum((each.kills for each in killers), Counter())

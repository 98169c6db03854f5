"""A storm over two cells: many transfers at once, a third of them across, ledgers and the database killed meanwhile."""

from __future__ import annotations

import http.client
import itertools
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

CUSTOMERS = 200
NOBODY = 900_000
ACROSS = 1 / 3


@dataclass
class Order:
    """One transfer that a customer wants; `answers` are the states that the bank told."""

    key: str
    payer: int
    to: int
    amount: int
    acknowledged: bool = False


def orders(count, rng):
    """Orders by a seed: a third to customers of the other cell, some of whom do not exist."""
    for _ in range(count):
        payer = rng.randint(1, CUSTOMERS)
        away = rng.random() < ACROSS
        to = rng.choice([n for n in range(1, CUSTOMERS + 1) if n != payer and (n % 2 != payer % 2) == away])
        if away and rng.random() < 0.1:
            to += NOBODY
        yield Order(str(uuid.UUID(int=rng.getrandbits(128), version=4)), payer, to, rng.randint(1, 5000))


def insist(two, tokens, order, until_s):
    """Send an order as a phone does, with the same key until there is an answer that is final."""
    while time.monotonic() < until_s:
        try:
            reply = two.send(tokens[order.payer], order.to, order.amount, order.key)
        except (OSError, http.client.HTTPException):
            continue
        if reply.status == 201:
            order.acknowledged = True
            return
        assert reply.status in {429, 503, 504}, reply.body
        time.sleep(0.05)
    raise AssertionError(f"{order} was not answered")


class Killer:
    """Kills ledgers at seeded moments and starts them again, and once the database, until it is told to stop."""

    def __init__(self, two, rng):
        self._two, self._rng = two, rng
        self._over = threading.Event()
        self.kills = 0

    def run(self):
        for number in itertools.count(1):
            if self._over.wait(self._rng.uniform(0.2, 1.0)):
                return
            if number == 4:
                self._two.bank.postgres.kill()
                self._over.wait(0.3)
                self._two.bank.postgres.start()
                continue
            cell, place = self._rng.randrange(2), self._rng.randrange(self._two.size)
            self._two.ledgers[cell][place].stop()
            self.kills += 1
            self._over.wait(self._rng.uniform(0.0, 0.5))
            self._two.ledgers[cell][place] = self._two.ledger(cell, self._two.ports[cell][place])

    def stop(self):
        self._over.set()


def strike(two, count, seed, within_s):
    """Make `count` orders in a storm, each until it is answered; returns them and how many ledgers were killed."""
    rng = random.Random(seed)
    wanted = list(orders(count, rng))
    tokens = {customer: two.gateway.login(customer) for customer in range(1, CUSTOMERS + 1)}
    killer = Killer(two, random.Random(f"{seed}/kills"))
    until_s = time.monotonic() + within_s
    with ThreadPoolExecutor(1) as beside, ThreadPoolExecutor(24) as phones:
        killing = beside.submit(killer.run)
        try:
            for done in [phones.submit(insist, two, tokens, order, until_s) for order in wanted]:
                done.result()
        finally:
            killer.stop()
        killing.result()
    return wanted, killer.kills

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
    """Kills ledgers of one cell at seeded moments and starts them again, until it is told to stop.

    `database` says that it also kills the database of both, once.
    """

    def __init__(self, two, cell, rng, *, database):
        self._two, self._cell, self._rng, self._database = two, cell, rng, database
        self._over = threading.Event()
        self.kills = 0

    def run(self):
        ledgers, ports = self._two.ledgers[self._cell], self._two.ports[self._cell]
        for number in itertools.count(1):
            if self._over.wait(self._rng.uniform(0.05, 0.5)):
                return
            place = self._rng.randrange(self._two.size)
            ledgers[place].stop()
            self.kills += 1
            if self._database and number == 2:
                self._two.bank.postgres.kill()
                self._over.wait(0.3)
                self._two.bank.postgres.start()
            self._over.wait(self._rng.uniform(0.0, 0.3))
            ledgers[place] = self._two.ledger(self._cell, ports[place])

    def stop(self):
        self._over.set()


def strike(two, count, seed, within_s):
    """Make `count` orders in a storm, each until it is answered; returns them and how many ledgers were killed."""
    rng = random.Random(seed)
    wanted = list(orders(count, rng))
    tokens = {customer: two.gateway.login(customer) for customer in range(1, CUSTOMERS + 1)}
    killers = [Killer(two, cell, random.Random(f"{seed}/{cell}"), database=cell == 0) for cell in (0, 1)]
    until_s = time.monotonic() + within_s
    with ThreadPoolExecutor(2) as beside, ThreadPoolExecutor(12) as phones:
        killing = [beside.submit(each.run) for each in killers]
        try:
            for done in [phones.submit(insist, two, tokens, order, until_s) for order in wanted]:
                done.result()
        finally:
            for each in killers:
                each.stop()
        for each in killing:
            each.result()
    return wanted, sum(each.kills for each in killers)

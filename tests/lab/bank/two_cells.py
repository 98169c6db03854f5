"""A bank of two cells: a gateway, and ledgers of each cell over a database of its own, which know of each other."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import pytest

from stormbank.session import Sessions

SECRET = "0123456789abcdef-lab"
TWO = {"BANK_CELLS": "cell0,cell1"}
DATABASES = ("bank", "bank_1")
IN_TRANSIT = "SELECT coalesce(sum(balance), 0)::bigint FROM account WHERE kind = 'transit'"
OPEN = "SELECT count(*) FROM outbox WHERE done_at IS NULL"


@dataclass
class Cells:
    """A gateway over two cells of `size` ledgers each. `env` is every process's."""

    bank: object
    size: int
    free_port: object
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.ports = [[self.free_port() for _ in range(self.size)] for _ in DATABASES]
        named = ["|".join(f"http://127.0.0.1:{port}" for port in ports) for ports in self.ports]
        self.env = {
            **TWO,
            "BANK_LEDGERS": f"cell0={named[0]},cell1={named[1]}",
            "BANK_OUTBOX_LEASE_S": "3",
            **self.env,
        }
        self.ledgers = [[self.ledger(cell, port) for port in self.ports[cell]] for cell in (0, 1)]
        self.gateway = self.bank.gateway(**self.env)

    def ledger(self, cell, port, **env):
        dsn = self.bank.dsn(database=DATABASES[cell])
        return self.bank.ledger(dsn, port=port, **{**self.env, "BANK_CELL": f"cell{cell}", **env})

    def send(self, token, to, amount=5, key=None, deadline_ms=3000):
        key = key or str(uuid.uuid4())
        body = {"to": to, "amount": amount}
        return self.gateway.call("POST", "/v1/transfers", body, token=token, key=key, deadline_ms=deadline_ms)

    def credit(self, body):
        """Ask the ledger of cell0 as another cell's does."""
        word = Sessions(SECRET, 60).issue_for_service(body["to"])
        headers = {"Bank-Customer": word, "Idempotency-Key": body["key"], "Bank-Epoch": "1.0"}
        return self.ledgers[0][0].call("POST", "/internal/credits", body, headers=headers)

    def state(self, token, key):
        reply = self.gateway.call("GET", f"/v1/movements?key={key}", token=token)
        return reply.json.get("state", reply.json.get("reason"))

    def query(self, sql):
        return [self.bank.postgres.query(sql, database=database) for database in DATABASES]

    def number(self, sql):
        return sum(rows[0][0] for rows in self.query(sql))

    def balance(self, customer):
        with self.bank.postgres.connection(DATABASES[customer % 2]) as books:
            return books.execute("SELECT balance FROM account WHERE id = %s", [customer]).fetchone()[0]


@pytest.fixture
def cells(bank, free_port):
    bank.postgres.query("DROP DATABASE IF EXISTS bank_1 WITH (FORCE)", database="postgres")
    bank.postgres.query("CREATE DATABASE bank_1", database="postgres")
    yield lambda size=1, **env: Cells(bank, size, free_port, env)
    for each in bank.started:
        each.stop()
    if bank.postgres.process is None:
        bank.postgres.start()
    bank.postgres.query("DROP DATABASE bank_1 WITH (FORCE)", database="postgres")

"""schemathesis against a whole bank of two cells: no server error, every answer as the document has it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HOOKS = Path(__file__).with_name("fuzzing.py")
# Left out: positive_data_acceptance (the schema cannot say who is a customer, or that nobody pays oneself).
OPTIONS = (
    "--seed", "7", "--max-examples", "30", "--phases", "examples,coverage,fuzzing", "--checks", "all",
    "--exclude-checks", "positive_data_acceptance", "--workers", "1", "--generation-database", "none",
    "--suppress-health-check", "all", "--request-timeout", "10", "--warnings", "off", "--no-color",
)  # fmt: skip
LONGEST_S = 60.0
# What a request is refused with that breaks the schema: whose time was over when it came is not looked at further.
CONFIG = """[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "408", "409", "415", "422", "428", "429", "5xx"]
[checks.missing_required_header]
expected-statuses = ["400", "401", "403", "406", "408", "415", "422"]
"""


SERVICES = {
    "identity": True,
    "wealth": True,
    "campus": True,
    "voice": False,
    "marketing": False,
    "risk": False,
}
"""Whether each asks ledgers."""
OPEN = "SELECT count(*) FROM outbox WHERE done_at IS NULL"


@pytest.fixture
def gateway(bank, urls, free_port, second):
    """A bank of two cells with all that phones may ask for, and the firms it asks."""
    databases = ("bank", second)
    at = [free_port() for _ in databases]
    cells = {
        "BANK_CELLS": "cell0,cell1",
        "BANK_LEDGERS": ",".join(f"cell{number}=http://127.0.0.1:{port}" for number, port in enumerate(at)),
    }
    clearing = bank._party("clearing", {"BANK_CLEARING_BOOKS": str(bank.root / "clearing.sqlite")})
    for number, (database, port) in enumerate(zip(databases, at, strict=True)):
        env = {**cells, "BANK_CELL": f"cell{number}", "BANK_CLEARING_URL": urls(clearing)}
        bank.ledger(bank.dsn(database=database), port=port, **env)
    parties = {"BANK_SMS_URL": urls(bank.sms()), "BANK_FACE_URL": urls(bank.face())}
    services = [bank.service(role, **(cells if asks else {}), **parties) for role, asks in SERVICES.items()]
    named = ",".join(f"{each.role}={urls(each)}" for each in services)
    return bank.gateway(
        **cells, BANK_SERVICES=named, BANK_RISK="on", BANK_RATE="other=9000", BANK_LIMIT="100",
        BANK_STEP_UP_ABOVE="5000000",
    )  # fmt: skip


def test_nothing_that_the_document_allows_or_forbids_is_a_server_error(
    bank, gateway, second, eventually, books_agree
):
    databases = ("bank", second)
    fields = {"customer": 1, "device": "device-1", "password": "pw-1"}
    token = gateway.call("POST", "/v1/login", fields).json["token"]
    url = f"http://127.0.0.1:{gateway.port}"
    argv = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--url", url, *OPTIONS]
    (bank.root / "schemathesis.toml").write_text(CONFIG)
    began_s = time.monotonic()
    done = subprocess.run(
        [*argv, "-H", f"Authorization: Bearer {token}"], capture_output=True, text=True, check=False,
        timeout=4 * LONGEST_S, cwd=bank.root, env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
    )  # fmt: skip
    took_s = time.monotonic() - began_s
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert took_s < LONGEST_S
    for process in bank.started:
        assert "Traceback" not in process.log.read_text()
    # Money moved only where somebody was told so.
    assert gateway.metric("bank_requests_total", outcome="failed") == 0
    good = sum(
        gateway.metric("bank_requests_total", operation=name, code="201")
        for name in ("transfer", "payment", "invest")
    )
    for database in databases:
        eventually(
            lambda database=database: bank.postgres.query(OPEN, database) == [(0,)], 10, "all has ended"
        )
    ordered = "SELECT count(*) FROM movement WHERE ordered"
    assert sum(bank.postgres.query(ordered, database)[0][0] for database in databases) <= good
    in_transit = "SELECT coalesce(sum(balance), 0)::bigint FROM account WHERE kind = 'transit'"
    assert sum(bank.postgres.query(in_transit, database)[0][0] for database in databases) == 0
    for database in databases:
        books_agree(bank.postgres, database)

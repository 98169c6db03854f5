"""No process of the bank takes much memory, whatever its role, also when it has had work to do."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from stormbank.roles import ROLES

LARGEST_BYTES = 80 * 10**6
ASKS = ("wealth", "campus")
DESKS = ("risk", "voice", "marketing", *ASKS)
ASKED = (
    ("GET", "/v1/balance", None),
    ("GET", "/v1/bills", None),
    ("POST", "/v1/transfers", {"to": 200, "amount": 5}),
    ("POST", "/v1/payments", {"payee": "water", "amount": 5}),
    ("GET", "/v1/wealth/products", None),
    ("POST", "/v1/wealth/orders", {"product": "bonds", "amount": 5_000}),
    ("POST", "/v1/voice", {"text": "my balance"}),
    ("POST", "/v1/checkins", {"place": "gate"}),
    ("GET", "/v1/offers", None),
)


def everything(bank, urls):
    """Start a process of each role; return the gateway."""
    clearing, sms, face = (
        bank.clearing(BANK_CLEARING_BOOKS=str(bank.root / "clearing.sqlite")),
        bank.sms(),
        bank.face(),
    )
    outside = {"BANK_CLEARING_URL": urls(clearing)}
    ledger = bank.ledger(BANK_SLOTS="8", **outside)
    parties = {"BANK_SMS_URL": urls(sms), "BANK_FACE_URL": urls(face)}
    identity = bank.identity(ledger, **parties, BANK_SMS_TIMEOUT_MS="3000", BANK_FACE_TIMEOUT_MS="3000")
    services = [identity, *(bank.service(role, *([ledger] if role in ASKS else [])) for role in DESKS)]
    bank.service(
        "batch", BANK_DB_DSN=bank.dsn(), BANK_RECONCILE_EVERY_S="0.2", BANK_DAY_END_EVERY_S="1", **outside
    )
    named = ",".join(f"{each.role}={urls(each)}" for each in services)
    wide = {"BANK_LIMIT": "200", "BANK_RATE": "other=4000", "BANK_FLOW_OFF": "adaptive,queue"}
    return bank.gateway(ledger, BANK_SERVICES=named, BANK_RISK="on", **wide)


def use(gateway, customer):
    """Ask for everything once, as one customer with a phone; return what did not succeed."""
    token = gateway.login(customer)
    code = {"customer": customer, "password": f"pw-{customer}", "purpose": "bind"}
    face = {"customer": customer, "device": f"device-{customer}", "image": f"face-{customer}"}
    replies = {
        "/v1/otp": gateway.call("POST", "/v1/otp", code),
        "/v1/face": gateway.call("POST", "/v1/face", face),
    }
    for method, path, body in ASKED:
        replies[path] = gateway.call(method, path, body, token=token, key=str(uuid.uuid4()))
    return {path: reply.body for path, reply in replies.items() if reply.status >= 300}


def test_every_process_stays_small(bank, urls):
    gateway = everything(bank, urls)
    assert {each.role for each in bank.started} == set(ROLES)
    with ThreadPoolExecutor(8) as phones:
        failed = [each for each in phones.map(lambda customer: use(gateway, customer), range(1, 101)) if each]
    sizes = {each.role: each.metric("process_resident_memory_bytes") for each in bank.started}
    print({role: f"{size / 1e6:.0f} MB" for role, size in sizes.items()})
    assert failed == []
    assert min(sizes.values()) > 10**7, "it is told at all"
    assert max(sizes.values()) < LARGEST_BYTES

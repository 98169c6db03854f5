"""A service that is slow, frozen or dead keeps its trouble to itself; without the gateway's protection it does not."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from tests.lab.bank.conftest import SECRET

from stormbank.operations import BY_NAME
from stormbank.session import Sessions

# As it is without a word about it. What adapts to the time that answers take has its say on a machine that others use,
# too, so that this is for one that does nothing else.
AS_IT_COMES = {"BANK_FLOW_OFF": "none"}
PROTECTED = {"BANK_FLOW_OFF": "bucket,adaptive,fairness", "BANK_LIMIT": "24"}
PROTECTIONS = pytest.mark.parametrize(
    "protected", [PROTECTED, pytest.param(AS_IT_COMES, marks=pytest.mark.long)], ids=["steady", "as it comes"]
)
# Whatever is asked of whom, and how important it is, comes out of one room, and nothing makes up for that: breakers
# would empty it as soon as they have seen enough slow answers, which may be before or after anybody looks.
UNPROTECTED = {"BANK_FLOW_OFF": "bucket,adaptive,fairness,bulkhead,order,breaker", "BANK_LIMIT": "24"}
CROWD = 40
ROUNDS = 12
BODIES = {
    "invest": lambda _: {"product": "bonds", "amount": 5_000},
    "voice": lambda _: {"text": "my balance"},
    "checkin": lambda _: {"place": "gate"},
    "offers": lambda _: None,
    "otp": lambda customer: {"customer": customer, "password": f"pw-{customer}", "purpose": "bind"},
    "face": lambda customer: {
        "customer": customer,
        "device": f"device-{customer}",
        "image": f"face-{customer}",
    },
}
# What an answer of these usually takes at most: a quarter of the deadline of those who insist.
OBJECTIVE_S = 0.5


@dataclass
class Seen:
    """What customers of the important operations got."""

    statuses: Counter = field(default_factory=Counter)
    times_s: list = field(default_factory=list)

    @property
    def good(self):
        return sum(count for status, count in self.statuses.items() if status in (200, 201)) / len(
            self.times_s
        )

    @property
    def usual_s(self):
        """The median: a machine that is busy elsewhere shows in the tail, a service that holds everybody up in each."""
        return sorted(self.times_s)[len(self.times_s) // 2]


@contextlib.contextmanager
def crowd(gateway, name):
    """Many customers who want `name`, each as soon as the last answer came, and after a short pause."""
    operation, over = BY_NAME[name], threading.Event()
    # What is refused at once comes again at once: more of it would only show how fast this machine is.
    pause_s = 0.05 if operation.session else 0.2

    def insist(customer):
        while not over.wait(pause_s):
            with contextlib.suppress(OSError):
                gateway.call(
                    operation.method,
                    operation.path,
                    BODIES[name](customer),
                    token=Sessions(SECRET, 600).issue(customer),
                    key=str(uuid.uuid4()),
                    deadline_ms=2_000,
                )

    with ThreadPoolExecutor(CROWD) as phones:
        for customer in range(CROWD):
            phones.submit(insist, 100 + customer)
        try:
            # By then those who are stuck have taken what they can get.
            over.wait(0.7)
            yield
        finally:
            over.set()


def important(gateway, token):
    """Each important operation in turn, a few times, as one customer asks for them."""
    login = {"customer": 1, "device": "device-1", "password": "pw-1"}
    calls = {
        "transfer": lambda key: gateway.call(
            "POST", "/v1/transfers", {"to": 2, "amount": 100}, token=token, key=key
        ),
        "payment": lambda key: gateway.pay(token, key),
        "balance": lambda _: gateway.call("GET", "/v1/balance", token=token),
        "login": lambda _: gateway.call("POST", "/v1/login", login),
    }
    seen = Seen()
    for _ in range(ROUNDS):
        for call in calls.values():
            reply = call(str(uuid.uuid4()))
            seen.statuses[reply.status] += 1
            seen.times_s.append(reply.took_s)
    return seen


def estate(bank, role, name, fast, settings):
    """A gateway over a ledger and the service in trouble, which is slow at first."""
    ledger = bank.ledger()
    asked = [ledger] if role in ("wealth", "campus") else []
    service = bank.service(role, *asked, BANK_SERVICE_MS=fast(**{name: 1_500}), BANK_OFFERS_CACHE_S="0")
    gateway = bank.gateway(ledger, services=[service], **settings)
    return gateway, service, gateway.login()


TROUBLED = [("wealth", "invest"), ("voice", "voice"), ("campus", "checkin"), ("marketing", "offers")]


@PROTECTIONS
@pytest.mark.parametrize("troubled", TROUBLED, ids="-".join)
def test_the_important_business_does_not_notice(bank, fast, books_agree, troubled, protected):
    role, name = troubled
    gateway, service, token = estate(bank, role, name, fast, protected)
    with crowd(gateway, name):
        slow = important(gateway, token)
    with crowd(gateway, name), service.frozen():
        frozen = important(gateway, token)
    service.stop()
    with crowd(gateway, name):
        dead = important(gateway, token)
    for trouble, seen in {"slow": slow, "frozen": frozen, "dead": dead}.items():
        assert seen.good == 1.0, (trouble, seen.statuses)
        assert seen.usual_s < OBJECTIVE_S, (trouble, seen.times_s)
    books_agree(bank.postgres)


@PROTECTIONS
@pytest.mark.parametrize("troubled", [("sms", "otp"), ("face", "face")], ids="-".join)
def test_the_important_business_does_not_notice_a_firm_in_trouble(
    bank, urls, books_agree, troubled, protected
):
    firm, name = troubled
    parties = {"sms": bank.sms(), "face": bank.face()}
    asked = {f"BANK_{each.upper()}_URL": urls(party) for each, party in parties.items()}
    ledger = bank.ledger()
    identity = bank.identity(ledger, **asked)
    gateway = bank.gateway(ledger, BANK_SERVICES=f"identity={urls(identity)}", **protected)
    token = gateway.login()
    assert parties[firm].trouble(delay_ms=60_000).status == 200
    with crowd(gateway, name):
        slow = important(gateway, token)
        assert identity.metric("bank_dependency_calls_total", dependency=firm, outcome="late") > 0
    parties[firm].stop()
    with crowd(gateway, name):
        dead = important(gateway, token)
        assert identity.metric("bank_dependency_calls_total", dependency=firm, outcome="failed") > 0
    for trouble, seen in {"slow": slow, "dead": dead}.items():
        # Codes and logins are identity's, and as important: 40 who come at the same moment fill its room of 24.
        assert seen.good > 0.95, (trouble, seen.statuses)
        assert seen.usual_s < OBJECTIVE_S, (trouble, seen.times_s)
    books_agree(bank.postgres)


@pytest.mark.parametrize(("role", "name"), TROUBLED)
def test_without_protection_everybody_waits_for_the_one_that_hangs(bank, fast, role, name):
    gateway, _, token = estate(bank, role, name, fast, UNPROTECTED)
    with crowd(gateway, name):
        seen = important(gateway, token)
    assert seen.good < 0.8, seen.statuses


def test_money_degrades_as_declared_while_anti_fraud_hangs(bank, books_agree):
    """Little money moves with a mark and a short delay, much is refused at once, and nothing else notices."""
    ledger, risk = bank.ledger(), bank.service("risk")
    gateway = bank.gateway(
        ledger, services=[risk], BANK_RISK="on", BANK_RISK_CLOSED_ABOVE="1000", **PROTECTED
    )
    token = gateway.login()
    with risk.frozen():
        money, large, other = Seen(), Seen(), Seen()
        for seen, call in (
            (money, lambda: gateway.pay(token, amount=1_000)),
            (large, lambda: gateway.pay(token, amount=1_001)),
            (other, lambda: gateway.call("GET", "/v1/balance", token=token)),
        ):
            for _ in range(ROUNDS):
                reply = call()
                seen.statuses[reply.status] += 1
                seen.times_s.append(reply.took_s)
    assert (dict(money.statuses), dict(large.statuses)) == ({201: ROUNDS}, {503: ROUNDS})
    assert dict(other.statuses) == {200: ROUNDS}
    assert max(money.usual_s, large.usual_s) < 0.15 + OBJECTIVE_S
    assert other.usual_s < OBJECTIVE_S
    assert bank.postgres.query("SELECT unscored, count(*) FROM movement GROUP BY 1") == [(True, ROUNDS)]
    books_agree(bank.postgres)


@pytest.mark.parametrize("breaker", ["on", "off"])
def test_money_waits_for_anti_fraud_that_hangs_until_the_breaker_opens(bank, breaker):
    """Then it is marked at once. Without a breaker every movement pays for the wait, for as long as that lasts."""
    ledger, risk = bank.ledger(), bank.service("risk")
    off = {"BANK_FLOW_OFF": "breaker"} if breaker == "off" else {}
    gateway = bank.gateway(ledger, services=[risk], BANK_RISK="on", **off)
    token = gateway.login()
    with risk.frozen(), ThreadPoolExecutor(5) as phones:
        assert set(phones.map(lambda _: gateway.pay(token).status, range(25))) == {201}
        before = gateway.metric("bank_dependency_calls_total", dependency="risk", outcome="breaker")
        replies = [gateway.pay(token) for _ in range(ROUNDS)]
        kept = gateway.metric("bank_dependency_calls_total", dependency="risk", outcome="breaker") - before
    assert {each.status for each in replies} == {201}
    usual_s = sorted(each.took_s for each in replies)[ROUNDS // 2]
    if breaker == "on":
        assert kept > ROUNDS / 2
        assert usual_s < 0.12
    else:
        assert kept == 0
        assert usual_s >= 0.14
    assert bank.postgres.query("SELECT unscored, count(*) FROM movement GROUP BY 1") == [(True, 25 + ROUNDS)]

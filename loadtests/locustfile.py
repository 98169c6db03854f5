"""The mobile bank's calls: how each operation of the topology looks on the wire, for `stormdrill`.

When a call is due, and how often, is said by `profiles/*.yaml`; what its outcome means by the harness.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from stormdrill.load.generator.phone import Answer, Call, Phone, step

SMALLEST, LARGEST = 100, 50_000  # fen
FUNDS = ("money-market", "bonds", "balanced", "index")
SPOKEN = (
    "what is my balance",
    "send money to my sister",
    "show my bills",
    "where is the next branch",
    "play some music",
)


class MobileBank(Phone):
    """A customer's phone with the bank's app on it."""

    deadline_header = "X-Deadline-Ms"
    last_key = ""

    def begin(self, customer: int, others: Sequence[int], cell: int, site: int) -> None:
        """Become another customer's phone, which has moved no money yet."""
        super().begin(customer, others, cell, site)
        self.last_key = ""

    @step("login", opens=True)
    def login(self) -> Call:
        """Device and password for a session token."""
        body = {
            "customer": self.customer,
            "device": f"device-{self.customer}",
            "password": f"pw-{self.customer}",
        }
        return Call("POST", "/v1/login", body, fields=("token",), then=self.logged_in)

    def logged_in(self, answer: Answer) -> None:
        """Keep the token for what follows."""
        self.token = answer["token"]
        self.expires_s = float(answer.get("expires_s", 0))

    @step("balance")
    def balance(self) -> Call:
        """What the home page shows."""
        return Call("GET", "/v1/balance", fields=("balance",))

    @step("bills")
    def bills(self) -> Call:
        """The latest entries of the account."""
        return Call("GET", "/v1/bills", fields=("entries",))

    @step("transfer")
    def transfer(self) -> Call:
        """Money to another customer."""
        to, amount = self.somebody(), self.random.randint(SMALLEST, LARGEST)
        body = {"to": to, "amount": amount}
        return Call("POST", "/v1/transfers", body, 201, ("movement",), self.booked, amount=amount, target=to)

    @step("payment")
    def payment(self) -> Call:
        """Money to a shop, by way of a clearing account that the phone does not know."""
        amount = self.random.randint(SMALLEST, LARGEST)
        body = {"payee": f"shop-{self.random.randrange(1000)}", "amount": amount}
        return Call("POST", "/v1/payments", body, 201, ("movement",), self.booked, amount=amount)

    def booked(self, answer: Answer) -> None:
        """Remember what to ask about."""
        self.last_key = str(answer["key"])

    @step("confirm")
    def confirm(self) -> Call:
        """What became of the money that this phone moved last; of nothing, when it has moved none."""
        return Call(
            "GET", f"/v1/movements?key={self.last_key or uuid.UUID(int=self.customer)}", fields=("state",)
        )

    @step("checkin")
    def checkin(self) -> Call:
        """Presence on campus."""
        return Call("POST", "/v1/checkins", {"place": f"hall-{self.random.randrange(50)}"}, 201)

    @step("products")
    def products(self) -> Call:
        """The funds that there are."""
        return Call("GET", "/v1/wealth/products", fields=("products",))

    @step("advice")
    def advice(self) -> Call:
        """How much of which fund suits the customer."""
        return Call("GET", "/v1/wealth/advice", fields=("shares",))

    @step("invest")
    def invest(self) -> Call:
        """An order of a fund: its money leaves the account under the order's key."""
        amount = self.random.randint(1_000, LARGEST)
        body = {"product": self.random.choice(FUNDS), "amount": amount}
        return Call("POST", "/v1/wealth/orders", body, 201, ("order", "movement"), amount=amount)

    @step("voice")
    def voice(self) -> Call:
        """A question that was spoken."""
        return Call("POST", "/v1/voice", {"text": self.random.choice(SPOKEN)}, fields=("intent", "answer"))

    @step("offers")
    def offers(self) -> Call:
        """What marketing has for the customer."""
        return Call("GET", "/v1/offers", fields=("offers",))

"""What the shop's own people load their shop with: plain Locust.

locust -f locustfile.py --host http://127.0.0.1:30700
"""

import random
import uuid

from locust import FastHttpUser, between, task

PRICES = {"tea": 450, "rice": 1290, "soap": 380}


class Customer(FastHttpUser):
    """Looks around, and now and then orders something."""

    wait_time = between(0.5, 1.5)
    connection_timeout = 1.0
    network_timeout = 3.0

    @task(3)
    def browse(self) -> None:
        """Look at the catalogue."""
        self.client.get("/api/catalog")

    @task(1)
    def order(self) -> None:
        """Order, under an id of one's own."""
        item, quantity = random.choice(list(PRICES)), random.randint(1, 5)
        self.client.post(
            "/api/orders",
            json={"item": item, "quantity": quantity, "total_cents": PRICES[item] * quantity},
            headers={"X-Request-Id": str(uuid.uuid4())},
        )

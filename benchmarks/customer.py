"""A plain locustfile: one read, over and over. The clock of stormdrill and Locust's own pacing both run it."""

import os

from locust import FastHttpUser, constant_throughput, task

_PACE_PER_S = float(os.environ.get("BENCH_PACE_PER_S", "1"))


class Customer(FastHttpUser):
    """Asks for a balance."""

    wait_time = constant_throughput(_PACE_PER_S)
    connection_timeout = network_timeout = 20

    @task
    def balance(self) -> None:
        """The only request."""
        self.client.get("/v1/accounts/1")

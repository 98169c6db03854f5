"""The phones there are: made when needed, handed from customer to customer, never more than the limit."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from stormdrill.load.config import LoadConfig
from stormdrill.load.generator.names import Names
from stormdrill.load.generator.phone import Phone


class Phones:
    """A pool of phones for sessions, and the making of the probes' own."""

    def __init__(self, config: LoadConfig, phone_class: type[Phone], environment: Any, names: Names) -> None:
        self._class, self._environment, self._names = phone_class, environment, names
        self._limit = config.profile.users
        self._edges = len(config.edges)
        self._random = Random(f"{config.seed}/phones")
        self._population = config.population
        self._cells = range(len(config.cells))
        self._across = config.profile.customers.across_cells or 0.0
        self._free: list[Phone] = []
        self._made = 0

    def take(self, cell: int) -> Phone | None:
        """A phone for some customer of `cell`, at some edge; None when all are in use."""
        phone = self._free.pop() if self._free else self._make()
        if phone is not None:
            customers = self._population.visitors(cell)
            customer = self._random.choice(customers)
            self._hand_over(
                phone, customer, self._population.visitors, cell, self._random.randrange(self._edges)
            )
            self._names.resolve(phone)
        return phone

    def give_back(self, phone: Phone) -> None:
        """The session is over."""
        self._free.append(phone)

    def probes(self, cell: int) -> list[Phone]:
        """One phone for each customer of `cell` that is the probes', spread over the edges."""
        customers = self._population.probes(cell)
        phones = []
        for number, customer in enumerate(customers):
            phone = self._class(self._environment, self._random)
            self._hand_over(phone, customer, self._population.probes, cell, number % self._edges)
            self._names.resolve(phone)
            phones.append(phone)
        return phones

    def _hand_over(
        self, phone: Phone, customer: int, those_of: Callable[[int], range], cell: int, site: int
    ) -> None:
        """Make it the phone of one of `those_of` its cell, who sends money to them, and to those of other cells."""
        phone.begin(customer, those_of(cell), cell, site)
        phone.across_cells = self._across
        phone.beyond = [those for other in self._cells if other != cell and (those := those_of(other))]

    def _make(self) -> Phone | None:
        if self._made >= self._limit:
            return None
        self._made += 1
        return self._class(self._environment, self._random)

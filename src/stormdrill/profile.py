"""A traffic profile: `stormdrill.profile/1` decoded into frozen values.

A profile says how much demand there is and what customers do with their phones; how an operation looks on the
wire is the locustfile's business, what it is worth (tier, deadline) the topology's. `demand` does the
arithmetic from business numbers to requests a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from stormdrill.content import Node, open_document
from stormdrill.content.plain import WHEN_SET

SCHEMA = "stormdrill.profile/1"
T = TypeVar("T")


@dataclass(frozen=True)
class Business:
    """The bank's own numbers. Money in whole units of its currency, `ticket` the mean of one movement."""

    monthly_active: int
    daily_share: float
    uses_per_day: float
    calls_per_use: float
    peak_factor: float
    yearly_value: int
    ticket: int


@dataclass(frozen=True)
class Session:
    """One use of the app: `opening` steps in order, then steps drawn by the weights of `actions`."""

    length_s: float
    opening: tuple[str, ...]
    actions: Mapping[str, float]


@dataclass(frozen=True)
class App:
    """How the app and its customer behave when an answer is slow, wrong or missing.

    `timeouts_s` holds one timeout an operation, `timeout_s` the rest. A step is tried at most `attempts`
    times within `patience_s` of its due time; a session retries at most `retries_per_session` times over all
    its steps. Back-off is `backoff_s * backoff_factor ** n`, spread by plus or minus `jitter`; `abandon` is
    the probability that a customer closes the app after a step failed for good, and `abandons` has that of operations
    that are wanted more, or less, than the rest.
    """

    connect_timeout_s: float
    timeout_s: float
    timeouts_s: Mapping[str, float]
    attempts: int
    backoff_s: float
    backoff_factor: float
    jitter: float
    retries_per_session: int
    patience_s: float
    abandon: float
    abandons: Mapping[str, float] = field(default_factory=dict, metadata=WHEN_SET)

    def timeout_of(self, operation: str) -> float:
        """How long the app waits for one answer, in seconds."""
        return self.timeouts_s.get(operation, self.timeout_s)

    def abandon_after(self, operation: str) -> float:
        """How probable it is that the customer closes the app when this operation has failed."""
        return self.abandons.get(operation, self.abandon)


@dataclass(frozen=True)
class Pulse:
    """Extra single requests by customers already logged in: `rate_per_s` from `from_s` for `for_s`, over all cells."""

    operation: str
    from_s: float
    for_s: float
    rate_per_s: float


@dataclass(frozen=True)
class Shape:
    """Demand relative to the profile's rate: `factor` at `at_s`, straight lines between, the last kept."""

    at_s: float
    factor: float


@dataclass(frozen=True)
class Customers:
    """Whose accounts are used: numbers `first` to `first + count - 1`; the last `probes` are the probes'.

    `across_cells` is the share of transfers that go to a customer of another cell; None: money stays in its cell.
    """

    first: int
    count: int
    probes: int
    across_cells: float | None = field(default=None, metadata=WHEN_SET)


@dataclass(frozen=True)
class Profile:
    """A traffic profile. Either `business` and `session` (phones), or `arrivals_per_s` (a plain locustfile).

    `users` bounds how many phones (or plain users) exist at once; demand beyond it is dropped and counted.
    `probes` are requests a second by operation, in each cell.
    """

    path: Path
    sha256: str
    name: str
    title: str
    business: Business | None
    scale: float
    session: Session | None
    arrivals_per_s: float | None
    users: int
    app: App
    customers: Customers
    probes: Mapping[str, float]
    pulses: tuple[Pulse, ...]
    shape: tuple[Shape, ...]

    @property
    def operations(self) -> frozenset[str]:
        """Every operation the profile names; each must be one of the topology's."""
        steps = {*self.session.opening, *self.session.actions} if self.session else set()
        return frozenset(
            steps
            | set(self.probes)
            | set(self.app.timeouts_s)
            | set(self.app.abandons)
            | {p.operation for p in self.pulses}
        )


def load(path: Path) -> Profile:
    """Read a profile. InputError with every problem, each with its line."""
    document = open_document(path, SCHEMA)
    with document.root.fields() as top:
        top.get("schema")
        profile = Profile(
            path=path.resolve(),
            sha256=document.sha256,
            name=top.need("name").name(),
            title=top.get("title").text(),
            business=top.get("business").maybe(_business),
            scale=top.get("scale").number(1.0, low=1e-9),
            session=top.get("session").maybe(_session),
            arrivals_per_s=top.get("arrivals").maybe(_rate),
            users=top.get("users").integer(500, low=1, high=100_000),
            app=_app(top.get("app")),
            customers=_customers(top.get("customers")),
            probes={name: _rate(node) for name, node in top.get("probes").items()},
            pulses=tuple(_pulse(node) for node in top.get("pulses").elements()),
            shape=_shape(top.get("shape")),
        )
    _cross_check(document.root, profile)
    document.problems.raise_if_any()
    return profile


def _business(node: Node) -> Business:
    with node.fields() as fields:
        return Business(
            monthly_active=fields.need("monthly_active").integer(1, low=1),
            daily_share=fields.need("daily_share").ratio(1.0),
            uses_per_day=fields.need("uses_per_day").number(1.0, low=0.001),
            calls_per_use=fields.need("calls_per_use").number(1.0, low=1),
            peak_factor=fields.need("peak_factor").number(1.0, low=1),
            yearly_value=fields.need("yearly_value").integer(0, low=0),
            ticket=fields.need("ticket").integer(1, low=1),
        )


def _session(node: Node) -> Session:
    with node.fields() as fields:
        session = Session(
            length_s=fields.need("length").duration_s(60.0, low=1),
            opening=fields.need("opening").texts(),
            actions={name: child.number(1.0, low=0) for name, child in fields.need("actions").items()},
        )
        if fields.get("opening").present and not session.opening:
            fields.get("opening").problem("a session needs at least one step")
        if fields.get("actions").present and not sum(session.actions.values()):
            fields.get("actions").problem("at least one action needs a weight above 0")
        return session


def _app(node: Node) -> App:
    with node.fields() as fields, fields.get("retry").fields() as retry:
        return App(
            connect_timeout_s=fields.get("connect_timeout").duration_s(1.0, low=0.01),
            timeout_s=fields.get("timeout").duration_s(3.0, low=0.01),
            timeouts_s={name: n.duration_s(3.0, low=0.01) for name, n in fields.get("timeouts").items()},
            attempts=retry.get("attempts").integer(3, low=1, high=20),
            backoff_s=retry.get("backoff").duration_s(0.5),
            backoff_factor=retry.get("factor").number(2.0, low=1),
            jitter=retry.get("jitter").ratio(0.5),
            retries_per_session=retry.get("per_session").integer(4, low=0),
            patience_s=fields.get("patience").duration_s(10.0, low=0.1),
            abandon=fields.get("abandon").ratio(0.5),
            abandons={name: n.ratio(0.5) for name, n in fields.get("abandons").items()},
        )


def _customers(node: Node) -> Customers:
    with node.fields() as fields:
        customers = Customers(
            first=fields.get("first").integer(1, low=0),
            count=fields.get("count").integer(10_000, low=2),
            probes=fields.get("probes").integer(64, low=1),
            across_cells=fields.get("across_cells").maybe(Node.ratio),
        )
        if customers.probes >= customers.count:
            fields.get("probes").problem("the probes leave no customer for the sessions")
        return customers


def _pulse(node: Node) -> Pulse:
    with node.fields() as fields:
        return Pulse(
            operation=fields.need("operation").text(),
            from_s=fields.need("from").duration_s(),
            for_s=fields.need("for").duration_s(1.0, low=0.1),
            rate_per_s=_rate(fields.need("rate")),
        )


def _shape(node: Node) -> tuple[Shape, ...]:
    points = []
    for element in node.elements():
        with element.fields() as fields:
            points.append(Shape(fields.need("at").duration_s(), fields.need("factor").number(1.0, low=0)))
            if len(points) > 1 and points[-1].at_s < points[-2].at_s:
                fields.get("at").problem("times must not go back")
    return tuple(points) or (Shape(0.0, 1.0),)


def _rate(node: Node) -> float:
    rate_per_s = node.rate_per_s(1.0)
    if rate_per_s == 0:
        node.problem("must be above 0")
    return rate_per_s


def _cross_check(root: Node, profile: Profile) -> None:
    phones = profile.business is not None and profile.session is not None
    if phones and profile.arrivals_per_s is not None:
        root.problem(
            "'arrivals' is for plain locustfiles; 'business' and 'session' already say how many come"
        )
    if not phones and profile.arrivals_per_s is None:
        root.problem("needs either 'business' and 'session', or 'arrivals'")
    if not phones and (profile.probes or profile.pulses):
        root.problem("'probes' and 'pulses' need phones ('business' and 'session')")
    if profile.business and profile.session and len(profile.session.opening) > profile.business.calls_per_use:
        root.problem("business.calls_per_use is below the number of opening steps of a session")

"""Limits at the edge: whose they are, and how much this deployment allows. Without a setting there is no limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from adapters.http import Visit
from adapters.settings import optional_setting
from domain.errors import Refused
from domain.throttling import allowances
from domain.throttling.limits import Limit

IPV6_SUBSCRIBER = 64  # bits; who has one address of such a network has them all


def spend(visit: Visit, limit: Limit, subject: str | None = None, units: int = 1) -> None:
    """Take units of what the limit allows the visitor's address, or `subject`. Refuses with RATE_LIMITED."""
    if most := _most(limit):
        allowances.spend(visit.connection, limit, _whose(visit, subject), most, visit.now, units)


def give_back(visit: Visit, limit: Limit, subject: str | None = None, units: int = 1) -> None:
    """Undo a `spend`."""
    if most := _most(limit):
        allowances.give_back(visit.connection, limit, _whose(visit, subject), most, visit.now, units)


@dataclass
class Counting:
    """What is being counted; `keep` says that it counts although it succeeds."""

    kept: bool = False

    def keep(self) -> None:
        self.kept = True


@contextmanager
def counting_refusals(visit: Visit, limit: Limit, *subjects: str) -> Iterator[Counting]:
    """What is done inside counts for the address and for each subject, unless it succeeds.

    It is counted before it is tried: of a hundred at once, no more than allowed are tried at all.
    """
    counting = Counting()
    spend(visit, limit)
    for subject in subjects:
        spend(visit, limit, subject)
    yield counting
    if counting.kept:
        return
    give_back(visit, limit)
    for subject in subjects:
        give_back(visit, limit, subject)


@contextmanager
def counting_successes(visit: Visit, limit: Limit, units: int) -> Iterator[None]:
    """What is done inside counts so many units for the address, unless it is refused."""
    if not units:
        yield
        return
    spend(visit, limit, units=units)
    try:
        yield
    except Refused:
        give_back(visit, limit, units=units)
        raise


def subscriber(address: str) -> str:
    """Who is behind an IP address, as far as it tells."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or ip_network((ip, IPV6_SUBSCRIBER), strict=False))
    return str(ip)


def _whose(visit: Visit, subject: str | None) -> str:
    return subscriber(visit.address) if subject is None else subject


def _most(limit: Limit) -> int:
    return int(optional_setting(limit.name, "0"))

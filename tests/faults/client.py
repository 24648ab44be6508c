"""Somebody at a browser: asks one thing after the other, and tries again when told to.

Every answer is held to the contract. After a 503 they rest for as long as it says, or for longer than PostgreSQL lets
a request's transaction live; then whatever their request did is looked at: nothing of it may be of after the answer.
"""

import json
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from random import Random
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.faults.contract import NO_ANSWER, Exchange
from tests.faults.effects import Owner, written_since
from tests.faults.pulse import Pulse
from tests.faults.tally import Tally

PATIENCE_SECONDS = 35.0
TRIES = 12
RESTS_SECONDS = (5.0, 9.0)
PAUSE_SECONDS = (0.02, 0.2)


class GaveUp(Exception):
    """Told to try again too often, or refused what they came for."""


@dataclass(frozen=True)
class Town:
    """Where everything is. `database_url` leads past what is disturbed."""

    api: str
    stripe_api: str
    stripe_secret_key: str
    database_url: str


@dataclass
class Client:
    town: Town
    tally: Tally
    pulse: Pulse
    dice: Random
    name: str
    owner: Owner
    address: str
    cookies: dict[str, str] = field(default_factory=dict)
    being_paid: bool = False

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **parameters: str,
    ) -> Exchange:
        """The answer, once it is more than "try again": a request with the same body, and the same key, each time.

        `path` is the described one; `parameters` fill it. Raises GaveUp.
        """
        time.sleep(self.dice.uniform(*PAUSE_SECONDS))
        for _ in range(TRIES):
            fault = self.tally.fault
            exchange = self.once(method, path, body, query, headers, **parameters)
            if exchange.status == 503:
                self._rest_and_look(fault, exchange)
            elif exchange.code == "IDEMPOTENCY_IN_FLIGHT":
                time.sleep(self.dice.uniform(2, 6))
            elif exchange.status == NO_ANSWER:
                time.sleep(1)
            else:
                return exchange
        raise GaveUp(f"{method} {path}")

    def once(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **parameters: str,
    ) -> Exchange:
        """The first answer, whatever it is."""
        fault = self.tally.fault
        exchange = self._send(method, path, body, query, headers, parameters)
        self.tally.answered(fault, exchange, self.pulse.slack(exchange.sent, exchange.answered))
        return exchange

    def _rest_and_look(self, fault: str, exchange: Exchange) -> None:
        time.sleep(self.dice.choice(RESTS_SECONDS))
        found = written_since(self.town.database_url, self.owner, exchange.sent, being_paid=self.being_paid)
        late = [effect for effect in found if effect.committed_at.timestamp() > exchange.answered]
        self.tally.given_up(fault, done=len(late) < len(found), late=bool(late))
        self.tally.violated(
            *(
                f"{exchange}, and {effect}, {effect.committed_at.timestamp() - exchange.answered:.3f} s later"
                for effect in late
            ),
            fault=fault,
        )

    def _send(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        parameters: Mapping[str, str],
    ) -> Exchange:
        target = path.format_map(parameters) + (f"?{urlencode(query)}" if query else "")
        sent_headers = {"content-type": "application/json", **(headers or {})}
        if self.cookies:
            sent_headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = HTTPConnection(
            urlsplit(self.town.api).netloc.replace("localhost", "127.0.0.1"),
            timeout=PATIENCE_SECONDS,
            source_address=(self.address, 0),
        )
        text = None if body is None else json.dumps(body)
        sent = time.time()
        try:
            connection.request(method, target, text, sent_headers)
            answer = connection.getresponse()
            content = answer.read().decode()
        except (OSError, HTTPException) as error:
            why = f"no answer: {type(error).__name__}"
            return Exchange(self.name, method, path, NO_ANSWER, {}, why, sent, time.time())
        finally:
            connection.close()
        answered = time.time()
        self._keep_cookies(answer.headers.get_all("set-cookie") or [])
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Exchange(self.name, method, path, answer.status, found, content, sent, answered)

    def _keep_cookies(self, cookies: list[str]) -> None:
        for cookie in cookies:
            for name, morsel in SimpleCookie(cookie).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]

    def confirms(self, intent_id: str, card: str) -> bool:
        """What Stripe.js does in the browser: answers whether the payment succeeded."""
        return post_to_stripe(self.town, f"/v1/payment_intents/{intent_id}/confirm", {"payment_method": card})


def post_to_stripe(town: Town, path: str, form: Mapping[str, str]) -> bool:
    connection = HTTPConnection(urlsplit(town.stripe_api).netloc, timeout=PATIENCE_SECONDS)
    authorization = b64encode(f"{town.stripe_secret_key}:".encode()).decode()
    headers = {
        "authorization": f"Basic {authorization}",
        "content-type": "application/x-www-form-urlencoded",
    }
    try:
        connection.request("POST", path, urlencode(form), headers)
        answer = connection.getresponse()
        return answer.status == 200 and json.loads(answer.read())["status"] == "succeeded"
    finally:
        connection.close()

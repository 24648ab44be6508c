"""Standard Webhooks signatures: the contract's vector, and the reference library as judge (make-webhooks b.2)."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from domain.webhooks.signature import sign

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
EVENT_ID = "evt_0194644a2c007b1e8f3a5c9d2e4f6071"
TIMESTAMP = 1736868600
BODY = (
    '{"type":"booking.cancelled","event_id":"evt_0194644a2c007b1e8f3a5c9d2e4f6071",'
    '"sent_at":"2025-01-14T15:30:00.000Z","payload":{"cancellation_reason":"Empêchement"}}'
).encode()


def test_the_vector_of_the_contract() -> None:
    assert len(BODY) == 164
    assert sign([SECRET], EVENT_ID, TIMESTAMP, BODY) == "v1,PNOhruWvqRr/dcFtmkLHLsLC8ytmDQWf+XVBJBC0TWc="


@pytest.mark.parametrize(
    ("event_id", "timestamp", "body"),
    [
        (EVENT_ID[:-1] + "2", TIMESTAMP, BODY),
        (EVENT_ID, TIMESTAMP + 1, BODY),
        (EVENT_ID, TIMESTAMP, BODY[:-1]),
        (EVENT_ID, TIMESTAMP, BODY.replace("ê".encode(), b"e")),
    ],
)
def test_everything_signed_counts(event_id: str, timestamp: int, body: bytes) -> None:
    assert sign([SECRET], event_id, timestamp, body) != sign([SECRET], EVENT_ID, TIMESTAMP, BODY)


def test_during_a_rotation_the_current_secret_signs_first() -> None:
    old = "whsec_" + base64.b64encode(b"o" * 32).decode()
    both = sign([SECRET, old], EVENT_ID, TIMESTAMP, BODY)

    current, previous = both.split(" ")
    assert current == sign([SECRET], EVENT_ID, TIMESTAMP, BODY)
    assert previous == sign([old], EVENT_ID, TIMESTAMP, BODY)


@given(key=st.binary(min_size=24, max_size=64), said=st.text(st.characters(exclude_categories=["Cs"])))
def test_the_reference_library_accepts_every_signature(key: bytes, said: str) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    body = json.dumps(said, ensure_ascii=False).encode()
    now = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": EVENT_ID,
        "webhook-timestamp": str(now),
        "webhook-signature": sign([secret], EVENT_ID, now, body),
    }

    assert Webhook(secret).verify(body, headers) == said
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)

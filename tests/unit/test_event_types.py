"""Recording and routing cost no pydantic: only who tells a fact loads what facts are made of."""

import pytest

from tests.support.imports import loaded_by


@pytest.mark.parametrize(
    "module", ["domain.webhooks.event_types", "domain.webhooks.outbox", "domain.webhooks.relay"]
)
def test_the_outbox_is_known_without_loading_the_events(module: str) -> None:
    assert loaded_by(module) & {"pydantic", "domain.webhooks.events"} == set()

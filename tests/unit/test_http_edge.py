"""The edge's reading of when a request came."""

from datetime import UTC, datetime

from adapters.http import request_time


def test_api_gateway_stamps_milliseconds() -> None:
    assert request_time(1_800_291_600_250) == datetime(2027, 1, 18, 17, 0, 0, 250_000, tzinfo=UTC)


def test_sam_cli_stamps_seconds() -> None:
    assert request_time(1_800_291_600) == datetime(2027, 1, 18, 17, tzinfo=UTC)

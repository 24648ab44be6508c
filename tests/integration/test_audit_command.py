"""The audit as an operator meets it: a command, and a function of every night."""

import pytest

from functions.audit import app
from tests.support.browser import CONTEXT
from tests.support.guest import Guest
from tests.support.tables import nothing_written
from tests.support.world import World, toronto, wanted


@pytest.fixture
def sold(world: World) -> World:
    course = world.school.course()
    world.school.tutor(course)
    Guest(world).books(wanted(course, toronto(20, 10)))
    return world


def test_books_that_fit_together_have_no_finding(sold: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main() == 0
    assert capsys.readouterr().out == "Everything fits together.\n"
    assert app.lambda_handler({}, CONTEXT) == {"audit_findings": 0}


def test_a_finding_is_a_sentence_with_the_rows_that_show_it(
    sold: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (order,) = sold.rows("UPDATE orders SET status = 'refunded' RETURNING id")
    with nothing_written(sold.connection):
        assert app.main() == 1
        said = capsys.readouterr().out
        assert app.lambda_handler({"time": sold.clock().isoformat()}, CONTEXT) == {"audit_findings": 1}

    assert said == f"an order whose refunds or status do not add up: {order['id']}\n"
    (record,) = [record for record in caplog.records if record.message == "audit finding"]
    assert vars(record)["examples"] == [str(order["id"])]


def test_the_audit_does_not_see_half_of_what_somebody_is_doing(sold: World) -> None:
    with sold.connection.transaction(force_rollback=True):
        sold.connection.execute("DELETE FROM outbox")
        assert app.main() == 0

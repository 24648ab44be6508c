"""Every morning: while something is not delivered to Make.com, say to the operators what, since when, what to do."""

from typing import Any

from adapters import database
from adapters.alerts import tell_operators
from adapters.jobs import job, report, run_time
from adapters.make_routes import routes
from domain.webhooks.health import look_at_endpoints
from domain.webhooks.notice import compose


@job
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    now = run_time(event)
    notice = compose(look_at_endpoints(database.connection_for_jobs(), routes(), now))
    if notice:
        tell_operators(notice.subject, notice.text)
    return report(operators_told=int(notice is not None))

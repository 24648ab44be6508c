"""Every night, or by `make audit`: read the whole database and say what does not fit together."""

import sys
from datetime import UTC, datetime
from typing import Any

from adapters import database
from adapters.jobs import job, logger, report, run_time
from adapters.patience import waiting_at_most
from domain.audit.audit import audit

LONGEST_SECONDS = 290.0  # for one answer: it reads everything


@job
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    with waiting_at_most(LONGEST_SECONDS):
        findings = audit(database.connection_for_jobs(), run_time(event))
    for finding in findings:
        logger.error(
            "audit finding",
            extra={"finding": finding.sentence, "count": finding.count, "examples": finding.examples},
        )
    return report(audit_findings=len(findings))


def main() -> int:
    """Print every finding; answers how a command ends: 0 when there is none."""
    findings = audit(database.connection_for_jobs(), datetime.now(UTC))
    print("\n".join(str(finding) for finding in findings) or "Everything fits together.")  # noqa: T201
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

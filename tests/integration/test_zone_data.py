"""Zone data comes from the locked tzdata package alone, in these tests and wherever a function runs (decision 6)."""

import os
import subprocess
import sys
import zoneinfo
from importlib import resources
from pathlib import Path

from tests.support.local_stack import write_project

ROOT = Path(__file__).parents[2]
TEMPLATE = """
Globals: {Function: {Handler: app.lambda_handler, Environment: {Variables: {PYTHONTZPATH: ""}}}}
Resources:
  Zone: {Type: AWS::Serverless::Function, Properties: {CodeUri: functions/zone}}
"""
ZONE = """
import zoneinfo
from datetime import UTC, datetime

def lambda_handler(event, context):
    noon = datetime(2027, 1, 18, 17, tzinfo=UTC).astimezone(zoneinfo.ZoneInfo("America/Toronto"))
    return f"{zoneinfo.TZPATH} {noon.isoformat()}"
"""
PREPARED_LATE = """
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

kept = ZoneInfo("America/Toronto")  # read before anybody has said where zone data comes from
from local import functions
from local.template import load

application = load(Path(sys.argv[1]))
loaded = functions.load(application, application.environment)
print(kept.key, loaded["zone"]({}))
"""


def test_no_zone_data_of_the_machine_is_read_in_tests() -> None:
    assert zoneinfo.TZPATH == ()
    assert os.environ["PYTHONTZPATH"] == ""


def test_a_function_prepared_locally_reads_the_locked_package_whatever_the_machine_has(
    tmp_path: Path,
) -> None:
    """The machine's own file is wrong, and had been read before the function was prepared."""
    template = write_project(tmp_path, TEMPLATE, {"zone": ZONE})
    wrong = tmp_path / "zoneinfo" / "America" / "Toronto"
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes((resources.files("tzdata") / "zoneinfo" / "UTC").read_bytes())

    answer = subprocess.run(  # noqa: S603  our own interpreter, our own code
        [sys.executable, "-c", PREPARED_LATE, str(template)],
        env=os.environ | {"PYTHONTZPATH": str(tmp_path / "zoneinfo"), "PYTHONPATH": f"layers/shared:{ROOT}"},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert answer == "America/Toronto () 2027-01-18T12:00:00-05:00\n"

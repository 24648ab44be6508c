"""`python -m local.gateway`: the HTTP API alone, for measurements."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import sockets
from tests.support.local_stack import alive, ask, wait_until, write_project

TEMPLATE = """
Globals: {Function: {Handler: app.lambda_handler, Environment: {Variables: {GREETING: template, STAGE: template}}}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/hello, Events: {Get: {Type: HttpApi, Properties: {Method: GET, Path: /hello}}}}
"""
HELLO = """
import os

def lambda_handler(event, context):
    return {"pid": os.getpid(), "greeting": os.environ["GREETING"], "stage": os.environ["STAGE"]}
"""


@contextmanager
def gateway(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "local.gateway", "--template", str(folder / "template.yaml"), *arguments]
    environment = {**os.environ, "GREETING": "environment", "PYTHONPATH": f"layers/shared:{Path.cwd()}"}
    process = subprocess.Popen(  # noqa: S603
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_workers_share_one_port_and_end_with_their_parent(tmp_path: Path) -> None:
    write_project(tmp_path, TEMPLATE, {"hello": HELLO})
    with gateway(tmp_path, "--workers", "2", "--threads", "1") as process:
        assert process.stdout
        line = process.stdout.readline()
        address = re.fullmatch(r"(http://127\.0\.0\.1:\d+) is served by 2 process\(es\)\n", line)
        assert address
        url = f"{address[1]}/hello"
        pids: set[int] = set()

        def both_have_answered() -> bool:
            pids.add(ask("GET", url).json["pid"])
            return len(pids) == 2

        wait_until(both_have_answered)
        answer = ask("GET", url).json
        assert (answer["greeting"], answer["stage"]) == ("environment", "template")

        process.kill()

    wait_until(lambda: not any(alive(pid) for pid in pids))


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    write_project(tmp_path, TEMPLATE, {"hello": HELLO})
    with sockets.listen() as taken:
        port = taken.getsockname()[1]
        with gateway(tmp_path, "--port", str(port)) as process:
            _, errors = process.communicate(timeout=30)

    assert process.returncode == 1
    assert errors == f"Port {port} is taken: stop what listens on it, or choose another.\n"

"""Functions run in processes of their own, one call at a time in each, as on Lambda."""

import os
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local import clock, sockets
from local.containers import Containers, FunctionFailedError
from local.template import load
from tests.support.local_stack import alive, wait_until, write_project

TEMPLATE = """
Globals: {Function: {Handler: app.lambda_handler, Timeout: 20, Environment: {Variables: {COMMON: common}}}}
Resources:
  Probe:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/probe, MemorySize: 256, Environment: {Variables: {OWN: probe}}}
  Hanging:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/hanging, Timeout: 1}
  Other:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/other, Environment: {Variables: {OF_OTHER: other}}}
  Broken:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/broken}
"""

PROBE = """
import os, socket, threading, time
calls = 0

def lambda_handler(event, context):
    global calls
    calls += 1
    match event["do"]:
        case "describe":
            return {
                "pid": os.getpid(), "calls": calls, "time": time.time(),
                "environment": {name: os.environ.get(name) for name in event["names"]},
                "name": context.function_name, "memory": context.memory_limit_in_mb,
                "remaining": context.get_remaining_time_in_millis(), "request": context.aws_request_id,
            }
        case "meet":
            with socket.create_connection(("127.0.0.1", event["port"])) as other:
                other.recv(1)
            return {"pid": os.getpid()}
        case "raise":
            raise ZeroDivisionError("on purpose")
        case "die":
            os._exit(3)
        case "unserializable":
            return object()
"""

HANGING = """
import os, socket, threading

def lambda_handler(event, context):
    with socket.create_connection(("127.0.0.1", event["port"])) as other:
        other.sendall(str(os.getpid()).encode())
    threading.Event().wait()
"""

FUNCTIONS = {
    "probe": PROBE,
    "other": "def lambda_handler(event, context): return 1",
    "hanging": HANGING,
    "broken": "import no_such_module",
}


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    application = load(write_project(tmp_path_factory.mktemp("project"), TEMPLATE, FUNCTIONS))
    containers = Containers(application, {"SECRET": "shared"})
    try:
        assert list(containers.wait_until_loaded()) == ["broken"]
        yield containers
    finally:
        containers.stop()


def describe(containers: Containers, *names: str) -> dict[str, object]:
    description: dict[str, object] = containers.invoke("probe", {"do": "describe", "names": names})
    return description


def test_an_idle_container_is_used_again_and_remembers(containers: Containers) -> None:
    first, second = describe(containers), describe(containers)

    assert first["pid"] == second["pid"] != os.getpid()
    assert second["calls"] == int(str(first["calls"])) + 1
    assert first["request"] != second["request"]


def test_the_context_tells_about_the_function(containers: Containers) -> None:
    description = describe(containers)

    assert (description["name"], description["memory"]) == ("probe", "256")
    assert 0 < int(str(description["remaining"])) <= 20_000


def test_a_function_sees_its_own_variables_and_the_secrets_and_nobody_elses(containers: Containers) -> None:
    assert describe(containers, "COMMON", "OWN", "SECRET", "OF_OTHER")["environment"] == {
        "COMMON": "common",
        "OWN": "probe",
        "SECRET": "shared",
        "OF_OTHER": None,
    }


def test_calls_at_the_same_time_have_a_container_each(containers: Containers) -> None:
    pids: list[int] = []
    with sockets.listen() as meeting_point:
        event = {"do": "meet", "port": meeting_point.getsockname()[1]}
        callers = [
            threading.Thread(target=lambda: pids.append(containers.invoke("probe", event)["pid"]))
            for _ in range(3)
        ]
        for caller in callers:
            caller.start()
        guests = [meeting_point.accept()[0] for _ in callers]  # all three are inside their handler now
        for guest in guests:
            guest.close()
        for caller in callers:
            caller.join()

    assert len(set(pids)) == 3


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        ("raise", "ZeroDivisionError: on purpose"),
        ("unserializable", "not JSON serializable"),
        ("die", "Runtime exited"),
    ],
)
def test_a_call_without_a_result_says_why_and_the_next_one_works(
    containers: Containers, deed: str, message: str
) -> None:
    with pytest.raises(FunctionFailedError, match=message):
        containers.invoke("probe", {"do": deed})

    assert describe(containers)["name"] == "probe"


def test_a_call_that_takes_too_long_is_ended(containers: Containers) -> None:
    with sockets.listen() as register:
        with pytest.raises(FunctionFailedError, match=r"timed out after 1\.00 seconds"):
            containers.invoke("hanging", {"port": register.getsockname()[1]})
        pid = registered(register)

    wait_until(lambda: not alive(pid))


def test_a_function_that_cannot_be_imported_fails_alone(containers: Containers) -> None:
    with pytest.raises(FunctionFailedError, match="no_such_module"):
        containers.invoke("broken", {})

    assert containers.invoke("other", {}) == 1


def test_containers_follow_the_clock_and_come_back(containers: Containers) -> None:
    there = datetime(2031, 5, 6, tzinfo=UTC)
    try:
        clock.move(there)
        moved = datetime.fromtimestamp(float(str(describe(containers)["time"])), UTC)
        assert timedelta(0) <= moved - there < timedelta(minutes=1)
    finally:
        clock.move(None)

    back = datetime.fromtimestamp(float(str(describe(containers)["time"])), UTC)
    assert abs(back - datetime.now(UTC)) < timedelta(minutes=1)


def test_nothing_is_left_when_they_stop(tmp_path: Path) -> None:
    application = load(write_project(tmp_path, TEMPLATE.replace("Timeout: 1}", "Timeout: 30}"), FUNCTIONS))
    containers = Containers(application, {})
    idle = int(str(describe(containers)["pid"]))
    failures: list[str] = []

    def hang(port: int) -> None:
        try:
            containers.invoke("hanging", {"port": port})
        except FunctionFailedError as error:
            failures.append(str(error))

    with sockets.listen() as register:
        caller = threading.Thread(target=hang, args=register.getsockname()[1:])
        caller.start()
        busy = registered(register)
        containers.stop()
        containers.stop()
        caller.join()

    wait_until(lambda: not alive(idle) and not alive(busy))
    assert failures == ["Runtime exited without providing a reason"]
    with pytest.raises(FunctionFailedError, match="have stopped"):
        containers.invoke("other", {})


def registered(register: socket.socket) -> int:
    """The process that a hanging function says it is."""
    with register.accept()[0] as caller:
        return int(caller.recv(16))

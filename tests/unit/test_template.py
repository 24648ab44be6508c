"""What cfn-lint cannot know about template.yaml: that it agrees with the code and with itself."""

import importlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from local import cron, template
from local.cloudformation import read_yaml
from local.template import Schedule

ROOT = Path(__file__).resolve().parents[2]
APPLICATION = template.load(ROOT / "template.yaml")
DOCUMENT = read_yaml(ROOT / "template.yaml")
FUNCTIONS = {function.name: function for function in APPLICATION.functions}
BEHIND_THE_API = sorted(name for name, function in FUNCTIONS.items() if function.routes)
SCHEDULED = {name: schedule for name, function in FUNCTIONS.items() for schedule in function.schedules}
AT_DEPLOY = {"migrate"}


def test_each_folder_is_a_function_and_each_function_a_folder() -> None:
    folders = {handler.parent.name for handler in (ROOT / "functions").glob("*/app.py")}

    assert set(FUNCTIONS) == folders


def test_each_function_has_an_event_to_be_invoked_with() -> None:
    events = {event.stem for event in (ROOT / "events").glob("*.json")} - {"env"}

    assert set(FUNCTIONS) == events


@pytest.mark.parametrize("name", BEHIND_THE_API)
def test_a_function_answers_the_routes_it_is_given_and_no_other(name: str) -> None:
    given = {_shape(route.key) for route in FUNCTIONS[name].routes} - {"$default"}

    assert given == _answered_by(FUNCTIONS[name].module)


def test_head_is_routed_wherever_get_is() -> None:
    routes = {
        (route.path, function.name): set[str]()
        for function in APPLICATION.functions
        for route in function.routes
    }
    for function in APPLICATION.functions:
        for route in function.routes:
            routes[route.path, function.name].add(route.method)

    assert {where for where, methods in routes.items() if ("GET" in methods) != ("HEAD" in methods)} == set()


def test_the_stack_stays_far_below_what_cloudformation_allows() -> None:
    """500 resources. SAM makes of a function also its role, of a route a permission, of a schedule also its role."""
    functions = APPLICATION.functions
    declared = [
        name
        for name, resource in DOCUMENT["Resources"].items()
        if resource["Type"] != "AWS::Serverless::Function"
    ]
    schedules = [schedule for function in functions for schedule in function.schedules]
    api_and_stage = 2
    invoke_configs = [
        name for name in _logical_ids("AWS::Serverless::Function") if "EventInvokeConfig" in _properties(name)
    ]
    made = (
        len(declared)
        + api_and_stage
        + 2 * len(functions)
        + 2 * len(schedules)
        + len(invoke_configs)
        + sum(len(function.routes) + len(function.queues) for function in functions)
    )

    assert made < 400


def test_each_throttled_route_exists() -> None:
    routes = {route.key for function in APPLICATION.functions for route in function.routes}

    assert set(DOCUMENT["Globals"]["HttpApi"]["RouteSettings"]) <= routes


def test_a_message_stays_invisible_for_six_times_the_dispatcher_s_timeout() -> None:
    queues = {queue.name: queue for queue in APPLICATION.queues}
    bound = [
        (function, queues[binding.queue]) for function in APPLICATION.functions for binding in function.queues
    ]

    assert [function.name for function, _ in bound] == ["webhook_dispatch"]
    assert all(queue.visibility_seconds >= 6 * function.timeout_seconds for function, queue in bound)


def test_the_queue_is_known_to_and_open_to_who_sends_to_it_and_nobody_else() -> None:
    functions = {name: _properties(name) for name in _logical_ids("AWS::Serverless::Function")}
    send = {
        name
        for name, properties in functions.items()
        if "adapters.sqs" in (ROOT / properties["CodeUri"] / "app.py").read_text(encoding="utf-8")
    }
    know_it = {
        name
        for name, properties in functions.items()
        if "WEBHOOK_QUEUE_URL" in properties.get("Environment", {}).get("Variables", {})
    }
    may_send = {
        name
        for name, properties in functions.items()
        if any("SQSSendMessagePolicy" in policy for policy in properties["Policies"])
    }

    assert know_it == send
    assert may_send == send


def test_an_error_of_any_function_nobody_waits_for_raises_an_alarm() -> None:
    in_the_background = {
        logical_id
        for logical_id in _logical_ids("AWS::Serverless::Function")
        if Path(_properties(logical_id)["CodeUri"]).name not in {*BEHIND_THE_API, *AT_DEPLOY}
    }
    watched = {
        dimension["Value"]["Ref"]
        for alarm in map(_properties, _logical_ids("AWS::CloudWatch::Alarm"))
        if (alarm.get("Namespace"), alarm.get("MetricName")) == ("AWS/Lambda", "Errors")
        for dimension in alarm["Dimensions"]
    }

    assert watched == in_the_background


def test_a_schedule_that_falls_silent_raises_an_alarm_before_long() -> None:
    heartbeats = {
        dimension["Value"]["Ref"]: alarm
        for alarm in map(_properties, _logical_ids("AWS::CloudWatch::Alarm"))
        if alarm.get("MetricName") == "runs"
        for dimension in alarm["Dimensions"]
        if dimension["Name"] == "function_name"
    }
    variables = DOCUMENT["Globals"]["Function"]["Environment"]["Variables"]

    assert {Path(_properties(name)["CodeUri"]).name for name in heartbeats} == set(SCHEDULED)
    for name, alarm in heartbeats.items():
        interval = _interval(SCHEDULED[Path(_properties(name)["CodeUri"]).name])
        patience = timedelta(seconds=alarm["Period"] * alarm["EvaluationPeriods"])
        assert alarm["TreatMissingData"] == "breaching"
        assert alarm["Dimensions"][0] == {"Name": "service", "Value": variables["POWERTOOLS_SERVICE_NAME"]}
        assert alarm["Namespace"] == variables["POWERTOOLS_METRICS_NAMESPACE"]
        assert (alarm["Statistic"], alarm["Threshold"], alarm["ComparisonOperator"]) == (
            "Sum",
            1,
            "LessThanThreshold",
        )
        assert interval < patience <= 10 * interval


def test_each_schedule_reads_the_clock_of_toronto() -> None:
    zones = {schedule.timezone for function in FUNCTIONS.values() for schedule in function.schedules}

    assert zones == {"America/Toronto"}


def _interval(schedule: Schedule) -> timedelta:
    """Between two runs, on an ordinary day."""
    expression = cron.parse(schedule.expression, schedule.timezone)
    first = expression.next_after(datetime(2027, 1, 18, tzinfo=UTC))
    assert first
    second = expression.next_after(first)
    assert second
    return second - first


def _logical_ids(kind: str) -> list[str]:
    return [name for name, resource in DOCUMENT["Resources"].items() if resource["Type"] == kind]


def _properties(logical_id: str) -> dict[str, Any]:
    properties: dict[str, Any] = DOCUMENT["Resources"][logical_id]["Properties"]
    return properties


def _answered_by(module: str) -> set[str]:
    app: APIGatewayHttpResolver = importlib.import_module(module).app
    paths: dict[str, dict[str, Any]] = json.loads(app.get_openapi_json_schema())["paths"]
    answered = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    answered |= {("HEAD", path) for method, path in answered if method == "GET"}  # by the edge
    return {_shape(f"{method} {path}") for method, path in answered}


def _shape(route: str) -> str:
    """A route without the names of its parameters, which the gateway and the code need not share."""
    return re.sub(r"{[^}]+}", "{}", route)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_zone_data_comes_from_the_locked_package_alone(name: str) -> None:
    assert FUNCTIONS[name].environment["PYTHONTZPATH"] == ""

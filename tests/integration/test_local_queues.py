"""Messages reach their function in batches, and leave the queue only when it handled them."""

import json
import queue
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local import sqs_protocol
from local.queues import Queues
from local.sqs import Sqs
from local.template import Application, load
from tests.support.local_stack import wait_until, write_project

TEMPLATE = """
Globals: {Function: {Handler: app.lambda_handler}}
Resources:
  Partial:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/partial
      Events:
        Q:
          Type: SQS
          Properties: {Queue: !GetAtt PartialQueue.Arn, FunctionResponseTypes: [ReportBatchItemFailures]}
  Whole:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/whole, Events: {Q: {Type: SQS, Properties: {Queue: !GetAtt WholeQueue.Arn}}}}
  PartialQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 1
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadQueue.Arn, maxReceiveCount: 2}
  WholeQueue:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: 1}
  DeadQueue:
    Type: AWS::SQS::Queue
"""


class Functions:
    """What is called for a batch; by default everything in it is handled."""

    def __init__(self) -> None:
        self.batches: queue.Queue[list[dict[str, Any]]] = queue.Queue()
        self.answer: Callable[[list[dict[str, Any]]], Any] = lambda records: None

    def __call__(self, name: str, event: dict[str, Any]) -> Any:
        self.batches.put(event["Records"])
        return self.answer(event["Records"])

    def next_bodies(self) -> list[str]:
        return [record["body"] for record in self.batches.get(timeout=30)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sqs, Application, Functions]]:
    sqs = Sqs()
    application = load(write_project(tmp_path_factory.mktemp("project"), TEMPLATE, {}), {}, sqs.address)
    functions = Functions()
    queues = Queues(application, sqs.address, functions)
    sqs.start(application.queues)
    queues.start()
    yield sqs, application, functions
    queues.stop()
    sqs.stop()


@pytest.fixture
def functions(running: tuple[Sqs, Application, Functions]) -> Functions:
    functions = running[2]
    functions.answer = lambda records: None
    return functions


@pytest.fixture
def send(running: tuple[Sqs, Application, Functions]) -> Callable[..., None]:
    """Put messages on the queue of this name, in one call."""
    sqs, application, _ = running
    urls = {each.name: each.url for each in application.queues}

    def send(name: str, *bodies: str) -> None:
        entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies)]
        sqs_protocol.call(sqs.address, "SendMessageBatch", QueueUrl=urls[name], Entries=entries)

    return send


@pytest.fixture
def waiting(running: tuple[Sqs, Application, Functions]) -> Callable[[str], int]:
    """How many messages a queue holds, those being handled included."""
    sqs, application, _ = running
    urls = {each.name: each.url for each in application.queues}

    def waiting(name: str) -> int:
        answer = sqs_protocol.call(
            sqs.address, "GetQueueAttributes", QueueUrl=urls[name], AttributeNames=["All"]
        )
        attributes = answer["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) + int(
            attributes["ApproximateNumberOfMessagesNotVisible"]
        )

    return waiting


def test_a_message_arrives_as_lambda_delivers_it_and_is_gone_once_handled(
    functions: Functions, send: Callable[..., None], waiting: Callable[[str], int]
) -> None:
    send("PartialQueue", '{"event_id": "evt_1"}')

    (record,) = functions.batches.get(timeout=30)
    assert json.loads(record["body"]) == {"event_id": "evt_1"}
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == "arn:aws:sqs:ca-central-1:123456789012:PartialQueue"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageId"]
    assert record["receiptHandle"]
    wait_until(lambda: waiting("PartialQueue") == 0)


def test_only_the_reported_failures_come_again_and_end_in_the_dead_letter_queue(
    functions: Functions, send: Callable[..., None], waiting: Callable[[str], int]
) -> None:
    before = waiting("DeadQueue")
    functions.answer = lambda records: {
        "batchItemFailures": [
            {"itemIdentifier": record["messageId"]} for record in records if record["body"] == "bad"
        ]
    }

    send("PartialQueue", "good", "bad", "fine")

    seen = functions.next_bodies()
    while len(seen) < 4:
        seen += functions.next_bodies()
    assert sorted(seen) == ["bad", "bad", "fine", "good"]
    wait_until(lambda: waiting("DeadQueue") == before + 1)
    assert waiting("PartialQueue") == 0


@pytest.mark.parametrize(
    "answer", [ZeroDivisionError("on purpose"), {"batchItemFailures": [{"itemIdentifier": ""}]}]
)
def test_a_function_that_fails_or_answers_nonsense_keeps_the_whole_batch(
    functions: Functions, send: Callable[..., None], waiting: Callable[[str], int], answer: Any
) -> None:
    def fail_once(records: list[dict[str, Any]]) -> Any:
        functions.answer = lambda records: None
        if isinstance(answer, Exception):
            raise answer
        return answer

    functions.answer = fail_once

    send("PartialQueue", "again")

    assert [functions.next_bodies(), functions.next_bodies()] == [["again"], ["again"]]
    wait_until(lambda: waiting("PartialQueue") == 0)


def test_without_partial_answers_a_batch_is_handled_or_not_as_a_whole(
    functions: Functions, send: Callable[..., None], waiting: Callable[[str], int]
) -> None:
    functions.answer = lambda records: {"batchItemFailures": [{"itemIdentifier": records[0]["messageId"]}]}

    send("WholeQueue", "one")

    assert functions.next_bodies() == ["one"]
    wait_until(lambda: waiting("WholeQueue") == 0)

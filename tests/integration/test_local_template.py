"""What the local stack reads in a template."""

from pathlib import Path

import pytest

from local.cloudformation import TemplateError
from local.template import Application, Cors, QueueBinding, Route, Schedule, load

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Origins: {Type: CommaDelimitedList, Default: "http://a.example.com, http://b.example.com"}
  SecretArn: {Type: String}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsNotProd: !Not [Condition: IsProd]
Mappings:
  Sizes: {dev: {memory: 128}, prod: {memory: 1024}}
Globals:
  Function:
    Handler: app.lambda_handler
    Timeout: 7
    MemorySize: !FindInMap [Sizes, !Ref Stage, memory]
    Environment: {Variables: {STAGE: !Ref Stage, SECRET: !Ref SecretArn}}
  HttpApi:
    CorsConfiguration: {AllowOrigins: !Ref Origins, AllowMethods: [GET], MaxAge: 60, AllowCredentials: true}
Resources:
  ItemsFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/items
      Timeout: 20
      Environment:
        Variables:
          QUEUE_URL: !Ref Jobs
          QUEUE_NAME: !GetAtt Jobs.QueueName
          GREETING: !Sub "${Stage}/${AWS::Region}/${!literal}/${Jobs.QueueName}"
          OTHER: !Sub ["${one}-${Stage}", {one: !Join [":", [a, b]]}]
          FLAG: !If [IsProd, "yes", "no"]
          ABSENT: !If [IsProd, "yes", !Ref AWS::NoValue]
          PART: !Select [1, !Split [",", "x,y"]]
          TRUTH: true
      Events:
        Item: {Type: HttpApi, Properties: {Method: get, Path: "/items/{id}"}}
        Else: {Type: HttpApi}
        Often: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(5 minutes), Input: '{"a": 1}'}}
        Never: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day), State: DISABLED}}
        Jobs:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
            BatchSize: 4
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 3}
  ProductionOnly:
    Type: AWS::Serverless::Function
    Condition: IsProd
    Properties: {CodeUri: functions/other}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "jobs-${Stage}"
      VisibilityTimeout: 42
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadJobs.Arn, maxReceiveCount: 3}
  DeadJobs: {Type: AWS::SQS::Queue}
  Layer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layers/shared}}
"""


def read(tmp_path: Path, text: str = TEMPLATE, **parameters: str) -> Application:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return load(path, parameters, "http://127.0.0.1:9")


def test_a_function_has_its_folders_name_its_events_and_the_globals(tmp_path: Path) -> None:
    (function,) = read(tmp_path).functions

    assert (function.name, function.module, function.handler) == (
        "items",
        "functions.items.app",
        "lambda_handler",
    )
    assert (function.timeout_seconds, function.memory_mb) == (20, 128)
    assert function.routes == (Route("GET", "/items/{id}"), Route("ANY", "$default"))
    assert [route.key for route in function.routes] == ["GET /items/{id}", "$default"]
    assert function.schedules == (Schedule("rate(5 minutes)", "UTC", '{"a": 1}'),)
    assert function.queues == (QueueBinding("jobs-dev", 4, reports_failures=True, concurrency=3),)


def test_the_environment_is_resolved(tmp_path: Path) -> None:
    (function,) = read(tmp_path, SecretArn="arn:secret").functions

    assert function.environment == {
        "STAGE": "dev",
        "SECRET": "arn:secret",
        "QUEUE_URL": "http://127.0.0.1:9/123456789012/jobs-dev",
        "QUEUE_NAME": "jobs-dev",
        "GREETING": "dev/ca-central-1/${literal}/jobs-dev",
        "OTHER": "a:b-dev",
        "FLAG": "no",
        "PART": "y",
        "TRUTH": "true",
    }


def test_parameters_decide_conditions(tmp_path: Path) -> None:
    application = read(tmp_path, Stage="prod")

    assert [function.name for function in application.functions] == ["items", "other"]
    assert application.functions[0].environment["ABSENT"] == "yes"
    assert application.functions[0].memory_mb == 1024


def test_queues_say_where_their_failures_go(tmp_path: Path) -> None:
    jobs, dead = read(tmp_path).queues

    assert (jobs.visibility_seconds, jobs.dead_letter_queue, jobs.max_receive_count) == (42, "DeadJobs", 3)
    assert (dead.name, dead.dead_letter_queue) == ("DeadJobs", None)


def test_cors_and_layers_are_read(tmp_path: Path) -> None:
    application = read(tmp_path)

    assert application.cors == Cors(
        ("http://a.example.com", "http://b.example.com"), ("GET",), (), (), credentials=True, max_age=60
    )
    assert application.layers == (tmp_path / "layers/shared",)


def test_two_values_of_one_variable_are_an_error_that_names_both(tmp_path: Path) -> None:
    text = TEMPLATE.replace(
        "{CodeUri: functions/other}", "{CodeUri: functions/other, Environment: {Variables: {FLAG: x}}}"
    )

    with pytest.raises(TemplateError, match=r"FLAG is 'yes' for items and 'x' for other"):
        _ = read(tmp_path, text, Stage="prod").environment


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("Often: {Type: ScheduleV2", "Often: {Type: Kinesis", "ItemsFunction has an event of type Kinesis"),
        ("!Ref Jobs", "!ImportValue Jobs", "Fn::ImportValue of 'Jobs' is not understood"),
    ],
)
def test_what_is_not_served_is_an_error_and_not_a_gap(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    with pytest.raises(TemplateError, match=message):
        read(tmp_path, TEMPLATE.replace(before, after))


def test_our_own_template_is_understood_whole() -> None:
    application = load(Path("template.yaml"), {}, "http://127.0.0.1:9")

    assert {"system", "cart", "checkout", "webhook_dispatch"} <= {each.name for each in application.functions}
    assert application.environment["WEBHOOK_QUEUE_URL"] == "http://127.0.0.1:9/123456789012/WebhookQueue"

"""What `template.yaml` says about functions, routes, schedules and queues, with its references resolved.

Only what the local stack serves is read; an event it cannot serve is an error rather than a silent gap.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from local.cloudformation import ACCOUNT, REGION, Resolver, TemplateError, as_text, read_yaml


@dataclass(frozen=True)
class Route:
    """A route of the HTTP API: `GET /v1/courses/{slug}`, or `$default`."""

    method: str
    path: str

    @property
    def key(self) -> str:
        """The route as API Gateway writes it."""
        return self.path if self.path == "$default" else f"{self.method} {self.path}"


@dataclass(frozen=True)
class Schedule:
    """A `rate(…)` or `cron(…)` of EventBridge Scheduler and the input it sends."""

    expression: str
    timezone: str
    input: str


@dataclass(frozen=True)
class QueueBinding:
    """A function fed from a queue."""

    queue: str
    batch_size: int
    reports_failures: bool
    concurrency: int


@dataclass(frozen=True)
class Function:
    """One Lambda function; its name is its folder's."""

    name: str
    module: str
    handler: str
    timeout_seconds: int
    memory_mb: int
    environment: Mapping[str, str]
    routes: tuple[Route, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    queues: tuple[QueueBinding, ...] = ()


@dataclass(frozen=True)
class Queue:
    """One SQS queue, its address and where its failures go."""

    name: str
    url: str
    visibility_seconds: int
    dead_letter_queue: str | None
    max_receive_count: int | None


@dataclass(frozen=True)
class Cors:
    """The HTTP API's CORS configuration."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    credentials: bool
    max_age: int | None


@dataclass(frozen=True)
class Application:
    """Everything the local stack serves."""

    root: Path
    functions: tuple[Function, ...]
    queues: tuple[Queue, ...]
    cors: Cors | None
    layers: tuple[Path, ...] = field(default=())

    @property
    def environment(self) -> dict[str, str]:
        """The variables of all functions together: locally they share their processes.

        Raises
        ------
        TemplateError
            Two functions give one variable different values.
        """
        union: dict[str, str] = {}
        owner: dict[str, str] = {}
        for function in self.functions:
            for name, value in function.environment.items():
                if union.setdefault(name, value) != value:
                    raise TemplateError(
                        f"{name} is {union[name]!r} for {owner[name]} and {value!r} for {function.name}; "
                        "locally the functions share one environment."
                    )
                owner.setdefault(name, function.name)
        return union


def load(path: Path, parameters: Mapping[str, str] | None = None, sqs_endpoint: str = "") -> Application:
    """Read a SAM template.

    Parameters
    ----------
    path
        The template; the folders of functions and layers are relative to it.
    parameters
        Values of template parameters. One that is neither given nor has a default is empty.
    sqs_endpoint
        Where SQS is served, as `http://127.0.0.1:4566`: the address of every queue starts with it.

    Raises
    ------
    TemplateError
        The template uses an intrinsic function or an event that is not served locally.
    """
    return _Reader(path.resolve().parent, read_yaml(path), parameters or {}, sqs_endpoint).application()


class _Reader:
    def __init__(
        self, root: Path, document: dict[str, Any], parameters: Mapping[str, str], sqs_endpoint: str
    ) -> None:
        self._root = root
        self._resources: dict[str, Any] = document["Resources"]
        self._globals: dict[str, Any] = document.get("Globals", {})
        self._sqs_endpoint = sqs_endpoint
        self._resolver = Resolver(document, parameters, self._attribute)

    def application(self) -> Application:
        return Application(
            root=self._root,
            functions=tuple(map(self._function, self._of_type("AWS::Serverless::Function"))),
            queues=tuple(map(self._queue, self._of_type("AWS::SQS::Queue"))),
            cors=self._cors(),
            layers=tuple(
                self._root / self._properties(name)["ContentUri"]
                for name in self._of_type("AWS::Serverless::LayerVersion")
            ),
        )

    def _function(self, logical_id: str) -> Function:
        shared, own = self._globals.get("Function", {}), self._properties(logical_id)

        def value(name: str, default: object = None) -> Any:
            return self._resolver.resolve(own.get(name, shared.get(name, default)))

        variables: dict[str, object] = {}
        for properties in (shared, own):
            variables |= self._resolver.resolve(properties.get("Environment", {})).get("Variables", {})
        folder = PurePosixPath(value("CodeUri"))
        file, _, handler = value("Handler").rpartition(".")
        events = [self._event(logical_id, event) for event in own.get("Events", {}).values()]
        return Function(
            name=folder.name,
            module=".".join([*folder.parts, *file.split("/")]),
            handler=handler,
            timeout_seconds=int(value("Timeout", 3)),
            memory_mb=int(value("MemorySize", 128)),
            environment={name: as_text(text) for name, text in variables.items()},
            routes=tuple(event for event in events if isinstance(event, Route)),
            schedules=tuple(event for event in events if isinstance(event, Schedule)),
            queues=tuple(event for event in events if isinstance(event, QueueBinding)),
        )

    def _event(self, function: str, event: dict[str, Any]) -> Route | Schedule | QueueBinding | None:
        properties = self._resolver.resolve(event.get("Properties", {}))
        match event["Type"]:
            case "HttpApi":
                path = properties.get("Path", "$default")
                return Route(properties.get("Method", "ANY").upper(), path)
            case "ScheduleV2":
                if properties.get("State") == "DISABLED":
                    return None
                return Schedule(
                    properties["ScheduleExpression"],
                    properties.get("ScheduleExpressionTimezone", "UTC"),
                    properties.get("Input", "{}"),
                )
            case "SQS":
                return QueueBinding(
                    queue=properties["Queue"].rpartition(":")[2],
                    batch_size=int(properties.get("BatchSize", 10)),
                    reports_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
                    concurrency=int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", 2)),
                )
            case other:
                raise TemplateError(f"{function} has an event of type {other}, which is not served locally.")

    def _queue(self, logical_id: str) -> Queue:
        properties = self._resolver.resolve(self._properties(logical_id))
        redrive = properties.get("RedrivePolicy", {})
        target: str | None = redrive.get("deadLetterTargetArn")
        return Queue(
            name=self._queue_name(logical_id),
            url=self._attribute(logical_id, "Ref"),
            visibility_seconds=int(properties.get("VisibilityTimeout", 30)),
            dead_letter_queue=target and target.rpartition(":")[2],
            max_receive_count=int(redrive["maxReceiveCount"]) if redrive else None,
        )

    def _cors(self) -> Cors | None:
        configuration = self._globals.get("HttpApi", {}).get("CorsConfiguration")
        for api in self._of_type("AWS::Serverless::HttpApi"):
            configuration = self._properties(api).get("CorsConfiguration", configuration)
        if not configuration:
            return None
        if configuration is True:  # SAM's short form: any origin, and nothing else
            configuration = {"AllowOrigins": ["*"]}
        resolved = self._resolver.resolve(configuration)
        return Cors(
            origins=tuple(resolved.get("AllowOrigins", ())),
            methods=tuple(resolved.get("AllowMethods", ())),
            headers=tuple(resolved.get("AllowHeaders", ())),
            exposed=tuple(resolved.get("ExposeHeaders", ())),
            credentials=bool(resolved.get("AllowCredentials", False)),
            max_age=resolved.get("MaxAge"),
        )

    def _of_type(self, kind: str) -> list[str]:
        return [
            name
            for name, resource in self._resources.items()
            if resource["Type"] == kind and self._resolver.holds(resource.get("Condition"))
        ]

    def _properties(self, logical_id: str) -> dict[str, Any]:
        properties: dict[str, Any] = self._resources[logical_id].get("Properties", {})
        return properties

    def _queue_name(self, logical_id: str) -> str:
        return as_text(self._resolver.resolve(self._properties(logical_id).get("QueueName", logical_id)))

    def _attribute(self, logical_id: str, attribute: str) -> str:
        """What `Ref` or `GetAtt` gives for a resource: real for queues, a stable stand-in for the rest."""
        if logical_id not in self._resources:
            return f"{logical_id}.{attribute}"  # made by SAM itself, as ServerlessHttpApi
        if self._resources[logical_id]["Type"] == "AWS::SQS::Queue":
            name = self._queue_name(logical_id)
            return {
                "Ref": f"{self._sqs_endpoint}/{ACCOUNT}/{name}",
                "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
                "QueueName": name,
            }[attribute]
        return logical_id if attribute == "Ref" else f"{logical_id}.{attribute}"

"""The Lambda functions of a template, imported and called the way Lambda calls them."""

import importlib
import logging
import os
import sys
import time
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from local.cloudformation import ACCOUNT, REGION
from local.template import Application, Function

type Event = dict[str, Any]

logger = logging.getLogger(__name__)


class Context:
    """What Lambda tells a handler about its function and about this one call."""

    function_version = "$LATEST"
    log_stream_name = "local"
    identity = None
    client_context = None

    def __init__(self, function: Function) -> None:
        self.function_name = function.name
        self.memory_limit_in_mb = str(function.memory_mb)
        self.invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}"
        self.log_group_name = f"/aws/lambda/{function.name}"
        self._deadline = time.monotonic() + function.timeout_seconds

    @cached_property
    def aws_request_id(self) -> str:
        """The id of this call."""
        return str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end the call."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class LoadedFunction:
    """A function whose module has been imported, or has refused to be."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.import_error: Exception | None = None
        self._handler: Callable[[Event, Context], Any] = self._refuse
        try:
            self._handler = getattr(importlib.import_module(function.module), function.handler)
        except Exception as error:
            # As on Lambda: a function that cannot be imported fails alone, at each of its calls.
            logger.exception("%s cannot be imported", function.module)
            self.import_error = error

    def __call__(self, event: Event) -> Any:
        """Call the handler; whatever it raises is raised."""
        return self._handler(event, Context(self.function))

    def _refuse(self, event: Event, context: Context) -> Any:
        raise ImportError(self.function.module) from self.import_error


def prepare(application: Application, environment: Mapping[str, str]) -> None:
    """Make this process one that functions can be imported into.

    Parameters
    ----------
    application
        Whose functions and layers.
    environment
        Variables to put into this process's environment.
    """
    os.environ.update(environment)
    # Python reads PYTHONTZPATH when it starts, which on Lambda is after it was set.
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()
    for folder in (application.root, *application.layers):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


def load(application: Application, environment: Mapping[str, str]) -> dict[str, LoadedFunction]:
    """Prepare this process and import every function, by name."""
    prepare(application, environment)
    return {function.name: LoadedFunction(function) for function in application.functions}

"""SQS's JSON protocol: a few calls do not deserve an AWS client and the time to import it."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from local.cloudformation import REGION

_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    # moto reads the region in it and checks nothing else
    "Authorization": f"AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/sqs/aws4_request",
}
_TIMEOUT_SECONDS = 60  # SQS may still be starting


def call(endpoint: str, action: str, **arguments: Any) -> dict[str, Any]:
    """Do one action of SQS.

    Raises
    ------
    OSError, HTTPException
        SQS cannot be reached, or refuses.
    """
    connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=_TIMEOUT_SECONDS)
    try:
        headers = {**_HEADERS, "X-Amz-Target": f"AmazonSQS.{action}"}
        connection.request("POST", "/", json.dumps(arguments), headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise HTTPException(f"{action} answered {answer.status}: {body.decode(errors='replace')}")
    result: dict[str, Any] = json.loads(body or b"{}")
    return result

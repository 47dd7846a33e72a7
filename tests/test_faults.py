"""The faults one by one: each call to AWS and the delivery of the answer, in each way it can fail.

Whatever fails, and however often: answered once, truthfully, in time, with a Reason that a person
can act on. The errors are those of botocore's service models.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import botocore.session
import pytest

from local.emulator import State
from local.emulator import model as transfer_model
from tests.faulty import (
    BROKEN,
    COMMANDS,
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    SERVICE_OF,
    Clients,
    Fault,
    FaultyAccount,
    Plan,
    error_body,
    event_of,
)

OPPOSITE = {State.ONLINE: State.OFFLINE, State.OFFLINE: State.ONLINE}
# What AWS sends besides what its models list.
UNMODELLED = {
    "transfer": {"ThrottlingException": 400, "AccessDeniedException": 400},
    "lambda": {"AccessDeniedException": 403, "ThrottlingException": 400},
    "cloudformation": {
        "AccessDenied": 403,
        "InternalFailure": 500,
        "ServiceUnavailable": 503,
        "Throttling": 400,
        "ValidationError": 400,
    },
}
EVERYWHERE = {"ExpiredTokenException": 400, "UnrecognizedClientException": 403}
THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException"}
DENIED = {"AccessDenied", "AccessDeniedException"}
GONE = "ResourceNotFoundException"
ADVICE = re.compile(
    r"(then deploy again|Mend that, deploy again|or raise ServiceTimeout"
    r"|Allow it in the provider's role \(.*\)|Check ServerId: .*)\.$"
)


def errors(operation: str) -> dict[str, int]:
    """Read the errors of an operation with their statuses, and add what AWS sends besides."""
    service = SERVICE_OF[operation]
    listed = botocore.session.get_session().get_service_model(service).operation_model(operation)
    modelled = {
        shape.name: transfer_model.error(shape.name).status
        if service == "transfer"
        else shape.metadata["error"]["httpStatusCode"]
        for shape in listed.error_shapes
    }
    return EVERYWHERE | UNMODELLED[service] | modelled


def answered(operation: str, code: str, status: int, **more: Any) -> Fault:
    if SERVICE_OF[operation] == "transfer" and code in transfer_model.ERRORS:
        fields = transfer_model.error(code, "Because it is so.").fields
    else:
        fields = {"message": "Because it is so.", "Message": "Because it is so."}
    body = error_body(operation, code, fields)
    passes = code in THROTTLED or status >= 500
    return Fault(code, passes=passes, status=status, body=body, **more)

"""What a scheduled pass of the guard takes: real clients, HTTP, a process of its own, on Linux."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from local.emulator import Emulator, State
from tests.runtime.aws import TABLE, Aws
from transfer_server_state import machine
from transfer_server_state.aws import client
from transfer_server_state.aws.registry import Registry
from transfer_server_state.request import Owner
from transfer_server_state.row import Row

ROOT = Path(__file__).parent.parent
SERVERS, DRIFTED = 1_000, 10
_REGION = "eu-west-1"
_STACK = f"arn:aws:cloudformation:{_REGION}:000000000000:stack/demo/7f"

_PASSES = """
import json, re, sys, time
sys.path.insert(0, sys.argv[1])
from types import SimpleNamespace
from handler.guard import handler
# What getrusage tells includes the process that this one was forked from.
def peak_mib():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
before_mib, began_s = peak_mib(), time.monotonic()
for number in range(2):
    took_s = time.monotonic()
    handler({"source": "aws.events", "detail": {}}, SimpleNamespace(
        aws_request_id=str(number), get_remaining_time_in_millis=lambda: 300_000
    ))
    took_s = time.monotonic() - took_s
print(json.dumps({"took_s": took_s, "grown_mib": peak_mib() - before_mib}))
"""


@dataclass(frozen=True)
class Pass:
    """The second of two passes, which brings back what the first one found."""

    took_s: float
    grown_mib: float
    calls: Counter[str]


def measure() -> Pass:
    """Let the guard pass twice over many servers, some of which drifted."""
    with Emulator() as emulator, Aws() as aws:
        emulator.set(stop_s=0)
        for _ in range(SERVERS):
            emulator.answer("TransferService.CreateServer", b"{}", _REGION)
        registry = Registry(client.Aws({"dynamodb": aws.dynamodb}.__getitem__), TABLE)
        for number, server_id in enumerate(emulator.states()):
            emulator.put(server_id, State.ONLINE if number < DRIFTED else State.OFFLINE)
            registry.write(
                Row(
                    server_id,
                    Owner(_STACK, server_id),
                    machine.State.OFFLINE,
                    request="1",
                    answer={"status": "SUCCESS"},
                    held=True,
                    reasserts=True,
                )
            )
        before = len(emulator.calls())
        url = f"http://{aws.address}"
        environment = {
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL_TRANSFER": emulator.url,
            "REGISTRY_TABLE": TABLE,
        }
        ran = subprocess.run(
            [sys.executable, "-c", _PASSES, str(ROOT)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        calls = Counter(call.operation for call in emulator.calls()[before:])
        if list(emulator.states().values()).count(State.OFFLINE) != SERVERS:
            raise AssertionError("The guard did not bring back what drifted.")
    return Pass(**json.loads(ran.stdout), calls=calls)

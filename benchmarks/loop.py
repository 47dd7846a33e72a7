"""How long one waits for what one runs here all day, and how many calls the emulator answers."""

import http.client
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import boto3

from local.emulator.service import Service

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Command:
    """How long a make target took, and whether it succeeded."""

    seconds: float
    succeeded: bool


def make(target: str) -> Command:
    """Run a make target; what it said is shown if it fails."""
    began_s = time.perf_counter()
    command = [shutil.which("make") or "make", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
    return Command(time.perf_counter() - began_s, done.returncode == 0)


def calls_per_s(seconds: float) -> dict[str, float]:
    """Call DescribeServer, one call after another, in three ways."""
    service = Service()
    created = json.loads(service.answer("TransferService.CreateServer", b"{}", "us-east-1").body)
    body = json.dumps(created).encode()
    found = {
        "without HTTP": _rate(
            lambda: service.answer("TransferService.DescribeServer", body, "us-east-1").status,
            seconds,
        )
    }
    with _emulator() as url:
        session = boto3.Session("benchmark", "benchmark", region_name="us-east-1")
        transfer = session.client("transfer", endpoint_url=url)
        server_id = transfer.create_server()["ServerId"]
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        headers = {"X-Amz-Target": "TransferService.DescribeServer"}
        body = json.dumps({"ServerId": server_id}).encode()

        def raw() -> int:
            connection.request("POST", "/", body, headers)
            with connection.getresponse() as response:
                response.read()
                return response.status

        def through_boto3() -> int:
            answer = transfer.describe_server(ServerId=server_id)
            return int(answer["ResponseMetadata"]["HTTPStatusCode"])

        found["http.client"] = _rate(raw, seconds)
        found["boto3"] = _rate(through_boto3, seconds)
        connection.close()
    return found


def _rate(call: Callable[[], int], seconds: float) -> float:
    began_s, calls = time.perf_counter(), 0
    while (took_s := time.perf_counter() - began_s) < seconds:
        if call() != http.client.OK:
            raise RuntimeError("the emulator refused a call")
        calls += 1
    return calls / took_s


@contextmanager
def _emulator() -> Iterator[str]:
    command = [sys.executable, "-m", "local.emulator", "--with-parent"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if not process.stdout:
            raise RuntimeError("no standard output")
        yield process.stdout.readline().strip()
        process.terminate()

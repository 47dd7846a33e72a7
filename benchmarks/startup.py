"""How long a fresh process takes from its start to its first answer, and what it weighs.

Each program runs in a process of its own against an emulator here, all of them in each round and in
an order that changes, so that what else this machine does falls on all alike. Processor time and
memory are what the kernel says of the process: interpreter, imports, everything but its exit,
which a function does not have.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread

import boto3

from local.emulator import Emulator
from tests.fakes.dynamodb import DynamoDB

ROOT = Path(__file__).parent.parent
ARN = "arn:aws:lambda:us-east-1:000000000000:function:provider"

# jsonschema takes these where it finds them, and no function has them.
_AS_IN_LAMBDA = """
import sys
sys.modules.update(dict.fromkeys(("idna", "jsonpointer")))
"""
# What one cannot do without: boto3 and two clients; then a request's calls of them, and one answer.
_FLOOR = """
import boto3
client = boto3.client("transfer")
table = boto3.client("dynamodb")
"""
_PUT = """
import json
from http.client import HTTPConnection
def put(url, body, *_):
    connection = HTTPConnection(*host, timeout=10)
    connection.request("PUT", "/answer", json.dumps(body), {"content-type": ""})
    assert connection.getresponse().status == 200
"""
_FLOOR_ANSWERS = """
where = {"TableName": "registry"}
row = {"ServerId": {"S": event["ResourceProperties"]["ServerId"]}}
table.get_item(**where, Key=row, ConsistentRead=True)
table.put_item(**where, Item=row)
state = client.describe_server(ServerId=event["ResourceProperties"]["ServerId"])["Server"]["State"]
assert state == "ONLINE"
table.put_item(**where, Item=row)
put("", {"Status": "SUCCESS"})
"""

_OURS = """
import handler.cloudformation
"""
# Its clients are made at their first calls, and this is the first to need them.
_OURS_ALONE = """
from transfer_server_state.aws.client import make_client
make_client("transfer")
make_client("dynamodb")
"""
_OURS_ANSWERS = """
handler.cloudformation.handler(event, Context)
"""

# What people write: it remembers nothing, so it has one client. Its answer goes the floor's way:
# crhelper's own sender speaks only HTTPS.
_PLAIN = """
import json
import boto3
import jsonschema
from crhelper import CfnResource
helper = CfnResource(log_level="INFO", sleep_on_delete=0)
client = boto3.client("transfer")
SCHEMA = json.load(open("schemas/transfer_server_state.schema.json"))
validator = jsonschema.Draft202012Validator(SCHEMA)
"""
_PLAIN_ANSWERS = """
@helper.create
def create(event, context):
    validator.validate(event["ResourceProperties"])
    server_id = event["ResourceProperties"]["ServerId"]
    assert client.describe_server(ServerId=server_id)["Server"]["State"] == "ONLINE"
    return server_id
send = helper._send
helper._send = lambda *arguments: send(*arguments, send_response=put)
helper(event, Context)
"""

_GIVEN = f"""
import json, os
event = json.loads(os.environ["EVENT"])
host = ("127.0.0.1", event["ResponseURL"].split(":")[2].split("/")[0])
class Context:
    invoked_function_arn = "{ARN}"
    aws_request_id = "request"
    get_remaining_time_in_millis = staticmethod(lambda: 900_000)
"""

# A process may inherit its parent's ru_maxrss; Linux knows better. It need not exit in good order.
_TELLS = """
import json, os, pathlib, resource, sys
usage = resource.getrusage(resource.RUSAGE_SELF)
peak_mib = usage.ru_maxrss / 2 ** (20 if sys.platform == "darwin" else 10)
status = pathlib.Path("/proc/self/status")
if status.exists():
    peak_mib = int(status.read_text().partition("VmHWM:")[2].split()[0]) / 2**10
tells = {"cpu_ms": (usage.ru_utime + usage.ru_stime) * 1000, "peak_mib": peak_mib}
os.write(1, json.dumps(tells).encode())
os._exit(0)
"""

# Name -> what it does to be ready, and what to answer the first request with.
PROGRAMS = {
    "boto3 and two clients": (_FLOOR, _GIVEN + _PUT + _FLOOR + _FLOOR_ANSWERS),
    "this provider": (_OURS + _OURS_ALONE, _GIVEN + _OURS + _OURS_ANSWERS),
    "a plain crhelper handler": (_PLAIN, _GIVEN + _PUT + _PLAIN + _PLAIN_ANSWERS),
}
STAGES = ("ready", "first answer")


@dataclass(frozen=True)
class Process:
    """What a process took."""

    cpu_ms: float
    peak_mib: float


Measured = dict[str, dict[str, list[Process]]]


def measure(rounds: int, progress: Callable[[], object] = lambda: None) -> Measured:
    """Run every program to each of its stages, once a round."""
    found: Measured = {stage: {name: [] for name in PROGRAMS} for stage in STAGES}
    random = Random(1)
    runs = [(i, stage, name) for i, stage in enumerate(STAGES) for name in PROGRAMS]
    with Emulator() as emulator, _Answers() as answers:
        environment = _environment(emulator, answers)
        for _ in range(rounds):
            random.shuffle(runs)
            for i, stage, name in runs:
                found[stage][name].append(_run(PROGRAMS[name][i], environment))
            progress()
    expected = rounds * len(PROGRAMS)
    if answers.succeeded != expected:
        raise RuntimeError(f"{answers.succeeded} answers were a SUCCESS, of {expected}")
    return found


def ratio(measured: dict[str, list[Process]], name: str, to: str) -> float:
    """Return the median of the rounds' ratios of processor time."""
    pairs = zip(measured[name], measured[to], strict=True)
    return median(ours.cpu_ms / theirs.cpu_ms for ours, theirs in pairs)


def _run(program: str, environment: dict[str, str]) -> Process:
    command = [sys.executable, "-c", _AS_IN_LAMBDA + program + _TELLS]
    done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return Process(**json.loads(done.stdout))


def _environment(emulator: Emulator, answers: "_Answers") -> dict[str, str]:
    credentials = {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    session = boto3.Session("benchmark", "benchmark", region_name="us-east-1")
    transfer = session.client("transfer", endpoint_url=emulator.url)
    event = {
        "RequestType": "Create",
        "ResponseURL": f"http://127.0.0.1:{answers.server_port}/answer",
        "StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/demo/0",
        "RequestId": "request",
        "ResourceType": "Custom::TransferServerState",
        "LogicalResourceId": "State",
        "ResourceProperties": {
            "ServiceToken": ARN,
            "ServerId": transfer.create_server()["ServerId"],
            "DesiredState": "ONLINE",
        },
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    own = {
        "EVENT": json.dumps(event),
        "AWS_ENDPOINT_URL_TRANSFER": emulator.url,
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{answers.server_port}",
        "REGISTRY_TABLE": "registry",
    }
    return kept | credentials | own


class _Answers(ThreadingHTTPServer):
    """A response store that counts what succeeded, and an empty table for each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.succeeded = 0
        self.table = DynamoDB("registry")
        self._thread = Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> "_Answers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Answers

    def do_PUT(self) -> None:
        """Take an answer, after which nothing is remembered."""
        self.server.succeeded += json.loads(self._body())["Status"] == "SUCCESS"
        self.server.table = DynamoDB("registry")
        self._answer(200, b"")

    def do_POST(self) -> None:
        """Answer for DynamoDB."""
        self._answer(*self.server.table.answer(self.headers["X-Amz-Target"], self._body()))

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Package:
    """The function's package as make builds it, with the packages for this machine."""

    files: int
    mib: float
    zipped_mib: float


def package() -> Package:
    """Build it."""
    make = shutil.which("make") or "make"
    with TemporaryDirectory() as folder:
        built = Path(folder, "package")
        built.mkdir()
        subprocess.run(
            [
                *(make, "--silent", "build-Provider", f"ARTIFACTS_DIR={built}"),
                f"PACKAGES={sys.executable} -m local.copy_packages",
            ],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        files = [file for file in built.rglob("*") if file.is_file()]
        archive = Path(shutil.make_archive(str(built), "zip", built))
        unzipped = sum(file.stat().st_size for file in files)
        return Package(len(files), unzipped / 2**20, archive.stat().st_size / 2**20)

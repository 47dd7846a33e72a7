"""The two servers that stand in for AWS: the Transfer emulator and a CloudFormation engine.

It starts them on free loopback ports, waits until they answer, and hands out boto3 clients, which
IAM lets do everything. Functions have their roles' credentials, and call both servers through the
gateway. It must not know what is deployed to them.
"""

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from local.iam_gateway import Gateway

ROOT = Path(__file__).parent.parent
REGION = "us-east-1"
# A second, but on a machine that has better things to do.
READY_WITHIN_S = 60.0
# None that a system gives to whoever asks for any: it might be given before the engine has it.
_PORTS = range(20_000, 30_000)

# What the AWS SDKs read. No profile, file, proxy or endpoint of the person's own may leak in. The
# engine takes the credentials that it is started with for the account's root.
_SDK = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
)
# Past the proxies that the environment may name.
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NotReadyError(Exception):
    """A server did not come up; the message says which, and what it said last."""


@dataclass(frozen=True)
class Engine:
    """Where the servers listen, and a folder that goes when they go."""

    aws_url: str
    transfer_url: str
    folder: Path
    gateway: Gateway
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def exports(self) -> dict[str, str]:
        """The environment that points any AWS SDK or tool at the two servers."""
        return {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ENDPOINT_URL_TRANSFER": self.transfer_url,
            **{name: _SDK[name] for name in _CREDENTIALS},
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client for `service`, at the server that stands in for it."""
        if service not in self._clients:
            self._clients[service] = _session().client(
                service,
                endpoint_url=self.transfer_url if service == "transfer" else self.aws_url,
                config=Config(proxies={}, retries={"total_max_attempts": 1}),
            )
        return self._clients[service]

    def close(self) -> None:
        """Close the clients that were handed out."""
        for client in self._clients.values():
            client.close()

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the emulator for what it shows, or set what it lets be set; see its --help."""
        request = urllib.request.Request(  # noqa: S310 - http, by what we started
            f"{self.transfer_url}/_emulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with _LOOPBACK.open(request, timeout=READY_WITHIN_S) as response:
            return json.load(response)


@contextmanager
def running(first_port: int = 0) -> Iterator[Engine]:
    """Start both servers; end them, what they started and their files on the way out.

    CloudFormation and the rest of AWS are at `first_port`, Transfer at the next, and SFTP from the
    one after that on; with 0 they are at any. Raises NotReadyError.
    """
    wanted = [first_port and first_port + offset for offset in range(3)]
    # All of them, before anything is started.
    for each in filter(None, wanted):
        _require_free(each)
    port = first_port or _any_free_port()
    environment = {**_inherited(os.environ), **_SDK, "PYTHONUNBUFFERED": "1"}
    with _supervisor() as (folder, start):
        options = ["--port", str(wanted[1]), "--sftp-port", str(wanted[2])]
        start("emulator", ["local.emulator", *options], environment)
        transfer_url = _when_ready(folder, "emulator", _url)
        aws_url = f"http://127.0.0.1:{port}"
        with Gateway(aws_url, transfer_url) as gateway:
            start(
                "engine",
                ["local.ministack_patched", transfer_url],
                {**environment, **_engine_settings(port, folder, gateway.url)},
            )
            _when_ready(folder, "engine", lambda _: _answers(f"{aws_url}/_ministack/ready"))
            engine = Engine(aws_url, transfer_url, folder, gateway)
            try:
                yield engine
            finally:
                engine.close()


def _engine_settings(port: int, folder: Path, functions_url: str) -> dict[str, str]:
    return {
        # IAM is enforced.
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        # The host in the ResponseURL.
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "USE_SSL": "0",
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
        "LAMBDA_EXECUTOR": "local",
        # Where AWS waits minutes before it tries an event again.
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.1",
        # At its start and end it removes containers of its kind, which may be somebody else's.
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        # What the function's process inherits, and boto3 in it reads.
        "AWS_ENDPOINT_URL": functions_url,
    }


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what would point an SDK elsewhere or change how the engine runs."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("AWS_", "LAMBDA_", "LOCALSTACK_", "MINISTACK_", "PYTHONPATH"))
    }


def _session() -> boto3.Session:
    # Whose profile and files these are is none of our business.
    ours = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(
        aws_access_key_id=_SDK["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=_SDK["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
        botocore_session=botocore.session.Session(session_vars=ours),
    )


@contextmanager
def _supervisor() -> Iterator[tuple[Path, Callable[[str, list[str], dict[str, str]], None]]]:
    with subprocess.Popen(
        [sys.executable, "-m", "local.supervisor"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Out of reach of the terminal's Ctrl-C, which is ours to handle.
        process_group=0,
    ) as supervisor:
        # Leaving closes its stdin, which tells it to clean up, and waits until it has.
        assert supervisor.stdin is not None  # noqa: S101 - for the type checker
        assert supervisor.stdout is not None  # noqa: S101
        stdin = supervisor.stdin

        def start(name: str, module: list[str], environment: dict[str, str]) -> None:
            argv = [sys.executable, "-m", *module]
            order = {"argv": argv, "env": environment, "log": f"{name}.log"}
            stdin.write(json.dumps(order) + "\n")
            stdin.flush()

        folder = supervisor.stdout.readline().rstrip("\n")
        if not folder:
            raise NotReadyError(
                "What starts the servers did not start; is there a place for files?"
            )
        yield Path(folder), start


def _when_ready(folder: Path, name: str, look: Callable[[str], str]) -> str:
    """Return what `look` makes of the server's log, as soon as that is something."""
    log = folder / f"{name}.log"
    give_up = time.monotonic() + READY_WITHIN_S
    while True:
        said = log.read_text(errors="replace") if log.exists() else ""
        if found := look(said):
            return found
        if time.monotonic() > give_up:
            last = said.strip().rpartition("\n")[2] or "nothing"
            raise NotReadyError(
                f"The {name} did not answer within {READY_WITHIN_S:.0f} s; the last it said: {last}"
            )
        time.sleep(0.05)


def _url(log: str) -> str:
    line, ended, _ = log.partition("\n")
    return line if ended and line.startswith("http:") else ""


def _answers(url: str) -> str:
    try:
        with _LOOPBACK.open(url, timeout=1) as response:
            return str(response.status)
    except (OSError, http.client.HTTPException):
        return ""


def _any_free_port() -> int:
    for port in random.sample(_PORTS, 100):
        with suppress(NotReadyError):
            _require_free(port)
            return port
    raise NotReadyError(f"Of a hundred ports from {_PORTS.start} on none is to be had.")


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # What lingers of old connections is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise NotReadyError(
                f"Port {port} of 127.0.0.1 is not to be had: {error.strerror}. Name another."
            ) from error

"""The provider as it is deployed, and all that it talks to: what the tests hold in their hand."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.emulator import Emulator, State
from tests.runtime.aws import Aws
from tests.runtime.cloudformation import FUNCTION, REGION, ResponseStore
from tests.runtime.function import Function
from tests.runtime.runtime_api import Invocation, RuntimeApi

# Far more than anything takes here, so that no busy machine fails a test.
PATIENCE_S = 60


@dataclass(frozen=True)
class Deployed:
    """A function that is not started yet, and a server that has been ONLINE for long."""

    package: Path
    brought: Path
    folder: Path
    running: ExitStack
    emulator: Emulator
    aws: Aws
    store: ResponseStore
    runtime_api: RuntimeApi
    server_id: str

    def start(
        self,
        package: Path | None = None,
        handler: str = "handler.cloudformation.handler",
        **env: str,
    ) -> Function:
        """Start a function, from another package or with more in its environment."""
        others = ("CLOUDFORMATION", "DYNAMODB", "LAMBDA")
        usual = {
            "AWS_LAMBDA_RUNTIME_API": self.runtime_api.address,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.14",
            "AWS_LAMBDA_FUNCTION_NAME": FUNCTION.rpartition(":")[2],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "test",
            "AWS_ENDPOINT_URL_TRANSFER": self.emulator.url,
            **{f"AWS_ENDPOINT_URL_{name}": f"http://{self.aws.address}" for name in others},
            "REGISTRY_TABLE": "registry",
        }
        return self.running.enter_context(
            Function(
                package or self.package, self.brought, self.folder / "log", handler, usual | env
            )
        )

    def request(self, request_type: str, **fields: Any) -> dict[str, Any]:
        """Make a request for the server, as CloudFormation sends it."""
        return self.store.request(request_type, self.server_id, **fields)

    def invoke(self, event: Any, *, remaining_s: float = 900) -> Invocation:
        """Invoke the function and wait until it is done. Raises FunctionError."""
        invocation = self.runtime_api.invoke(event, remaining_s=remaining_s)
        invocation.result.result(PATIENCE_S)
        return invocation

    def settle(self, event: Any) -> None:
        """Invoke the function, and again with what it hands over, as Lambda does."""
        waiting = [event]
        while waiting:
            before = len(self.aws.invoked)
            self.invoke(waiting.pop())
            waiting += [invoked.event for invoked in self.aws.invoked[before:]]

    @property
    def commands(self) -> list[str]:
        """The commands that the Transfer API saw."""
        operations = [call.operation for call in self.emulator.calls()]
        return [each for each in operations if each in {"StartServer", "StopServer"}]


@contextmanager
def deployed(package: Path, brought: Path, folder: Path) -> Iterator[Deployed]:
    """Open all that the function talks to; it ends before they do."""
    with (
        Emulator() as emulator,
        Aws() as aws,
        ResponseStore() as store,
        RuntimeApi(FUNCTION) as runtime_api,
        ExitStack() as running,
    ):
        emulator.answer("TransferService.CreateServer", b"{}", REGION)
        (server_id,) = emulator.states()
        emulator.put(server_id, State.ONLINE)
        yield Deployed(
            package, brought, folder, running, emulator, aws, store, runtime_api, server_id
        )

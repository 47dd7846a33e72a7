"""`make up`: the same servers and the provider, to be used from another terminal."""

import signal
import sys
import time

from rich.console import Console

from local import provider_stack
from local.clean_exit import ending_well
from local.engine import running

_GUIDE = """\

The provider is deployed to a CloudFormation on this machine. In another terminal, in this folder:

  unset AWS_PROFILE AWS_SESSION_TOKEN
{exports}

  aws transfer create-server
  aws cloudformation deploy --stack-name demo --template-file examples/existing-server.yaml \\
    --parameter-overrides DesiredState=OFFLINE ServerId=<the ServerId that create-server printed>
  aws transfer describe-server --server-id <it again> --query Server.State

  # What the servers shall do, such as refusing the next stop:
  curl -X PATCH $AWS_ENDPOINT_URL_TRANSFER/_emulator/settings -d '{{"stop_failures": 1}}'

What differs from AWS, docs/local.md lists. Ctrl-C ends it, and removes all of it.
"""
# Like AWS's minutes, but short.
_TRANSITION_S = 5


def main() -> None:
    """Stay until Ctrl-C."""
    console = Console(highlight=False)
    with ending_well(), running() as engine:
        provider_stack.deploy(engine)
        engine.control("PATCH", "settings", {"start_s": _TRANSITION_S, "stop_s": _TRANSITION_S})
        exports = "\n".join(f"  export {name}={value}" for name, value in engine.exports.items())
        # Ctrl-C is how it is meant to end, so it is no failure.
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
        console.print(_GUIDE.format(exports=exports), markup=False, soft_wrap=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()

"""`make up`: the same servers and the provider, to be used from another terminal.

Shows what happens there until Ctrl-C.
"""

import argparse
import re
import shlex
import textwrap
import time

from local import provider_stack, timeline
from local.clean_exit import ending_well
from local.engine import ROOT, Engine, running
from local.watch import Watch

# Like AWS's minutes, but short.
_TRANSITION_S = 5
_LOOK_EVERY_S = 0.3
_LAST_FIRST_PORT = 65533
_GUIDE = """\

The provider is deployed to a CloudFormation on this machine. It is not AWS:

{differences}

In another terminal, in this folder, point the AWS CLI, an SDK or SAM at it:

  unset AWS_PROFILE AWS_SESSION_TOKEN
{exports}

  # A server, a user with a key, and a file:
  SERVER=$(aws transfer create-server --query ServerId --output text)
  KEY={key}
  ssh-keygen -qt ed25519 -N "" -f "$KEY"
  aws transfer create-user --server-id $SERVER --user-name alice \\
    --home-directory /files/alice --role arn:aws:iam::000000000000:role/files \\
    --ssh-public-key-body "$(cat "$KEY.pub")"
  put() {{ echo put README.md | sftp -b - -F none -i "$KEY" \\
    -o IdentitiesOnly=yes -o StrictHostKeyChecking=no \\
    -o "UserKnownHostsFile=\\"$KEY.hosts\\"" \\
    -P $(curl -s $AWS_ENDPOINT_URL_TRANSFER/_emulator/endpoints/$SERVER/port) \\
    alice@127.0.0.1; }}
  put

  # The stack that takes the server OFFLINE, and the same upload, refused:
  aws cloudformation deploy --stack-name demo \\
    --template-file examples/existing-server.yaml \\
    --parameter-overrides DesiredState=OFFLINE ServerId=$SERVER
  put

  # What the servers shall do, such as refusing the next stop:
  curl -X PATCH $AWS_ENDPOINT_URL_TRANSFER/_emulator/settings \\
    -d '{{"stop_failures": 1}}'

docs/local.md has the same for SAM and CDK. Ctrl-C ends it, and removes it all.
What happens from now on:
"""


def main() -> None:
    """Stay until Ctrl-C."""
    parser = argparse.ArgumentParser(prog=".venv/bin/python -m local.up", description=__doc__)
    parser.add_argument(
        "--port",
        type=_port,
        default=0,
        help="where AWS is; Transfer is at the next port, SFTP from the one after that on",
    )
    first_port = parser.parse_args().port
    console = timeline.console()
    with ending_well(meant=True), running(first_port) as engine:
        provider = provider_stack.deploy(engine)
        engine.control("PATCH", "settings", {"start_s": _TRANSITION_S, "stop_s": _TRANSITION_S})
        shown = timeline.Timeline(console, _time_of_day)
        watch = Watch(engine, shown.show, provider.outputs()["LogGroupName"])
        # Before the guide tells what to type, or what is typed at once would be skipped too.
        watch.skip()
        console.print(_guide(engine), markup=False, soft_wrap=True)
        shown.head()
        while True:
            watch.look()
            time.sleep(_LOOK_EVERY_S)


def _guide(engine: Engine) -> str:
    exports = {**engine.exports, "AWS_PAGER": ""}
    return _GUIDE.format(
        exports="\n".join(f"  export {name}={value}" for name, value in exports.items()),
        key=shlex.quote(f"{engine.folder}/alice"),
        differences="\n".join(_item(each) for each in differences()),
    )


def _item(text: str) -> str:
    return textwrap.fill(text, timeline.WIDTH, initial_indent="  - ", subsequent_indent="    ")


def differences() -> list[str]:
    """List what docs/local.md says differs from AWS."""
    _, _, after = (ROOT / "docs" / "local.md").read_text().partition("\n## What differs from AWS\n")
    rows = re.findall(r"^\| (.+) \| (.+) \| .+ \|$", after.partition("\n## ")[0], re.MULTILINE)
    return [f"{what}: {here}".replace("`", "") for what, here in rows if what.strip()]


def _time_of_day(at_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at_s))


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _LAST_FIRST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to {_LAST_FIRST_PORT}")
    return int(text)


if __name__ == "__main__":
    main()

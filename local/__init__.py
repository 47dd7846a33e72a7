"""The provider on your own machine: the same template, code and SDK, without an AWS account."""

import signal
import sys

# Python's own name of a command while it imports the packages that the command is in.
if sys.argv[0] == "-m":
    # Until there is something to close, Ctrl-C has nothing to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

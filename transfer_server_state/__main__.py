"""python -m transfer_server_state."""

import sys

from transfer_server_state.cli import main

sys.exit(main())

"""What runs in Lambda: the provider of Custom::TransferServerState."""

import gc

# Starting up makes many objects and little garbage. By default Python looks for some each time
# 700 objects more are there, which takes a sixth of the start-up.
gc.set_threshold(100_000)

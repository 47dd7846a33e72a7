"""What runs in Lambda: the provider of Custom::TransferServerState."""

import gc

# What starting up makes is there to stay, and a search for garbage in it a fifth of the time.
# The entry point, and aws.py after each client, set what there is aside and turn it on again.
gc.disable()

"""What runs in Lambda: the provider of Custom::TransferServerState."""

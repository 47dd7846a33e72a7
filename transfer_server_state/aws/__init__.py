"""Calls to AWS, a file for each service; what they answer is decided on elsewhere."""

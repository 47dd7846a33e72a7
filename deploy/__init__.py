"""Brings the provider to AWS, or to the engine of `make up`; runs on a person's machine alone."""

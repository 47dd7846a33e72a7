"""The decision about a server as a library: pure, but for aws/, which calls AWS."""

__version__ = "1.0.0"

"""The decision about a server as a library: pure, but for aws/, which calls AWS."""

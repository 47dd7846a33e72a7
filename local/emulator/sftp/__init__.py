"""An SFTP endpoint on 127.0.0.1 for each server that has the protocol.

Only what `running` imports imports asyncssh, and that comes with the first such server; beside it
only what looks into a HostKey does.
"""

"""The SSH keys that AWS takes.

Must not know what they are for.
"""

from local.emulator.model import error

KINDS = {
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-ed25519",
    "ssh-rsa",
}


def fingerprint(private_key: str) -> str | None:
    """Tell what a private key is recognized by; None where asyncssh is not there to read it.

    Raises InvalidRequestException, without the key, for what a server cannot show.
    """
    try:
        # Not sooner: it takes a tenth of a second.
        import asyncssh  # noqa: PLC0415
    except ImportError:
        return None
    try:
        key = asyncssh.import_private_key(private_key)
    except ValueError:
        key = None
    if key is None or key.get_algorithm() not in KINDS:
        raise error(
            "InvalidRequestException",
            "The HostKey is no private key of RSA, ECDSA or ED25519, or has a passphrase",
        )
    return str(key.get_fingerprint())

"""The SSH keys that AWS takes: a server's own, and those of its users.

Must not know servers and users.
"""

import base64

from local.emulator.model import error

_KINDS = {
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-ed25519",
    "ssh-rsa",
}
# The size of a point, as a 4, an x and a y, by the name of its curve.
_POINTS = {b"nistp256": 65, b"nistp384": 97, b"nistp521": 133}


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
    if key is None or key.get_algorithm() not in _KINDS:
        raise error(
            "InvalidRequestException",
            "The HostKey is no private key of RSA, ECDSA or ED25519, or has a passphrase",
        )
    return str(key.get_fingerprint())


def public_blob(line: str) -> bytes:
    """Give what the base64 of a public key stands for.

    Raises InvalidRequestException for what is not one key of the kind that it says, from its first
    byte to its last. Whether a point is one of its curve is not looked into.
    """
    label, text, *_ = (*line.split(), "")
    try:
        blob = base64.b64decode(text)
    except ValueError:
        blob = b""
    fields = _fields(blob)
    # There are several ways to write the same in base64, and one that is right.
    is_right = base64.b64encode(blob) == text.encode() and fields[:1] == [label.encode()]
    if not (is_right and _are_of_a_key(fields)):
        raise error("InvalidRequestException", "Unsupported or invalid SSH public key format")
    return blob


def _fields(blob: bytes) -> list[bytes]:
    """Take a blob apart, each of whose fields has its length before it; [] if one is cut off."""
    fields = []
    while blob:
        end = 4 + int.from_bytes(blob[:4])
        if end > len(blob):
            return []
        fields.append(blob[4:end])
        blob = blob[end:]
    return fields


def _are_of_a_key(fields: list[bytes]) -> bool:
    match fields:
        case [b"ssh-rsa", exponent, modulus]:
            return _is_number(exponent) and _is_number(modulus)
        case [b"ssh-ed25519", key]:
            return len(key) == 32
        case [kind, curve, point] if kind == b"ecdsa-sha2-" + curve:
            return len(point) == _POINTS.get(curve) and point.startswith(b"\x04")
    return False


def _is_number(field: bytes) -> bool:
    """Tell whether it is a positive number, in no more bytes than that takes with its sign."""
    number = int.from_bytes(field, signed=True)
    return number > 0 and len(field) == number.bit_length() // 8 + 1

"""Public keys that are whole, and nobody's."""


def public_key(letter: str) -> str:
    """Give one that differs by a letter of base64."""
    return f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{letter * 43}"

"""Words of others, made fit for a sentence of ours."""


def printable(text: object, longest: int = 120) -> str:
    """Return a text on one line without control characters, short."""
    shown = "".join(c if c.isprintable() else " " for c in str(text))
    return shorten(" ".join(shown.split()), longest)


def shorten(text: str, longest: int) -> str:
    """Leave out its middle where it is too long: what matters is at its ends."""
    if len(text) <= longest:
        return text
    half = (longest - 3) // 2
    return f"{text[:half]}...{text[-half:]}"

"""Numbers as the pages show them: no more digits than they are worth, and no interval beyond what is possible."""

MINUS, PLUS_MINUS, ELLIPSIS = "\N{MINUS SIGN}", "\N{PLUS-MINUS SIGN}", "\N{HORIZONTAL ELLIPSIS}"
POSSIBLE = {  # likeness and drift may lie anywhere
    **dict.fromkeys(("choice", "obedience", "memorisation", "faces_found"), (0.0, 1.0)),
    **dict.fromkeys(("prompt", "identity", "identity_clip"), (-1.0, 1.0)),
}


def digits(name: str) -> int:
    """Decimals of a score: CLIP-T changes by hundredths only."""
    return 3 if name == "prompt" else 2


def shown(name: str, value: float, sign: str = "") -> str:
    """A score, or with ``sign="+"`` a difference of two."""
    return f"{value:{sign}z.{digits(name)}f}".replace("-", MINUS)


def with_error(name: str, value: float, error: float | None) -> str:
    """``0.74 ± 0.04``."""
    return f"{shown(name, value)} {plus_minus(name, error)}".rstrip()


def plus_minus(name: str, error: float | None) -> str:
    """``± 0.04``; of an error that is nearly none the least that can be written, of none nothing."""
    return f"{PLUS_MINUS} {shown(name, max(error, 10.0 ** -digits(name)))}" if error else ""


def span(name: str, low: float, high: float, sign: str = "") -> str:
    """``0.66 … 0.81``."""
    return f"{shown(name, low, sign)} {ELLIPSIS} {shown(name, high, sign)}"


def possible(name: str, low: float, high: float, value: float, of_two: bool = False) -> tuple[float, float]:
    """The ends of an interval, cut to what the score can be; never so that they leave out its ``value``.

    Args:
        of_two: whether it is of the difference of two scores.
    """
    if name not in POSSIBLE:
        return low, high
    least, most = POSSIBLE[name]
    if of_two:
        least, most = least - most, most - least
    return max(low, min(least, value)), min(high, max(most, value))


def plain(value: float) -> str:
    """A setting: ``4e-6``, not ``4e-06``."""
    return f"{value:g}".replace("e-0", "e-")

"""Tables as they go into the documents."""

from collections.abc import Iterable, Sequence


def head(*titles: str) -> str:
    """The first two lines of a table."""
    return f"{row(titles)}\n|{'---|' * len(titles)}"


def row(cells: Iterable[object]) -> str:
    """One line."""
    return "| " + " | ".join(map(str, cells)) + " |"


def table(title: str, titles: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a section with its table."""
    print(f"\n## {title}\n\n{head(*titles)}")
    for cells in rows:
        print(row(cells), flush=True)

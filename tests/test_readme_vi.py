"""The Vietnamese README says what the English one does: commands, headings, tables, links, names and figures."""

import difflib
import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README, VIETNAMESE = "README.md", "README.vi.md"
FENCED = r"```(\w*)\n(.*?)```"


def sections(name: str) -> list[tuple[str, str]]:
    """Title and text of each part, in order; the line that leads to the other language is left out."""
    text = (ROOT / name).read_text()
    text = text.replace(f"\n[Tiếng Việt]({VIETNAMESE})\n", "").replace(f"\n[English]({README})\n", "")
    hidden = re.sub(FENCED, lambda found: found[0].replace("\n#", "\n\0"), text, flags=re.DOTALL)  # no titles
    found = re.split(r"^(#+ .*)$", hidden, flags=re.MULTILINE)[1:]
    return [(title, body.replace("\0", "#")) for title, body in zip(found[::2], found[1::2], strict=True)]


def prose(text: str) -> str:
    """Without blocks of code."""
    return re.sub(FENCED, "", text, flags=re.DOTALL)


def spans(text: str) -> list[str]:
    """What stands in backticks."""
    return [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", prose(text))]


def commands(text: str) -> list[str]:
    """The lines of all blocks of code, in order, without comments."""
    lines = [line for _, block in re.findall(FENCED, text, re.DOTALL) for line in block.splitlines()]
    shown = [re.sub(r"(^|\s+)#\s.*", "", line).rstrip() for line in lines]
    return [line for line in shown if line]


def headings(text: str) -> list[str]:
    """How deep each title is; the words may differ."""
    return re.findall(r"^#+(?= )", text, re.MULTILINE)


def tables(text: str) -> list[str]:
    """How many columns each row of each table has, and the names in its first one."""
    rows = re.findall(r"^\|(.*?)\|(.*)\|$", prose(text), re.MULTILINE)
    return [f"{more.count('|') + 2} columns: {' '.join(spans(first))}" for first, more in rows]


def links(text: str) -> list[str]:
    """Where links lead and which pictures are shown; in a sentence their order may differ."""
    return sorted(mark + target for mark, target in re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", prose(text)))


def names(text: str) -> list[str]:
    """All that stands in backticks, each once."""
    return sorted(set(spans(text)))


def figures(text: str) -> list[str]:
    """All numbers outside code, each once."""
    plain = re.sub(r"`[^`]+`|\]\([^)]+\)", " ", prose(text))
    return sorted(set(re.findall(r"\d+(?:[.,]\d+)*(?:e-?\d+)?", plain)))


def difference(english: Sequence[str], vietnamese: Sequence[str]) -> list[str]:
    """``-`` what only the English one has, ``+`` what only the Vietnamese one has."""
    return [line for line in difflib.ndiff(english, vietnamese) if line[0] in "-+"]


def test_both_have_the_same_parts() -> None:
    english, vietnamese = ([title for title, _ in sections(name)] for name in (README, VIETNAMESE))
    depths = [headings("\n".join(titles)) for titles in (english, vietnamese)]
    side_by_side = "\n".join(f"{one}  |  {other}" for one, other in zip_longest(english, vietnamese, fillvalue="-"))
    assert depths[0] == depths[1], f"the parts of {README} and {VIETNAMESE} differ:\n{side_by_side}"


@pytest.mark.parametrize("what", [commands, tables, links, names, figures], ids=lambda what: what.__name__)
def test_each_part_has_the_same(what: Callable[[str], list[str]]) -> None:
    faults = []
    for (title, english), (_, vietnamese) in zip(sections(README), sections(VIETNAMESE), strict=True):
        if found := difference(what(english), what(vietnamese)):
            faults.append("\n  ".join([title, *found]))
    assert not faults, f"{what.__name__}: - only {README}, + only {VIETNAMESE}\n" + "\n".join(faults)


def test_there_is_something_to_compare() -> None:
    everything = "\n".join(body for _, body in sections(VIETNAMESE))
    assert len(commands(everything)) > 20
    assert len(tables(everything)) > 20
    assert "!docs/grid.png" in links(everything)
    assert {"1.5", "7.5", "1e-4"} <= set(figures(everything))


@pytest.mark.parametrize(("name", "other"), [(README, VIETNAMESE), (VIETNAMESE, README)])
def test_each_leads_to_the_other_at_its_top(name: str, other: str) -> None:
    assert re.match(rf"# avatar_exp\n\n\[[^\]]+\]\({re.escape(other)}\)\n", (ROOT / name).read_text())


@pytest.mark.parametrize("target", sorted({one.lstrip("!") for _, body in sections(VIETNAMESE) for one in links(body)}))
def test_files_that_it_links_to_exist(target: str) -> None:
    assert "://" in target or (ROOT / target).exists()


def test_what_differs_is_said() -> None:
    english = "```bash\npython -m a x=1  # one\npython -m b\n```\n| `k` | 2 |\n`new` [page](a.md) 0.31\n"
    vietnamese = "```bash\npython -m a x=1  # một\n```\n`k` 0.30\n"
    assert difference(commands(english), commands(vietnamese)) == ["- python -m b"]
    assert difference(tables(english), tables(vietnamese)) == ["- 2 columns: k"]
    assert difference(links(english), links(vietnamese)) == ["- a.md"]
    assert difference(names(english), names(vietnamese)) == ["- new"]
    assert {"- 0.31", "+ 0.30"} <= set(difference(figures(english), figures(vietnamese)))

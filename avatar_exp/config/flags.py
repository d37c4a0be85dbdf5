"""What those type first who know another trainer: its flags, dashes, blanks around ``=``. They are told what is typed
here.
"""

import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from avatar_exp.config.flag_tables import ALONE, FLAGS, NOT_HERE, OTHERS, TUTORIAL, VALUES, WITH_VALUE, YOURS
from avatar_exp.config.overrides import ONLY_SHOWN, groups, quote
from avatar_exp.config.schema import TrainConfig
from avatar_exp.errors import UserError

NOTHING = "none is needed here"
UNKNOWN = "(not known; all keys: --cfg job)"
MOST = 8  # pipelines that an answer proposes to keep
MANY = 5  # of its flags: then somebody has its whole command
BETAS = ("adam_beta1", "adam_beta2")  # one key here


def instead(flag: str, value: str = "", max_steps: int = TrainConfig.max_steps) -> str | None:
    """What to type for another trainer's flag; None for one that is not known.

    Args:
        max_steps: how long the run is to be.
    """
    if flag in NOT_HERE:
        return f"{NOTHING}: {NOT_HERE[flag]}"
    if flag == "save_interval" and value.isdecimal():
        return every(int(value), max_steps)
    known = VALUES.get(flag, {}).get(value) or (FLAGS | OTHERS).get(flag)
    if known and "{subject}" in known and value not in ("", TUTORIAL["save_sample_prompt"]):
        return setting("scoring.prompts", f"[{quote(value)}]")
    if known is None or "=" in known.rpartition(" ")[2]:
        return known and known.replace("{}", value or "...")
    return setting(known, value or "...")


def every(interval: int, max_steps: int) -> str:
    """``keep_steps`` for every so many steps of a run but the last, which is always kept. Each is a whole pipeline: of
    more than ``MOST`` evenly spaced ones.
    """
    steps = range(interval, max_steps, interval) if interval else range(0)
    apart = -(-len(steps) // MOST) or 1
    return f"keep_steps='[{','.join(map(str, steps[apart - 1 :: apart]))}]'"


def setting(key: str, value: str) -> str:
    """``key=value`` as a shell reads it."""
    return f"{key}={shlex.quote(value)}"


def check_form(arguments: Sequence[str], known: Collection[str]) -> None:
    """Whether all that was typed is ``key=value`` or a flag of Hydra's.

    Args:
        known: the command's keys.

    Raises:
        UserError: with what to type, for all that is not.
    """
    shown = ONLY_SHOWN & {"--cfg", "-c", "--info", "-i"} & {one.partition("=")[0] for one in arguments}
    if shown and {"-m", "--multirun"} & {*arguments}:
        raise UserError(f"-m with {min(shown)}: what is shown is one run's. Leave out -m, and give each key one value")
    if not (odd := misread(arguments, known)):
        return
    title = "settings are typed as key=value: without dashes, without blanks around =, a value with blanks in quotes:"
    kept = [words[0] for words in phrases(arguments) if not is_odd(words)]
    raise UserError("\n".join([title, *listing(odd), *recipe(odd, kept)]))


def listing(odd: Sequence[tuple[str, str]]) -> list[str]:
    """A line each, in columns: what came, and what is typed here."""
    width = max(len(came) for came, _ in odd)
    return [
        f"  - {came:<{width}}  {'' if wanted.startswith((NOTHING, UNKNOWN)) else 'type  '}{wanted}"
        for came, wanted in odd
    ]


def recipe(odd: Sequence[tuple[str, str]], kept: Sequence[str]) -> list[str]:
    """The whole command in our form, for whoever typed the tutorial's or most of it.

    Args:
        kept: what was typed in our form already.
    """
    own = any(one.startswith("experiment=") for one in kept)
    if own or len({flag_of(came) for came, _ in odd} & {*TUTORIAL}) < MANY:
        return []
    added = [wanted for came, wanted in odd if can_be_typed(wanted) and not in_recipe(flag_of(came), wanted)]
    words = dict.fromkeys(["experiment=viblo", *kept, *shlex.split(" ".join(added))])
    line = " ".join(setting(*one.split("=", 1)) if "=" in one else shlex.quote(one) for one in words)
    return [f"in one line, on the tutorial's recipe:\n  python -m avatar_exp.train {line}"]


def in_recipe(flag: str, wanted: str) -> bool:
    """Whether the tutorial's recipe says what is wanted for a flag."""
    return flag not in YOURS and flag in TUTORIAL and wanted == instead(flag, TUTORIAL[flag])


def can_be_typed(wanted: str) -> bool:
    """Whether it is a setting, and no value is left open in it."""
    return not wanted.startswith((NOTHING, UNKNOWN)) and "..." not in wanted


def misread(arguments: Sequence[str], known: Collection[str]) -> list[tuple[str, str]]:
    """What is neither ``key=value`` nor a flag of Hydra's, as it came, and what is typed here."""
    length = typed_length(arguments)
    odd = [" ".join(words) for words in phrases(arguments) if is_odd(words)]
    return together([(came, meant(came, known, length)) for came in odd])


def phrases(arguments: Sequence[str]) -> list[list[str]]:
    """Words that belong together: one, and what follows it up to the next setting. Hydra's own flags are left out."""
    found, rest = [], list(arguments)
    while rest:
        words = [rest.pop(0)]
        name, equals, _ = words[0].partition("=")
        if name in ALONE or name in WITH_VALUE:
            del rest[: name in WITH_VALUE and not equals]
            continue
        while not name.startswith("~") and rest and is_loose(rest[0]) and not is_key(rest):
            words.append(rest.pop(0))
        found.append(words)
    return found


def is_odd(words: Sequence[str]) -> bool:
    """Whether words that belong together are not one ``key=value``."""
    return words[0].startswith("-") or is_loose(words[0]) or len(words) > 1


def together(odd: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same, with one answer to both betas: here they are one key."""
    betas = {flag_of(came): came for came, _ in odd if flag_of(came) in BETAS}
    if len(betas) < len(BETAS):
        return list(odd)
    values = ",".join(parted(betas[one])[1] or "..." for one in BETAS)
    others = [(came, wanted) for came, wanted in odd if flag_of(came) not in BETAS]
    return [*others, (" ".join(betas.values()), f"optimizer.betas='[{values}]'")]


def typed_length(arguments: Sequence[str]) -> int:
    """How many steps are typed, in whatever form; the schema's if none are."""
    found = re.findall(r"(?:^|\s)-*max_(?:train_)?steps[\s=]+(\d+)(?=\s|$)", " ".join(arguments))
    return int(found[-1]) if found else TrainConfig.max_steps


def parted(came: str) -> tuple[str, str]:
    """The name and the value of ``--lr 1e-6`` or ``lr = 1e-6``."""
    name, value = [*re.split(r"\s*=\s*|\s+", came.lstrip("-"), maxsplit=1), ""][:2]
    return name, value


def flag_of(came: str) -> str:
    """The name of ``--learning-rate=1e-6`` as the trainers have it."""
    return parted(came)[0].replace("-", "_")


def is_loose(word: str) -> bool:
    """Whether a word cannot stand by itself: it is part of a value with blanks, or of ``key = value``."""
    return not word.startswith(("-", "~")) and ("=" not in word or word.startswith("="))


def is_key(words: Sequence[str]) -> bool:
    """Whether ``words`` begin with ``key =``."""
    return not words[0].startswith("=") and len(words) > 1 and words[1].startswith("=")


def meant(came: str, known: Collection[str], max_steps: int = TrainConfig.max_steps) -> str:
    """What to type for ``--lr 1e-6``, ``lr = 1e-6``, ``prompt=a photo`` or a folder without its key."""
    name, value = parted(came)
    name = name if name in known else name.replace("-", "_")
    if came.startswith("-") and value in VALUES.get(name, {}):
        return VALUES[name][value]
    if name in known and (value or came.startswith("-")):
        return setting(name, value or "true")
    folder = next((key for key in ("run", "runs", "source") if key in known), None)
    if folder and Path(came).is_dir():
        return setting(folder, came)
    if ours := instead(name, value, max_steps):
        return ours
    roots = {one.partition(".")[0] for one in known} | groups() | {"hydra"}
    foreign = came.startswith("-") and re.split(r"[./]", name)[0] not in roots
    return setting(name, value) if value and not foreign else UNKNOWN

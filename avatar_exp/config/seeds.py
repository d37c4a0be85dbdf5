"""``seeds=3``: every run with three seeds. What is claimed of a setting, and not of one run of it, needs several."""

from collections.abc import Sequence

from avatar_exp.config.overrides import ONLY_SHOWN
from avatar_exp.config.schema import TrainConfig
from avatar_exp.errors import UserError

APART = 1000  # a run's pictures take the seeds from its own on: neighbouring runs would share some, and agree too well


def with_seeds(overrides: Sequence[str]) -> list[str]:
    """``seeds=K`` as the sweep ``seed=S,S+1000,...`` of K seeds, from a typed ``seed=`` on, else the schema's.

    An experiment's own seed is not looked at. ``seeds=1`` is left out, and so is any where the config is only shown.

    Args:
        overrides: flags last, as Hydra wants them.

    Returns:
        The overrides to compose, in their order, with ``--multirun`` where it is needed.

    Raises:
        UserError: if K is no whole number from 1 on, or if there is no one seed to count from, or a search to be made.
    """
    keys = [one.partition("=")[0].lstrip("+") for one in overrides]
    given = {key: one.partition("=")[2] for key, one in zip(keys, overrides, strict=True)}  # the last of a key counts
    if "seeds" not in given:
        return list(overrides)
    count = _whole(given["seeds"])
    if count is None or count < 1:
        raise UserError(
            f"seeds={given['seeds']}: expected how many seeds, a whole number from 2 on; seeds=3 stands for "
            f"seed={_from(TrainConfig.seed, 3)}"
        )
    if count == 1 or ONLY_SHOWN & {*keys}:
        return [one for one, key in zip(overrides, keys, strict=True) if key != "seeds"]
    swept = f"seed={_from(_first(given, count), count)}"
    written = [swept if key == "seeds" else one for one, key in zip(overrides, keys, strict=True) if key != "seed"]
    return [*dict.fromkeys(written), *([] if {"-m", "--multirun"} & {*keys} else ["--multirun"])]


def _first(given: dict[str, str], count: int) -> int:
    """The seed to count from."""
    for key in ("sweep", "hydra/sweeper"):
        if given.get(key) == "optuna":
            raise UserError(
                f"seeds={count} with {key}=optuna: a search runs a setting once, and a seed is none to search for. "
                f"Search without seeds=; then run what it found with several: lr=2e-6,4e-6 seeds={count}"
            )
    first = _whole(given.get("seed", str(TrainConfig.seed)))
    if first is None:
        raise UserError(
            f"seeds={count} with seed={given['seed']}: expected one whole number to count from, as in seed=7 "
            f"seeds={count}, which stands for seed={_from(7, count)}. Name one seed, or leave seeds= out"
        )
    return first


def _from(first: int, count: int) -> str:
    return ",".join(str(first + n * APART) for n in range(count))


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None

"""``seeds=K`` is a sweep over seeds before Hydra sees it."""

import pytest
from omegaconf import OmegaConf

from avatar_exp.config.again import repeated_overrides, resumed
from avatar_exp.config.explain import explain
from avatar_exp.config.seeds import with_seeds
from avatar_exp.errors import UserError
from avatar_exp.run_folder import RunFolder, write_atomically


@pytest.mark.parametrize(
    ("typed", "composed"),
    [
        (["seeds=3"], ["seed=1337,2337,3337", "--multirun"]),
        (["lr=1,2", "seeds=2", "x=y"], ["lr=1,2", "seed=1337,2337", "x=y", "--multirun"]),
        (["seed=7", "seeds=2"], ["seed=7,1007", "--multirun"]),
        (["seeds=2", "seed=7", "seed=0"], ["seed=0,1000", "--multirun"]),  # the last of a key counts
        (["seeds=5", "seeds=2"], ["seed=1337,2337", "--multirun"]),
        (["++seed=7", "++seeds=2"], ["seed=7,1007", "--multirun"]),
        (["seeds=2", "-m"], ["seed=1337,2337", "-m"]),
        (["seeds=2", "--multirun"], ["seed=1337,2337", "--multirun"]),
        (["seeds=2", "sweep=lr_grid"], ["seed=1337,2337", "sweep=lr_grid", "--multirun"]),
        (["scoring.seeds=4", "seeds=2"], ["scoring.seeds=4", "seed=1337,2337", "--multirun"]),
        (["scoring.seeds=4", "seed=1,2", "-m"], ["scoring.seeds=4", "seed=1,2", "-m"]),
        (["seeds=1", "seed=7"], ["seed=7"]),  # the plain run
        (["seeds=1", "seed=1,2", "-m"], ["seed=1,2", "-m"]),
        (["lr=1", "seeds=3", "seed=7", "--cfg", "job"], ["lr=1", "seed=7", "--cfg", "job"]),  # Hydra shows one config
        (["seeds=3", "--help"], ["--help"]),
        (["lr=1"], ["lr=1"]),
        ([], []),
    ],
)
def test_seeds_are_written_out(typed, composed):
    assert with_seeds(typed) == composed
    assert with_seeds(composed) == composed


@pytest.mark.parametrize("value", ["0", "-3", "2.5", "x", "", "2,3", "[1,2]", "null"])
def test_what_is_no_number_of_seeds_is_refused(value):
    with pytest.raises(UserError, match=r"seeds=.*: expected how many seeds.*seed=1337,2337,3337"):
        with_seeds(["seed=7", f"seeds={value}"])


@pytest.mark.parametrize("seed", ["1,2", "range(1,3)", "choice(1,2)", "x", "1.5"])
def test_seeds_are_counted_from_one_seed(seed):
    with pytest.raises(UserError) as refused:
        with_seeds([f"seed={seed}", "-m", "seeds=3"])
    for said in (f"seeds=3 with seed={seed}", "one whole number", "seed=7,1007,2007", "leave seeds= out"):
        assert said in str(refused.value)


@pytest.mark.parametrize("search", ["sweep=optuna", "hydra/sweeper=optuna"])
def test_a_search_has_no_seeds(search):
    with pytest.raises(UserError, match=f"seeds=3 with {search}: a search.*Search without seeds=; then"):
        with_seeds(["seeds=3", search])
    assert with_seeds(["seeds=1", search]) == [search]


@pytest.fixture
def run(tmp_path):
    """A run with a seed of its own."""
    folder = RunFolder(tmp_path / "run")
    write_atomically(folder.config, "seed: 7\n")
    write_atomically(folder.overrides, OmegaConf.to_yaml(["concept=minh", "seed=7"]))
    return folder


def test_a_run_is_repeated_with_several_seeds_from_its_own_on(run):
    repeat = f"repeat={run.path}"
    for typed, seeds in (([], "7,1007"), (["seed=1"], "1,1001")):
        composed = with_seeds(repeated_overrides([repeat, *typed, "seeds=2"]))
        assert sorted(composed) == sorted(["concept=minh", repeat, f"seed={seeds}", "--multirun"])
        assert composed[-1] == "--multirun"


def test_a_run_goes_on_with_its_one_seed(run):
    with pytest.raises(UserError, match=rf"seeds cannot change.*\n.*repeat={run.path} seeds=3"):
        resumed([f"resume={run.path}", "seeds=3"])


@pytest.mark.parametrize(
    ("key", "command", "says"),
    [
        ("seedss", "train", "did you mean seeds or seed"),
        ("scoring.sead", "train", "scoring.seeds"),
        ("seeds", "sample", "did you mean seed?"),  # of train only
    ],
)
def test_a_typing_error_is_told_what_may_have_been_meant(key, command, says):
    assert says in explain(UserError(f"Could not override '{key}'."), command)

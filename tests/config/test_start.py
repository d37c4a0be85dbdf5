"""The one function that starts a command: folders, exit codes, short messages."""

import logging
import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

from avatar_exp.config.explain import explain
from avatar_exp.config.overrides import readable
from avatar_exp.config.start import _command_line, start
from avatar_exp.errors import UserError


@pytest.fixture
def command(tmp_path, monkeypatch):
    """``sample`` with a job of the test's own, in a folder of its own; gives back the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    root, handlers, level = logging.getLogger(), list(logging.getLogger().handlers), logging.getLogger().level

    def run(job, *arguments):
        monkeypatch.setattr(sys, "argv", ["sample", *arguments])
        try:
            start("sample", job)
        except SystemExit as ended:
            return ended.code
        return 0

    yield run
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.handlers, root.level = handlers, level
    GlobalHydra.instance().clear()


def test_a_job_gets_its_config_and_a_folder_of_its_own(command, tmp_path):
    seen = []

    def job(config, origin):
        seen.append((config.run, config.prompt, origin.overrides, origin.sweep))
        assert origin.folder.is_dir()
        seen.append(origin.folder)

    prompt = 'ảnh: {subject}, it\'s [a] = "b"'
    assert command(job, "run=a,b (1)", f"prompt={prompt}") == 0
    assert seen[0][:2] == ("a,b (1)", prompt)
    assert seen[0][3] is None
    assert seen[1].resolve().parent == tmp_path / "outputs" / "samples"
    assert command(job, "run=x") == 0
    assert seen[1] != seen[3]


def test_a_user_error_is_a_short_message_and_code_2(command, capsys):
    def job(config, origin):
        raise UserError("no weights are there")

    assert command(job, "run=x") == 2
    said = capsys.readouterr().err
    assert said == "\nno weights are there\n"


@pytest.mark.parametrize(
    ("argument", "says"), [("promt=x", "did you mean prompt"), ("seed=x", "seed"), ("guidance_scale=high", "high")]
)
def test_what_was_typed_wrong_is_a_short_message_and_code_2(command, capsys, argument, says):
    assert command(lambda *_: pytest.fail("not to be run"), "run=x", argument) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


def test_another_error_is_raised_as_it_is(command):
    def job(config, origin):
        raise ZeroDivisionError("a fault of ours")

    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        command(job, "run=x")


def test_ctrl_c_ends_with_130(command):
    def job(config, origin):
        raise KeyboardInterrupt

    assert command(job, "run=x") == 130


def test_a_failing_job_of_a_sweep_does_not_stop_the_others(command, capsys):
    seen = []

    def job(config, origin):
        seen.append((config.seed, origin.sweep == origin.folder.parent))
        if config.seed == 2:
            raise ValueError("a bad seed")

    assert command(job, "-m", "run=x", "seed=1,2,3") == 1
    assert seen == [(1, True), (2, True), (3, True)]
    said = capsys.readouterr().err
    assert "1 job of this sweep failed" in said
    assert "001_" in said
    assert "a bad seed" in said
    assert "sample.log" in said


def test_several_concepts_stand_in_for_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _command_line("train", ["concepts=[a,b]"]) == ["concepts=[a,b]", "concept=listed"]
    assert _command_line("train", ["concept=x", "concepts=[a,b]"]) == ["concept=x", "concepts=[a,b]"]


def test_another_base_has_its_own_learning_rate_unless_it_is_told_whose(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for more in ([], ["experiment=low_vram"]):
        typed = ["concept=a", "model.path=DIR", *more]
        assert [*_command_line("train", typed)] == [*map(readable, typed), "model=sd15"]
    for more in (["model=tiny"], ["experiment=viblo"], ["experiment=[viblo,low_vram]"]):
        assert "model=sd15" not in _command_line("train", ["concept=a", "model.path=DIR", *more])


@pytest.mark.parametrize("command", ["prepare", "compare"])
def test_what_has_one_result_is_not_swept(command):
    with pytest.raises(UserError, match=f"leave it out and type {command} once for each"):
        _command_line(command, ["-m", "concept=a,b"])


def test_a_group_is_given_once():
    with pytest.raises(UserError) as error:
        _command_line("train", ["experiment=low_vram", "+experiment=viblo"])
    assert str(error.value) == (
        "experiment is given twice: low_vram, viblo; several: experiment='[low_vram,viblo]', where they differ the "
        "last one wins"
    )
    with pytest.raises(UserError) as error:
        _command_line("train", ["-m", "concept=a", "concept=b", "model=sd15", "lr=1", "model=tiny", "lr=2"])
    assert [line.partition(";")[0] for line in str(error.value).splitlines()] == [
        "options are given twice:",
        "  - concept is given twice: a, b",
        "  - model is given twice: sd15, tiny",
    ]


@pytest.mark.parametrize(
    "typed",
    [
        ["concept=a", "experiment=[low_vram,viblo]"],
        ["-m", "concept=a", "model=tiny,sd15"],
        ["concept=a", "model=tiny", "model=tiny"],  # the same
        ["concept=a", "model=tiny", "model.path=DIR"],
        ["concept=a", "lr=1", "lr=2"],  # of a key the last counts, as anywhere
    ],
)
def test_what_is_no_group_given_twice(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sorted(_command_line("train", typed)) == sorted(map(readable, typed))


def test_a_path_may_begin_with_the_home_folder(command, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "nhà"))
    seen = []
    paths = ("run=~/runs/a, b", "prompts_file='~/p.txt'", "outputs=~/out", "prompt=~/no path")
    assert command(lambda config, origin: seen.append((config.copy(), origin.folder)), *paths) == 0
    ((config, folder),) = seen
    home = tmp_path / "nhà"
    assert (config.run, config.prompts_file) == (f"{home}/runs/a, b", f"{home}/p.txt")
    assert config.prompt == "~/no path"
    assert folder.parent == home / "out" / "samples"


def test_help_needs_no_concept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert set(_command_line("train", ["--help"])) == {"--help", "concept=hoanganh"}
    assert set(_command_line("train", ["--cfg", "job", "concept=x"])) == {"--cfg", "job", "concept=x"}
    assert set(_command_line("train", ["--cfg", "job", "concepts=[a]"])) == {
        "--cfg",
        "job",
        "concepts=[a]",
        "concept=listed",
    }
    assert _command_line("sample", ["--help"]) == ["--help"]


def test_own_concept_files_are_on_the_search_path(tmp_path, monkeypatch):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    home = tmp_path / "ảnh, [1]"
    (home / "data" / "conf").mkdir(parents=True)
    monkeypatch.chdir(home)
    (path,) = _command_line("train", [])
    assert OverridesParser.create().parse_override(path).value() == [f"file://{home}/data/conf"]


def test_other_errors_are_said_as_they_are():
    assert explain(UserError("a\nb"), "train") == "a\nb"
    assert "concept.identifier=minh" in explain(UserError("Missing mandatory value: concept.identifier"), "train")
    assert explain(UserError("concept.identifier is empty\nlr=-1"), "train") == "concept.identifier is empty\nlr=-1"

"""What is said of a step in words, where its weights are, and what the best step is called."""

import pytest

from avatar_exp.report.details import details
from avatar_exp.report.kept import kept
from avatar_exp.report.runs import read_run
from avatar_exp.report.verdicts import best_word, verdicts
from avatar_exp.run_folder import RunFolder, append_line, write_atomically

GOOD = {"score/likeness": 0.9, "score/obedience": 0.95, "score/drift": 0.1, "score/memorisation": 0.125}
ERRORS = {"score/likeness": 0.002, "score/obedience": 0.1, "score/drift": 0.1}
CONFIG = "choose: last\nscoring:\n  max_drift: 0.2\n"


@pytest.fixture
def one(tmp_path):
    """A run with the base and step 20; its pictures' copies as they were counted."""

    def make(copies=2, alarms=(), fields=None, **scores):
        folder = RunFolder(tmp_path / "run")
        at_20 = {**GOOD, **{f"score/{name}": value for name, value in scores.items()}}
        known = {"0": {"score/likeness": 0.06, "score/memorisation": 0.0625}, "20": at_20}
        folder.update(
            scores=known, errors={"20": ERRORS}, best_step=20, steps_done=20, alarms=list(alarms), **fields or {}
        )
        write_atomically(folder.resolved, CONFIG)
        for step, count in ((0, 1), (20, copies)):
            for number in range(16):
                row = {"step": step, "prompt": "p", "seed": number, "score/memorisation": float(number < count)}
                append_line(folder.picture_scores, row)
        return read_run(folder.path, "run")

    return make


def answers(run):
    return {one.question: (one.mark, one.answer) for one in verdicts(run, 20)}


def test_every_question_is_answered_with_its_number_and_its_limit(one):
    assert answers(one()) == {
        "Is it the subject?": ("good", "likeness 0.90 ± 0.01 (the base 0.06, the photos 1; good from 0.75)"),
        "Does it still obey?": ("good", "obedience 0.95 ± 0.10 (the base 1; good from 0.75)"),
        "Did others stay themselves?": ("good", "drift 0.10 ± 0.10 (at most 0.2)"),
        "Did it only copy?": ("good", "2 of 16 pictures are near-copies of a photo (the base 1; good up to 4)"),
    }


@pytest.mark.parametrize(
    ("scores", "marks"),
    [
        ({"likeness": 0.6, "obedience": 0.6, "drift": 0.25, "memorisation": 0.375}, ["doubtful"] * 4),
        ({"likeness": 0.4, "obedience": 0.4, "drift": 0.35, "memorisation": 0.75}, ["bad"] * 4),
        ({"likeness": 1.1, "obedience": 1.1, "drift": -0.5, "memorisation": 0.25}, ["good"] * 4),
    ],
)
def test_marks(one, scores, marks):
    assert [mark for mark, _ in answers(one(**scores)).values()] == marks


def test_drift_above_the_limit_but_within_its_error_is_told(one):
    told = "drift 0.25 ± 0.10 (at most 0.2; above that, but by less than its error)"
    assert answers(one(drift=0.25))["Did others stay themselves?"] == ("doubtful", told)


def test_an_alarm_at_the_step_is_never_contradicted(one):
    run = one(copies=5, memorisation=0.3125, alarms=[{"step": 20, "kind": "copies", "text": "x"}])
    assert answers(run)["Did it only copy?"][0] == "bad"


def test_what_was_not_scored_is_no_question(one):
    run = one()
    assert verdicts(run, 10) == []
    assert [verdict.question for verdict in verdicts(run, 0)] == ["Is it the subject?", "Did it only copy?"]


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "best"),
        ({"drift": 0.25}, "best"),  # by chance perhaps
        ({"drift": 0.5}, "least bad"),
        ({"alarms": [{"step": 20, "kind": "copies"}]}, "least bad"),
        ({"alarms": [{"step": 10, "kind": "copies"}]}, "best"),
        ({"alarms": [{"step": 20, "kind": "stopped"}]}, "best"),  # a hint
    ],
)
def test_a_best_step_with_a_fault_is_the_least_bad(one, given, word):
    assert best_word(one(**given)) == word


def test_a_hint_is_no_alarm(one):
    run = one(alarms=[{"step": 20, "kind": "stopped", "text": "x"}, {"step": 10, "kind": "drift", "text": "y"}])
    assert [alarm["text"] for alarm in run.alarms] == ["y"]
    said = details(run, run.folder.path, own_page=True)["alarms"]
    assert [(alarm["text"], alarm["hint"]) for alarm in said] == [("y", False), ("x", True)]


def test_it_is_said_what_pipeline_holds_and_where_the_best_weights_are(one, tmp_path):
    path = tmp_path / "run"
    assert kept(one()) is None  # still at it, or it died
    (path / "pipeline").mkdir(parents=True)

    def found(**info):
        RunFolder(path).update(**info)
        known = kept(read_run(path, "run"))
        assert known is not None
        return known.text, known.command

    sample, again = f"python -m avatar_exp.sample run={path}", f"python -m avatar_exp.train repeat={path}"
    assert found(chosen_step=20) == ("pipeline/ holds this step (choose=last):", sample)
    text, command = found(chosen_step=30, steps_done=30)
    assert text.startswith("pipeline/ holds step 30, the last one (choose=last); the weights of step 20 are not kept")
    assert command == f"{again} choose=best"
    (path / "pipeline_step_00020").mkdir()
    text, command = found()
    assert "step 20 is in pipeline_step_00020/" in text
    assert command == f"{sample} step=best"
    (path / "pipeline").rmdir()
    (path / "pipeline_step_00020").rmdir()
    text, command = found(weights_removed="save=best_of_sweep kept those of 003")
    assert text.startswith("pipeline/ is not kept (save=best_of_sweep kept those of 003); the weights of step 20")
    assert command == f"{again} choose=best save=all"

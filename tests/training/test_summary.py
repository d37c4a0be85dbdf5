"""The last lines of a run."""

from avatar_exp.training.summary import summary_metrics, time_line


def test_the_cost_of_the_evidence_is_told_against_the_training():
    seconds = {"prior pictures": 20.0, "training": 50.0, "pictures": 15.0, "scores": 5.0, "checkpoints": 1.0}
    assert time_line(seconds) == "training 50 s; pictures and scores on the way 20 s, 40% of it; all else 21 s"


def test_without_training_there_is_nothing_to_compare_with():
    assert time_line({"base pictures": 3.0}) == "training 0 s; pictures and scores on the way 0 s; all else 3 s"


def test_what_is_only_a_note_is_no_alarm():
    raised = [{"kind": "drift", "step": 2}, {"kind": "stopped", "step": 4}, {"kind": "copies", "step": 4}]
    scores = {"0": {"score/choice": 0.0}, "2": {"score/choice": 0.5}, "4": {"score/choice": 0.25}}
    assert summary_metrics({"scores": scores, "best_step": 2, "alarms": raised}) == {
        "best/step": 2, "best/choice": 0.5, "last/step": 4, "last/choice": 0.25, "alarms": "drift@2, copies@4",
    }  # fmt: skip

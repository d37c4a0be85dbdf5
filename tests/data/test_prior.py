"""Where the pictures of the class come from."""

from pathlib import Path

import pytest
from PIL import Image

from avatar_exp.data.concept import Concept
from avatar_exp.data.prior import Folder, Generated, Nothing, picture_seed
from avatar_exp.diffusion.draws import STREAMS, seed_of
from avatar_exp.errors import UserError

CONCEPT = Concept("minh", "photos", class_noun="man")


def never(*_):
    pytest.fail("nothing was to be drawn")


def recorder(calls):
    def draw(prompt, seeds, sampler):
        calls.append((prompt, list(seeds), dict(sampler)))
        return [Path(str(seed)) for seed in seeds]

    return draw


def test_fifty_pictures_extend_to_two_hundred():
    calls = []
    few = Generated(count=50).pictures(CONCEPT, 1337, recorder(calls))
    many = Generated(count=200).pictures(CONCEPT, 1337, recorder(calls))
    assert many[:50] == few
    assert len(set(many)) == 200


def test_the_class_prompt_is_drawn_with_the_samplers_settings():
    calls = []
    Generated(2, sampler={"num_inference_steps": 3}).pictures(CONCEPT, 7, recorder(calls))
    assert calls == [("photo of a man", [picture_seed(7, 0), picture_seed(7, 1)], {"num_inference_steps": 3})]


def test_prior_seeds_are_no_training_streams_seeds():
    taken = {seed_of(1337, n, stream) for n in range(500) for stream in STREAMS}
    assert not taken & {picture_seed(1337, n) for n in range(500)}
    assert picture_seed(1337, 0) != picture_seed(1338, 0)


def test_none_asked_for_none_drawn():
    assert Generated(count=0).pictures(CONCEPT, 0, never) == []
    assert Nothing().pictures(CONCEPT, 0, never) == []
    assert Nothing().weight == 0


def test_ones_own_pictures_are_the_first_by_name(tmp_path):
    for name in ("c.png", "a.png", "b.jpg", "notes.txt"):
        Image.new("RGB", (4, 4)).save(tmp_path / name, "PNG")
    mine = Concept("minh", "photos", class_data_dir=str(tmp_path))
    assert [path.name for path in Folder(count=2).pictures(mine, 0, never)] == ["a.png", "b.jpg"]
    assert len(Folder(count=50).pictures(mine, 0, never)) == 3


@pytest.mark.parametrize(("count", "said"), [(2, True), (3, False), (50, False)])
def test_that_not_all_of_ones_own_pictures_are_taken_is_said(tmp_path, caplog, count, said):
    for number in range(3):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{number}.png")
    caplog.set_level("INFO", "avatar_exp")
    Folder(count=count).pictures(Concept("minh", "photos", class_data_dir=str(tmp_path)), 0, never)
    line = f"3 pictures in {tmp_path}, 2 are taken, the first by name: prior.count=3 takes all"
    assert caplog.messages == ([line] if said else [])


def test_ones_own_pictures_need_a_folder():
    with pytest.raises(UserError, match=r"concept\.class_data_dir=DIR"):
        Folder().pictures(CONCEPT, 0, never)

import numpy as np
import torch
from PIL import Image

from avatar_exp.tiny import world
from avatar_exp.tiny.pictures import SIZE, to_floats
from avatar_exp.tiny.wording import PLACES
from benchmarks.base import cases, full_caption, kernel_distance
from benchmarks.judge import NEVER, PARTS, READ, VALUES, Judge, Truth, consistent, readings, visible, wiped


def landmarks(seed, **scene):
    points = world.landmarks(world.identity(seed), world.scene(seed, **scene))
    return torch.tensor([points[part] for part in PARTS])


def test_every_face_of_the_world_is_one_face():
    assert all(consistent(landmarks(seed)) for seed in range(200))


def test_a_face_with_a_part_out_of_place_is_not():
    for part in range(len(PARTS)):
        moved = landmarks(3)
        moved[part] += torch.tensor([0.0, 0.15])
        assert not consistent(moved)
    upside_down = 1 - landmarks(3)
    far_too_small = 0.5 + (landmarks(3) - 0.5) * 0.5
    assert not consistent(upside_down)
    assert not consistent(far_too_small)


def test_the_truth_is_what_was_drawn():
    truth = Truth.of(500_000, 12)
    assert {len(labels) for labels in truth.labels.values()} == {12}
    for picture in range(12):
        facts = world.attributes(world.identity(500_000 + picture // 4), world.scene(500_000 * 4 + picture))
        for name in READ:
            label = int(truth.labels[name][picture])
            assert VALUES[name][label] == facts[name] if visible(name, facts) else label == NEVER


def test_what_cannot_be_seen_is_not_asked_for():
    facts = world.attributes(world.identity(1), world.scene(1, style="photo", hat="none")) | {"hair": "bob"}
    assert all(visible(name, facts) for name in READ)
    assert not visible("hair", facts | {"hat": "red hat"})
    assert not visible("hair_color", facts | {"hair": "bald"})
    assert [name for name in READ if visible(name, facts | {"style": "pencil sketch"})] == ["hat", "style"]


def test_wiping_out_a_part_leaves_the_rest_of_the_picture():
    seeds = range(40)
    portraits = [np.asarray(world.portrait(world.identity(n), world.scene(n, style="photo"))) for n in seeds]
    pictures, points = to_floats(np.stack(portraits)), torch.stack([landmarks(n, style="photo") for n in seeds])
    spoilt, there = wiped(pictures, points, torch.Generator().manual_seed(0))
    assert there.sum(1).tolist() == [3] * len(seeds)
    assert set(there.argmin(1).tolist()) == set(range(4))
    changed = (spoilt != pictures).any(1)
    for picture, part in enumerate(there.argmin(1).tolist()):
        rows, columns = changed[picture].nonzero().float().mean(0).tolist()
        x, y = (points[picture, part] * SIZE).tolist()
        assert abs(columns - x) < 3
        assert abs(rows - y) < 3
    assert 0.001 < changed.float().mean() < 0.1


def test_a_judge_reads_something_of_every_picture():
    torch.manual_seed(0)
    said, whole = readings(Judge().eval(), [Image.new("RGB", (SIZE, SIZE), color) for color in ("red", "blue")])
    assert set(said) == set(READ)
    assert all(value in VALUES[name] for name, values in said.items() for value in values)
    assert len(whole) == 2


def test_the_kernel_distance_is_kids():
    """Against the double sum of the paper's definition."""
    generator = torch.Generator().manual_seed(0)
    found, wanted = torch.randn(5, 8, generator=generator), torch.randn(7, 8, generator=generator) + 0.5

    def kernel(a, b):
        return (float(a @ b / a.norm() / b.norm()) + 1) ** 3

    def mean_of_pairs(a):
        return sum(kernel(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j) / (len(a) * (len(a) - 1))

    across = sum(kernel(a, b) for a in found for b in wanted) / (len(found) * len(wanted))
    expected = 1000 * (mean_of_pairs(found) + mean_of_pairs(wanted) - 2 * across)
    assert abs(kernel_distance(found, wanted) - expected) < 1e-2 * abs(expected)


def test_the_captions_to_be_obeyed_tell_all_that_is_judged():
    for person, place in cases(600_000, 20):
        text = full_caption(person, place)
        facts = world.attributes(person, place)
        assert PLACES[place.background] in text
        assert facts["clothes_color"] in text
        assert f"{facts['skin']} skin" in text
        assert ("glasses" in text) == (facts["glasses"] != "none")
        assert (facts["hat"], facts["style"]) == ("none", "photo")

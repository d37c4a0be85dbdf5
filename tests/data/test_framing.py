"""The square beside somebody else: whose face is left out, and what must not be lost for it."""

import random
from itertools import product

import pytest

from avatar_exp.data.faces import Face, head_and_shoulders
from avatar_exp.data.framing import COUNTS, ROOM, around, cut_into, framed, overlap, rivals

WIDTH, HEIGHT = 1100, 800
ONE, OTHER = (538, 180, 983, 625), (65, 300, 404, 639)  # of 445 and 339 pixels


def test_half_of_another_face_is_left_out():
    assert head_and_shoulders(Face(ONE), WIDTH, HEIGHT, 512) == (300, 0, 1100, 800)
    square = framed([ONE, OTHER], WIDTH, HEIGHT, 512)
    left, top, right, bottom = square
    assert right - left == bottom - top > 1.4 * 445
    assert left >= 404
    assert not cut_into(square, [ONE, OTHER])


def test_where_there_is_room_the_square_is_only_shifted():
    one, other = (800, 300, 1000, 500), (480, 300, 660, 480)
    plain = head_and_shoulders(Face(one), 2000, 1000, 512)
    square = framed([one, other], 2000, 1000, 512)
    assert plain[0] < 660
    assert square[2] - square[0] == plain[2] - plain[0]
    assert square[0] == 660 + round(0.3 * 180)  # its hair and ears, too


@pytest.mark.parametrize("other", [(65, 300, 205, 440), (3000, 300, 3339, 639)])
def test_small_or_distant_faces_change_nothing(other):
    assert (other[2] - other[0] < COUNTS * 445) or other[0] > 2000
    faces = [ONE, other]
    assert framed(faces, 4000, HEIGHT, 512) == head_and_shoulders(Face(ONE), 4000, HEIGHT, 512)


def test_the_head_stays_in_the_square_when_it_is_shifted():
    """Two heads that nearly touch; the faces are those of ``IMG_0012_beside`` of a trial."""
    faces = [(694, 341, 1121, 769), (266, 354, 617, 705)]
    square = framed(faces, 1500, 900, 512)
    assert 617 <= square[0] <= 694 - 0.1 * 427
    assert square[1] <= 341 - 0.3 * 427
    assert not cut_into(square, faces)


def test_it_is_not_made_smaller_than_wanted():
    faces = [ONE, (70, 300, 480, 710)]
    plain = head_and_shoulders(Face(ONE), WIDTH, HEIGHT, 700)
    assert framed(faces, WIDTH, HEIGHT, 700) == plain
    assert cut_into(plain, faces)


def test_cheek_to_cheek_stays_as_it_was():
    faces = [ONE, (200, 200, 560, 560)]
    assert framed(faces, WIDTH, HEIGHT, 128) == head_and_shoulders(Face(ONE), WIDTH, HEIGHT, 128)


def test_the_largest_square_is_taken_that_there_is_against_a_search_of_all():
    """Small pictures with faces anywhere; only the faces themselves are avoided here."""
    dice, avoided = random.Random(0), 0
    for _ in range(150):
        width, height = dice.randint(30, 60), dice.randint(30, 60)
        faces = []
        for side in (dice.randint(8, 12), dice.randint(5, 8), dice.randint(3, 8)):
            x, y = dice.randint(0, width - side), dice.randint(0, height - side)
            faces.append((x, y, x + side, y + side))
        plain, square = head_and_shoulders(Face(faces[0]), width, height, 20), framed(faces, width, height, 20)
        assert square[2] - square[0] == square[3] - square[1]
        assert min(square) >= 0
        assert (square[2] <= width, square[3] <= height) == (True, True)
        room = around(Face(faces[0]), ROOM, width, height)
        lowest = max(min(20, plain[2] - plain[0]), room[2] - room[0], room[3] - room[1])
        if not cut_into(plain, faces):
            assert square == plain
            continue
        free = [
            (x, y, x + side, y + side)
            for side in range(lowest, plain[2] - plain[0] + 1)
            for x, y in product(range(max(room[2] - side, 0), min(room[0], width - side) + 1),
                                range(max(room[3] - side, 0), min(room[1], height - side) + 1))
            if not any(overlap((x, y, x + side, y + side), other) for other in rivals(faces))
        ]  # fmt: skip
        assert cut_into(square, faces) is not bool(free)
        assert square in free or square == plain
        avoided += bool(free)
    assert avoided > 20

"""The words of errors."""

import pytest

from avatar_exp.errors import counted


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 pictures"), (1, "1 picture"), (2, "2 pictures"), (1200, "1,200 pictures")]
)
def test_one_thing_and_several(count, words):
    assert counted(count, "picture") == words

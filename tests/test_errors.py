"""The words of errors."""

import pytest

from avatar_exp.errors import UserError, counted, raise_all


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 pictures"), (1, "1 picture"), (2, "2 pictures"), (1200, "1,200 pictures")]
)
def test_one_thing_and_several(count, words):
    assert counted(count, "picture") == words


def test_all_faults_come_at_once_and_lines_of_one_stay_beneath_it():
    with pytest.raises(UserError) as raised:
        raise_all("two things:", ["boxes.csv:\n- line 2\n- line 5", "lr=-1"])
    assert str(raised.value) == "two things:\n  - boxes.csv:\n    - line 2\n    - line 5\n  - lr=-1"
    raise_all("nothing:", [])

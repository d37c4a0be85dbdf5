import pytest

from avatar_exp.report.numbers import plain, possible, shown, span, with_error


@pytest.mark.parametrize(
    ("name", "ends", "value", "cut"),
    [
        ("choice", (-0.2, 1.3), 0.7, (0, 1)),
        ("obedience", (0.47, 1.07), 0.77, (0.47, 1)),
        ("obedience", (0.99, 1.06), 1.02, (0.99, 1.02)),  # never without the value
        ("prompt", (-1.2, 0.4), 0.3, (-1, 0.4)),
        ("likeness", (-0.1, 1.2), 0.9, (-0.1, 1.2)),
        ("drift", (-2.0, 2.0), 0.1, (-2.0, 2.0)),
    ],
)
def test_an_interval_ends_where_the_score_does(name, ends, value, cut):
    assert possible(name, *ends, value) == cut


def test_a_difference_may_be_of_either_sign():
    assert possible("choice", -1.8, 1.1, -0.4, of_two=True) == (-1, 1)


def test_digits():
    assert shown("likeness", -0.1234) == "−0.12"
    assert shown("likeness", -0.001) == "0.00"
    assert shown("prompt", 0.12345) == "0.123"
    assert shown("choice", 0.5, "+") == "+0.50"
    assert span("drift", -0.5, 0.25) == "−0.50 … 0.25"
    assert with_error("choice", 0.737, 0.036) == "0.74 ± 0.04"
    assert with_error("choice", 0.737, 0.0001) == "0.74 ± 0.01"
    assert with_error("choice", 0.737, None) == "0.74"
    assert [plain(value) for value in (4e-06, 0.001, 1.5e-10)] == ["4e-6", "0.001", "1.5e-10"]

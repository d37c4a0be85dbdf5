import pytest

from avatar_exp.tiny.fitting import lr_factor


@pytest.mark.parametrize("decay", [1.0, 0.25])
def test_the_learning_rate_warms_up_stays_and_falls(decay):
    factors = [lr_factor(step, 1000, decay) for step in range(1001)]
    start = max(30, round(1000 * (1 - decay)))
    assert factors[:30] == pytest.approx([(step + 1) / 30 for step in range(30)])
    assert set(factors[30 : start + 1]) == {1.0}
    assert factors[start:] == sorted(factors[start:], reverse=True)
    assert factors[(start + 1000) // 2] == pytest.approx(0.505, abs=0.01)
    assert factors[-1] == pytest.approx(0.01)


def test_before_the_fall_a_longer_training_is_the_same():
    assert all(lr_factor(step, 4000, 0.25) == lr_factor(step, 8000, 0.25) for step in range(3000))

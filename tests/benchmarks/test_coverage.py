"""Few simulated runs, of which the intervals that are honest hold far more than the naive ones."""

import pytest

from benchmarks import coverage


@pytest.mark.parametrize("method", [coverage.by_bootstrap_t, coverage.by_jackknife])
def test_honest_intervals_hold_the_truth_and_naive_ones_do_not(method, monkeypatch):
    monkeypatch.setattr(coverage, "TIMES", 150)
    assert coverage.coverage(method, (8, 2), (1.0, 1.0)) > 0.88
    assert coverage.coverage(coverage.over_pairs, (8, 2), (1.0, 1.0)) < 0.6

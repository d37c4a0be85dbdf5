"""Where the denoiser's loss looks."""

import pytest
import torch

from avatar_exp.tiny.denoiser import FACE, face_weights


def test_cells_within_a_face_weigh_more_and_the_mean_is_one():
    boxes = torch.tensor([[0.25, 0.5, 0.75, 1.0], [0.0, 0.0, 1.0, 1.0], [-0.5, 0.0, 0.0625, 0.5]])
    weights = face_weights(boxes, 16)
    assert weights.shape == (3, 1, 16, 16)
    assert weights.mean((1, 2, 3)).tolist() == pytest.approx([1.0] * 3)
    first = weights[0, 0]
    assert float(first[8:, 4:12].min()) == pytest.approx(FACE * float(first[0, 0]))
    assert float(first[:8].max()) == float(first[8:, :4].max()) == float(first[0, 0])
    assert weights[1].unique().tolist() == pytest.approx([1.0])
    assert (weights[2, 0] > weights[2, 0, 15, 15]).nonzero().tolist() == [[row, 0] for row in range(8)]


def test_a_cell_that_a_face_half_covers_weighs_half_as_much_more():
    weights = face_weights(torch.tensor([[0.0, 0.0, 1.5 / 16, 1.0]]), 16)[0, 0]
    assert float(weights[0, 1] / weights[0, 2]) == pytest.approx(1 + (FACE - 1) / 2)

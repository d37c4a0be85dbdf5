import torch
from torch import nn

from avatar_exp.tiny.muon import WEIGHT_DECAY, Muon, orthogonal, split


def test_an_orthogonal_matrix_keeps_the_directions_and_evens_out_the_sizes():
    generator = torch.Generator().manual_seed(0)
    for shape in ((16, 40), (40, 16), (24, 24)):
        matrix = torch.randn(shape, generator=generator)
        found = orthogonal(matrix).float()
        values = torch.linalg.svdvals(found)
        assert found.shape == shape
        assert values.max() < 1.3
        assert values.median() > 0.6
        u, _, v = torch.linalg.svd(matrix, full_matrices=False)
        exact = u @ v
        assert torch.nn.functional.cosine_similarity(found.flatten(), exact.flatten(), dim=0) > 0.95


def test_a_zero_gradient_stays_zero():
    assert orthogonal(torch.zeros(4, 6)).abs().max() == 0


def test_what_is_not_a_matrix_inside_the_model_gets_the_steps_of_adamw():
    generator = torch.Generator().manual_seed(0)
    start, gradients = torch.randn(5, generator=generator), torch.randn(4, 5, generator=generator)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    muon = Muon([{"params": [ours], "lr": 0.01, "orthogonal": False}])
    adamw = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY)
    for gradient in gradients:
        for parameter, optimizer in ((ours, muon), (theirs, adamw)):
            parameter.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_matrices_and_convolutions_move_as_far_as_under_adamw_whatever_the_gradients_size():
    for shape in ((32, 8, 3, 3), (48, 16)):
        moved = []
        for size in (1e-3, 1e3):
            parameter = nn.Parameter(torch.zeros(shape))
            parameter.grad = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * size
            Muon([{"params": [parameter], "lr": 0.1, "orthogonal": True}]).step()
            moved.append(parameter.detach())
        torch.testing.assert_close(*moved, rtol=0.1, atol=5e-3)  # bf16
        assert 0.01 < moved[0].square().mean().sqrt() < 0.03  # 0.1 * 0.2, the share of AdamW's step that Muon takes


def test_ends_embeddings_norms_and_biases_are_not_orthogonalised():
    model = nn.ModuleDict({
        "conv_in": nn.Conv2d(3, 4, 3), "middle": nn.Conv2d(4, 4, 3), "norm": nn.GroupNorm(2, 4),
        "token_embedding": nn.Embedding(5, 4), "conv_out": nn.Conv2d(4, 3, 3),
    })  # fmt: skip
    inside, rest = split(model)
    assert [id(parameter) for parameter in inside] == [id(model["middle"].weight)]
    assert len(inside) + len(rest) == len(list(model.parameters()))

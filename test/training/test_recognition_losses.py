# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Losses of recognition against their formulas, computed by hand in double precision."""

from __future__ import annotations

import math

from face_depth_ros.training.recognition_losses import (
    ArcFaceHead,
    branch_losses,
    BranchWeights,
    cross_modal_focal_loss,
    LARGEST_FOCUS,
    semantic_alignment_loss,
)
import numpy as np
import pytest
import torch
from torch.nn import functional

PERSON = torch.tensor([0, 2, 1, 2])


def scores(seed: int, spread: float = 1.5) -> torch.Tensor:
    return spread * torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))


def vectors(seed: int) -> torch.Tensor:
    return torch.randn(4, 6, generator=torch.Generator().manual_seed(seed))


def own_probability(logits: torch.Tensor) -> np.ndarray:
    values = logits.double().numpy()
    share = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
    return share[np.arange(4), PERSON.numpy()]


def cosines(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    x, y = a.double().numpy(), b.double().numpy()
    return (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)


def own_logits(head: ArcFaceHead, angles: torch.Tensor, ease: float = 0.0) -> torch.Tensor:
    """Return the logits of person 0 at some angles to class 0, which lies along x."""
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 0.5]]))
        features = 7.0 * torch.stack([angles.cos(), angles.sin()], dim=1)
        return head(features, torch.zeros(len(angles), dtype=torch.long), ease)


@pytest.mark.parametrize('ease', [0.0, 0.25, 1.0])
def test_arcface_adds_the_margin_to_the_own_angle(ease: float) -> None:
    head = ArcFaceHead(2, 2, margin=0.5, scale=64.0)
    angles = torch.linspace(0.01, math.pi - 0.51, 40)
    logits = own_logits(head, angles, ease)
    torch.testing.assert_close(logits[:, 0], 64.0 * torch.cos(angles + 0.5 * (1 - ease)),
                               atol=0.01, rtol=0)
    torch.testing.assert_close(logits[:, 1], 64.0 * angles.sin(), atol=1e-4, rtol=0)


def test_arcface_falls_all_the_way_to_the_opposite() -> None:
    """Beyond pi - margin the cosine of the sum would rise again."""
    head = ArcFaceHead(2, 2, margin=0.5)
    logits = own_logits(head, torch.linspace(0.0, math.pi, 400))[:, 0]
    assert bool(logits.isfinite().all()) and bool((logits.diff() < 0).all())


def test_arcface_without_its_margin_is_a_cosine_softmax() -> None:
    torch.manual_seed(0)
    head = ArcFaceHead(6, 3, margin=0.5, scale=10.0)
    features = vectors(0)
    plain = 10.0 * functional.normalize(features) @ functional.normalize(head.weight).T
    torch.testing.assert_close(head(features, PERSON, 1.0), plain, atol=1e-4, rtol=0)
    hard = head(features, PERSON)
    own = functional.one_hot(PERSON, 3).bool()
    torch.testing.assert_close(hard[~own], plain[~own])
    assert bool((hard[own] < plain[own]).all())


def test_arcface_has_finite_gradients_where_vectors_agree_or_oppose() -> None:
    head = ArcFaceHead(2, 2)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
    features = torch.tensor([[2.0, 0.0], [-2.0, 0.0]], requires_grad=True)
    functional.cross_entropy(head(features, torch.tensor([0, 0])), torch.tensor([0, 0])).backward()
    assert features.grad is not None and bool(features.grad.isfinite().all())
    assert head.weight.grad is not None and bool(head.weight.grad.isfinite().all())


def test_arcface_stays_exact_under_autocast() -> None:
    torch.manual_seed(0)
    head = ArcFaceHead(6, 3)
    with torch.autocast('cpu', torch.bfloat16):
        rough = head(vectors(0), PERSON)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, head(vectors(0), PERSON))


def test_the_focal_loss_is_equations_8_and_9() -> None:
    logits_m, logits_n = scores(1), scores(2)
    m, n = own_probability(logits_m), own_probability(logits_n)
    weight = n * 2 * m * n / (m + n)
    for alpha, gamma in ((1.0, 3.0), (0.5, 2.0)):
        wanted = (-alpha * (1 - weight) ** gamma * np.log(m)).mean()
        weights = BranchWeights(alpha=alpha, gamma=gamma)
        assert cross_modal_focal_loss(logits_m, logits_n, PERSON, weights).item() == (
            pytest.approx(wanted, rel=1e-5))


def test_the_focal_loss_trusts_where_both_are_sure() -> None:
    sure = 20.0 * functional.one_hot(PERSON, 3).float()
    unsure = torch.zeros(4, 3)
    assert cross_modal_focal_loss(sure, sure, PERSON).item() == pytest.approx(0.0, abs=1e-6)
    wrong = 200.0 * functional.one_hot((PERSON + 1) % 3, 3).float()
    worst = cross_modal_focal_loss(wrong, wrong, PERSON)
    assert worst.item() == pytest.approx(200.0, rel=1e-4)
    assert cross_modal_focal_loss(unsure, sure, PERSON) < cross_modal_focal_loss(
        unsure, unsure, PERSON)


@pytest.mark.parametrize(('loss_m', 'loss_n', 'beta'), [
    (1.2, 0.9, 2.0), (0.5, 0.1, 1.0), (0.9, 1.2, 2.0), (1.0, 1.0, 2.0)])
def test_alignment_is_equations_10_and_11(loss_m: float, loss_n: float, beta: float) -> None:
    """The stronger branch is not drawn towards the weaker one: rho is 0 there."""
    f_m, f_n = vectors(3), vectors(4)
    rho = math.exp(beta * (loss_m - loss_n)) - 1 if loss_m > loss_n else 0.0
    wanted = rho * (1 - cosines(f_m, f_n)).mean()
    found = semantic_alignment_loss(f_m, f_n, torch.tensor(loss_m), torch.tensor(loss_n), beta)
    assert found.item() == pytest.approx(wanted, rel=1e-5, abs=1e-9)


def test_the_focus_is_bounded() -> None:
    f = vectors(3)
    found = semantic_alignment_loss(f, -f, torch.tensor(60.0), torch.tensor(0.0))
    assert found.item() == pytest.approx(2.0 * LARGEST_FOCUS)


def test_the_total_is_equation_12() -> None:
    logits_m, logits_n, f_m, f_n = scores(1), scores(2), vectors(3), vectors(4)
    for a, b, fa, fb in ((logits_m, logits_n, f_m, f_n), (logits_n, logits_m, f_n, f_m)):
        m, n = own_probability(a), own_probability(b)
        loss_m, loss_n = -np.log(m).mean(), -np.log(n).mean()
        focal = (-(1 - n * 2 * m * n / (m + n)) ** 3 * np.log(m)).mean()
        rho = max(math.exp(2.0 * (loss_m - loss_n)) - 1, 0.0)
        wanted = 0.5 * loss_m + 0.5 * focal + 0.05 * rho * (1 - cosines(fa, fb)).mean()
        assert branch_losses(a, b, fa, fb, PERSON).item() == pytest.approx(wanted, rel=1e-5)
        more = branch_losses(a, b, fa, fb, PERSON, BranchWeights(focal=0.2, alignment=1.0))
        assert more.item() == pytest.approx(
            0.8 * loss_m + 0.2 * focal + rho * (1 - cosines(fa, fb)).mean(), rel=1e-5)


def test_a_branchs_loss_moves_that_branch_alone() -> None:
    """Branch m is the weaker one, so that alignment acts."""
    parts = [t.requires_grad_() for t in (0.1 * scores(1), 4.0 * functional.one_hot(
        PERSON, 3).float(), vectors(3), vectors(4))]
    logits_m, logits_n, f_m, f_n = parts
    branch_losses(*parts, PERSON).backward()
    assert logits_m.grad is not None and float(logits_m.grad.abs().sum()) > 0
    assert f_m.grad is not None and float(f_m.grad.abs().sum()) > 0
    assert logits_n.grad is None and f_n.grad is None


def test_the_defaults_are_the_papers() -> None:
    assert BranchWeights() == BranchWeights(focal=0.5, alignment=0.05, alpha=1.0, gamma=3.0,
                                            beta=2.0)

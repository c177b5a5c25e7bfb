# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What the depth baselines differ in: network, size, losses, discriminators.

Every generator takes an image in [-1, 1] and returns its images by name; `depth` is among them,
the grey depth image in [-1, 1], -1 where there is no face. Choices that the papers leave open:

- cGAN: "real" is label 1, as in equations 1 and 5; the text of section 3.1.1 has it the other way
  round. Lambda is 100, pix2pix's weight, which the method follows: the squared error of images in
  [-1, 1] then weighs about as much as the adversarial term once the face's outline is learnt, and
  more before that. It is a mean over the pixels too (equation 3 leaves open whether it is a sum).
- DepthNet: the absolute errors and the cross entropy are means over pixels and channels; the
  discriminators' loss is the sum of equation 5.
- pix2pix: as in its paper the discriminator's loss is halved.
- Cui's FCN, and AE as in the cGAN's paper: mean squared error alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.networks import cgan, cui_fcn, depthnet, pix2pix
import torch
from torch import nn
from torch.nn import functional

Images = dict[str, torch.Tensor]
DEPTH_WEIGHT, MASK_WEIGHT = 100.0, 100.0
"""DepthNet's lambda 1 and 2; its lambda 3, of the adversarial terms, is 1."""
MSE_WEIGHT = 100.0
L1_WEIGHT = 100.0


@dataclass(frozen=True)
class Baseline:
    """
    One network and how it is trained.

    :param size: side of its images
    :param channels: 3 = RGB, 1 = grey
    :param build: generator of a given width; those whose layout is fixed ignore it
    :param judges: discriminators of a given width, by the name of what they judge; may be none
    :param supervised: loss of the generator's images against the true ones
    :param score_loss: loss of discriminators' scores against the one label they should have
    :param judges_weight: of the discriminators' loss
    :param conditioned: whether discriminators see the input too
    """

    size: int
    channels: int
    build: Callable[[int], nn.Module]
    supervised: Callable[[Images, Images], torch.Tensor]
    judges: Callable[[int], dict[str, nn.Module]] = lambda width: {}
    score_loss: Callable[[torch.Tensor, float], torch.Tensor] = lambda scores, label: scores.sum()
    judges_weight: float = 1.0
    conditioned: bool = False


class Judges(nn.Module):
    """The discriminators of a baseline."""

    def __init__(self, judges: dict[str, nn.Module], conditioned: bool) -> None:
        super().__init__()
        self.judges = nn.ModuleDict(judges)
        self.conditioned = conditioned

    def forward(self, image: torch.Tensor, judged: Images) -> Images:
        """
        Judge.

        :param image: the generator's input
        :param judged: images by name, masks as probabilities
        :returns: scores by name
        """
        return {name: judge(torch.cat([image, judged[name]], dim=1) if self.conditioned
                            else judged[name]) for name, judge in self.judges.items()}


def true_images(image: torch.Tensor, grey_depth: torch.Tensor, mask: torch.Tensor) -> Images:
    """
    Return what the generator should give.

    :param image: (B, C, S, S) in [-1, 1]
    :param grey_depth: (B, 1, S, S), 0 to 255
    :param mask: (B, S, S) classes
    """
    classes = functional.one_hot(mask.long(), len(MASK_LABELS)).permute(0, 3, 1, 2)  # (B, 7, S, S)
    return {'rgb': image, 'depth': grey_depth / 127.5 - 1.0, 'mask': classes.float()}


def as_judged(images: Images) -> Images:
    """Return a generator's images as discriminators see them: masks as probabilities."""
    return {name: image.sigmoid() if name == 'mask' else image for name, image in images.items()}


def squared_error(images: Images, truth: Images) -> torch.Tensor:
    """Return the mean squared error of the depth."""
    return functional.mse_loss(images['depth'], truth['depth'])


def _cgan_loss(images: Images, truth: Images) -> torch.Tensor:
    return MSE_WEIGHT * squared_error(images, truth)


def _pix2pix_loss(images: Images, truth: Images) -> torch.Tensor:
    return L1_WEIGHT * functional.l1_loss(images['depth'], truth['depth'])


def _depthnet_loss(images: Images, truth: Images) -> torch.Tensor:
    """Equation 7 without its adversarial terms."""
    loss = (functional.l1_loss(images['rgb'], truth['rgb'])
            + DEPTH_WEIGHT * functional.l1_loss(images['depth'], truth['depth']))
    if 'mask' in images:
        loss = loss + MASK_WEIGHT * functional.binary_cross_entropy_with_logits(
            images['mask'], truth['mask'])
    return loss


def cross_entropy(scores: torch.Tensor, label: float) -> torch.Tensor:
    """Return the binary cross entropy of logits."""
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


def least_squares(scores: torch.Tensor, label: float) -> torch.Tensor:
    """Return the mean squared distance of scores."""
    return ((scores - label) ** 2).mean()


def _depthnet(mask: bool) -> Baseline:
    return Baseline(
        depthnet.SIZE, 3,
        lambda width: depthnet.build_depthnet(depthnet.DepthNetConfig(width, mask=mask)),
        _depthnet_loss,
        lambda width: depthnet.build_depthnet_discriminators(
            depthnet.DepthNetConfig(width, mask=mask)),
        least_squares)


BASELINES = {
    'depthnet': _depthnet(True),
    'depthnet_no_mask': _depthnet(False),
    'cgan': Baseline(
        cgan.SIZE, 1, lambda width: cgan.build_cgan(), _cgan_loss,
        lambda width: {'depth': cgan.build_cgan_discriminator(cgan.CganConfig())}, cross_entropy),
    'cgan_ae': Baseline(cgan.SIZE, 1, lambda width: cgan.build_cgan(), squared_error),
    'pix2pix': Baseline(
        pix2pix.SIZE, 3, lambda width: pix2pix.build_pix2pix(pix2pix.Pix2PixConfig(width)),
        _pix2pix_loss,
        lambda width: {'depth': pix2pix.build_pix2pix_discriminator(
            pix2pix.Pix2PixConfig(width))},
        cross_entropy, judges_weight=0.5, conditioned=True),
    'cui_fcn': Baseline(cui_fcn.SIZE, 3, lambda width: cui_fcn.build_cui_fcn(), squared_error),
}


def generator_loss(baseline: Baseline, images: Images, truth: Images, scores: Images,
                   ) -> torch.Tensor:
    """
    Return what the generator minimises.

    :param scores: of its images; none without discriminators
    """
    loss = baseline.supervised(images, truth)
    for score in scores.values():
        loss = loss + baseline.score_loss(score, 1.0)
    return loss


def judges_loss(baseline: Baseline, of_truth: Images, of_images: Images) -> torch.Tensor:
    """Return what the discriminators minimise, from their scores of true and generated images."""
    losses = [baseline.score_loss(of_truth[name], 1.0) + baseline.score_loss(score, 0.0)
              for name, score in of_images.items()]
    return baseline.judges_weight * torch.stack(losses).sum()

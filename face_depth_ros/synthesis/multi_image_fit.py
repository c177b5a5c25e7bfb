# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Fit the morphable head to landmarks (and relief) of several images of one person, many at once.

One identity, and for each image an expression and a pose. Two closed steps take turns: poses by
Gauss-Newton with the shape held; then identity and all expressions together by ridge regression
with the poses held. The second is linear, for an image point x of a head point q (turned, from
the head point, z away from the camera) lies at x = t + s q_xy / (1 + k q_z), so that
(1 + k q_z)(x - t) = s q_xy. Expressions are solved for apart from the identity by their Schur
complement, so that many images of a person cost little, then held within [0, 1].

A crop hardly tells the distance, so k has a prior. Nor does it tell the size of a head: s in
crops of a face box varies around its mean by what the box varies, which the prior of the identity
bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_photo import BOX_SIDE_M, LANDMARK_COUNT
from face_depth_ros.synthesis.morphable_head import HEAD_POINT_CM, MorphableHead
import torch

BOX_SIDE_CM = 100.0 * BOX_SIDE_M
_USUAL_DISTANCE_CM = 85.0
_DISTANCE_SIGMA = 0.5
"""Of the logarithm of the distance."""
_POSE_STEPS = 4
_FORMS = {'landmarks': '(P, K, 68, 2)', 'weights': '(P, K, 68)', 'relief': '(P, K, 68)'}


@dataclass(frozen=True)
class FitSettings:
    """
    How to fit.

    :param identity_modes: the first so many; the rest stay 0
    :param expressions: whether faces may have one
    :param landmark_sigma: how far a landmark is off, in sides of the crop
    :param relief_sigma_cm: how far the relief at a landmark is off
    :param identity_sigma, expression_sigma: prior of the coefficients, around 0
    :param scale_sigma: of the logarithm of the size of the box around its 22 cm
    :param rounds: of pose and shape in turn
    """

    identity_modes: int = 100
    expressions: bool = True
    landmark_sigma: float = 0.008
    relief_sigma_cm: float = 0.6
    identity_sigma: float = 0.9
    expression_sigma: float = 0.25
    scale_sigma: float = 0.07
    rounds: int = 12

    def __post_init__(self) -> None:
        wrong = [f'{name} is {getattr(self, name)}, expected > 0' for name in (
            'identity_modes', 'landmark_sigma', 'relief_sigma_cm', 'identity_sigma',
            'expression_sigma', 'scale_sigma', 'rounds') if not getattr(self, name) > 0]
        if wrong:
            raise SettingsError('fit: ' + '; '.join(wrong))


@dataclass(frozen=True)
class CropPoses:
    """
    Where heads stand in crops; P people, K images of each.

    :param rotation: (P, K, 3, 3), from the head frame to the optical frame
    :param shift: (P, K, 2), the head point, in sides of the crop from its corner
    :param scale: (P, K), sides of the crop in a centimetre at the head point's depth
    :param nearness: (P, K), one over the distance of the head point, 1 / cm
    """

    rotation: torch.Tensor
    shift: torch.Tensor
    scale: torch.Tensor
    nearness: torch.Tensor

    def turned(self, points_cm: torch.Tensor) -> torch.Tensor:
        """
        Return points of the head frame from the head point, in the camera's axes, cm.

        :param points_cm: (P, K, N, 3)
        """
        centred = points_cm - points_cm.new_tensor(HEAD_POINT_CM)
        return centred @ self.rotation.transpose(-1, -2)

    def project(self, points_cm: torch.Tensor) -> torch.Tensor:
        """
        Return where points of the head lie, in sides of the crop from its corner.

        :param points_cm: (P, K, N, 3)
        :returns: (P, K, N, 2)
        """
        seen = self.turned(points_cm)
        divisor = 1.0 + self.nearness[..., None, None] * seen[..., 2:]
        return self.scale[..., None, None] * seen[..., :2] / divisor + self.shift[..., None, :]


@dataclass(frozen=True)
class Fit:
    """
    What fits.

    :param identity: (P, 100); expression: (P, K, 57) in [0, 1]
    :param error: (P, K), root mean square distance of the weighed landmarks, sides of the crop;
        NaN where an image has none
    """

    identity: torch.Tensor
    expression: torch.Tensor
    poses: CropPoses
    error: torch.Tensor


class MorphableFitter:
    """
    Fits one head model.

    :param head: of any device; the fit runs there, in double precision
    """

    def __init__(self, head: MorphableHead, settings: FitSettings | None = None) -> None:
        self.settings = settings or FitSettings()
        self.head = head
        identity, expression = head.identity_modes, len(head.expression_names)
        if self.settings.identity_modes > identity:
            raise SettingsError(f'fit: identity_modes is {self.settings.identity_modes}, the head '
                                f'has {identity}')
        rows = torch.as_tensor(head.landmark_vertices, device=head.device)
        unit = torch.eye(identity + expression, device=head.device)
        neutral = torch.as_tensor(head.neutral_cm, device=head.device)[rows]
        moved = head.vertices(unit[:, :identity], unit[:, identity:])[:, rows] - neutral
        self.mean = neutral.double()  # (68, 3)
        self.identity_modes = moved[:self.settings.identity_modes].double()  # (M, 68, 3)
        self.expression_modes = moved[identity:].double()  # (E, 68, 3)

    def fit(self, landmarks: torch.Tensor, weights: torch.Tensor,
            relief: torch.Tensor | None = None) -> Fit:
        """
        Fit P people, each to K images.

        :param landmarks: (P, K, 68, 2), in sides of the crop from its corner
        :param weights: (P, K, 68), 0 to 1, how much to trust each point; 0 for images not there
        :param relief: (P, K, 68) cm behind any plane of the image's own, along the camera's axis,
            at the landmarks; NaN where unknown
        :raises SettingsError: the shapes do not fit each other
        """
        landmarks, weights, relief = self._checked(landmarks, weights, relief)
        people, images = weights.shape[:2]
        identity = landmarks.new_zeros(people, len(self.identity_modes))
        expression = landmarks.new_zeros(people, images, len(self.expression_modes))
        poses = first_poses(self.mean, landmarks, weights)
        for _ in range(self.settings.rounds):
            points = self._points(identity, expression)
            for _ in range(_POSE_STEPS):
                poses = self._better_poses(poses, points, landmarks, weights)
            identity, expression = self._better_shapes(poses, expression, landmarks, weights,
                                                       relief)
        points = self._points(identity, expression)
        squared = (poses.project(points) - landmarks).square().sum(dim=-1)
        error = ((squared * weights).sum(dim=-1) / weights.sum(dim=-1)).sqrt()
        whole = identity.new_zeros(people, self.head.identity_modes)
        whole[:, :identity.shape[1]] = identity
        return Fit(whole.float(), expression.float(), CropPoses(
            poses.rotation.float(), poses.shift.float(), poses.scale.float(),
            poses.nearness.float()), error.float())

    def _checked(self, landmarks: torch.Tensor, weights: torch.Tensor,
                 relief: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        leading = tuple(landmarks.shape[:2])
        told = {'landmarks': landmarks, 'weights': weights, 'relief': relief}
        wanted = {'landmarks': (*leading, LANDMARK_COUNT, 2),
                  'weights': (*leading, LANDMARK_COUNT), 'relief': (*leading, LANDMARK_COUNT)}
        for name, value in told.items():
            if value is not None and tuple(value.shape) != wanted[name]:
                raise SettingsError(f'fit: {name} has shape {tuple(value.shape)}, expected '
                                    f'{_FORMS[name]}, the same P and K in all')
        trusted = weights.double() * landmarks.isfinite().all(dim=-1)
        points = torch.where(landmarks.isfinite(), landmarks, 0.5).double()
        if relief is None:
            relief = torch.full_like(trusted, torch.nan)
        return points, trusted, relief.double()

    def _points(self, identity: torch.Tensor, expression: torch.Tensor) -> torch.Tensor:
        """Return the landmarks of heads, (P, K, 68, 3) cm."""
        neutral = self.mean + torch.einsum('pm,mld->pld', identity, self.identity_modes)
        return neutral[:, None] + torch.einsum('pke,eld->pkld', expression, self.expression_modes)

    def _better_poses(self, poses: CropPoses, points: torch.Tensor, landmarks: torch.Tensor,
                      weights: torch.Tensor) -> CropPoses:
        """Take a Gauss-Newton step: turn, shift, size and distance of each image."""
        s = self.settings
        seen = poses.turned(points)
        k, scale = poses.nearness[..., None], poses.scale[..., None]
        divisor = 1.0 + k * seen[..., 2]
        flat = scale[..., None] * seen[..., :2] / divisor[..., None]  # (P, K, 68, 2)
        columns = []
        for axis in torch.eye(3, dtype=seen.dtype, device=seen.device):
            turned = torch.linalg.cross(axis.expand_as(seen), seen)
            columns.append((scale[..., None] * turned[..., :2]
                            - flat * (k * turned[..., 2])[..., None]) / divisor[..., None])
        ones = torch.ones_like(flat[..., 0])
        columns += [torch.stack([ones, 0.0 * ones], -1), torch.stack([0.0 * ones, ones], -1),
                    flat, -flat * (k * seen[..., 2] / divisor)[..., None]]
        jacobian = torch.stack(columns, dim=-1).flatten(2, 3)  # (P, K, 136, 7)
        weight = (weights / s.landmark_sigma ** 2)[..., None].expand_as(flat).flatten(2, 3)
        left = (landmarks - flat - poses.shift[..., None, :]).flatten(2, 3)
        normal = jacobian.transpose(-1, -2) @ (weight[..., None] * jacobian)
        right = (jacobian * (weight * left)[..., None]).sum(dim=-2)  # (P, K, 7)
        priors = ((5, math.log(1.0 / BOX_SIDE_CM) - poses.scale.log(), s.scale_sigma),
                  (6, math.log(1.0 / _USUAL_DISTANCE_CM) - poses.nearness.log(), _DISTANCE_SIGMA))
        for index, away, sigma in priors:
            normal[..., index, index] += 1.0 / sigma ** 2
            right[..., index] += away / sigma ** 2
        damping = 1e-6 * torch.eye(7, dtype=normal.dtype, device=normal.device)
        step = torch.linalg.solve(normal + damping, right)
        turn = torch.linalg.matrix_exp(_cross_matrix(step[..., :3].clamp(-0.5, 0.5)))
        return CropPoses(turn @ poses.rotation, poses.shift + step[..., 3:5],
                         poses.scale * step[..., 5].clamp(-0.3, 0.3).exp(),
                         poses.nearness * step[..., 6].clamp(-0.5, 0.5).exp())

    def _better_shapes(self, poses: CropPoses, before: torch.Tensor, landmarks: torch.Tensor,
                       weights: torch.Tensor, relief: torch.Tensor,
                       ) -> tuple[torch.Tensor, torch.Tensor]:
        """Solve for identity and expressions; then for the identity with these in their range."""
        rows, wanted, weight = self._equations(poses, landmarks, weights, relief)
        count = len(self.identity_modes)
        own, others = rows[..., :count], rows[..., count:]
        prior = torch.eye(count, dtype=own.dtype, device=own.device) / (
            self.settings.identity_sigma ** 2)
        weighed = own * weight[..., None]
        normal = prior + torch.einsum('pkrm,pkrn->pmn', weighed, own)
        expression = before
        if self.settings.expressions:
            right = torch.einsum('pkrm,pkr->pm', weighed, wanted)
            spread = torch.eye(others.shape[-1], dtype=own.dtype, device=own.device) / (
                self.settings.expression_sigma ** 2)
            inner = spread + others.transpose(-1, -2) @ (weight[..., None] * others)
            mixed = weighed.transpose(-1, -2) @ others  # (P, K, M, E)
            told = (others * (weight * wanted)[..., None]).sum(dim=-2)  # (P, K, E)
            solved = torch.linalg.solve(inner, mixed.transpose(-1, -2))  # (P, K, E, M)
            alone = torch.linalg.solve(inner, told)
            reduced = normal - (mixed @ solved).sum(dim=1)
            identity = torch.linalg.solve(
                reduced, right - (mixed @ alone[..., None])[..., 0].sum(dim=1))
            expression = (alone - (solved @ identity[:, None, :, None])[..., 0]).clamp(0.0, 1.0)
        left = wanted - (others @ expression[..., None])[..., 0]
        return torch.linalg.solve(normal, torch.einsum('pkrm,pkr->pm', weighed, left)), expression

    def _equations(self, poses: CropPoses, landmarks: torch.Tensor, weights: torch.Tensor,
                   relief: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """
        Return what the coefficients have to fulfil: rows @ coefficients = wanted.

        :returns: rows (P, K, 204, M + E), wanted and weight (P, K, 204): x, y, relief of each
        """
        s = self.settings
        modes = torch.cat([self.identity_modes, self.expression_modes])
        turned = torch.einsum('pkij,mlj->pklim', poses.rotation, modes)  # (P, K, 68, 3, M + E)
        seen = poses.turned(self.mean.expand(*weights.shape[:2], -1, -1))
        centred = landmarks - poses.shift[..., None, :]
        k, scale = poses.nearness[..., None], poses.scale[..., None]
        rows = [scale[..., None] * turned[..., axis, :]
                - (k * centred[..., axis])[..., None] * turned[..., 2, :] for axis in (0, 1)]
        wanted = [centred[..., axis] * (1.0 + k * seen[..., 2]) - scale * seen[..., axis]
                  for axis in (0, 1)]
        known = relief.isfinite() & (weights > 0)
        share = known / known.sum(dim=-1, keepdim=True).clamp_min(1)
        deep = torch.where(known, relief, 0.0) - seen[..., 2]
        # The plane that relief stands on is unknown: only differences to the mean count.
        rows.append(turned[..., 2, :] - (share[..., None] * turned[..., 2, :]).sum(-2, True))
        wanted.append(deep - (share * deep).sum(dim=-1, keepdim=True))
        weight = [weights / s.landmark_sigma ** 2] * 2 + [
            weights * known / s.relief_sigma_cm ** 2]
        return torch.cat(rows, dim=2), torch.cat(wanted, dim=2), torch.cat(weight, dim=2)


def first_poses(mean: torch.Tensor, landmarks: torch.Tensor, weights: torch.Tensor) -> CropPoses:
    """
    Return poses to begin with: the mean head without perspective, in closed form.

    :param mean: (68, 3) cm; landmarks: (P, K, 68, 2); weights: (P, K, 68)
    """
    share = (weights + 1e-9) / (weights + 1e-9).sum(dim=-1, keepdim=True)
    points = mean - mean.new_tensor(HEAD_POINT_CM)
    middle = (share[..., None] * points).sum(dim=-2)  # (P, K, 3)
    target = (share[..., None] * landmarks).sum(dim=-2)  # (P, K, 2)
    a = points - middle[..., None, :]
    b = landmarks - target[..., None, :]
    weighed = a * share[..., None]
    small = 1e-6 * torch.eye(3, dtype=a.dtype, device=a.device)
    affine = torch.linalg.solve(weighed.transpose(-1, -2) @ a + small,
                                weighed.transpose(-1, -2) @ b).transpose(-1, -2)  # (P, K, 2, 3)
    u, singular, vt = torch.linalg.svd(affine, full_matrices=False)
    two = u @ vt
    rotation = torch.cat([two, torch.linalg.cross(two[..., :1, :], two[..., 1:, :])], dim=-2)
    scale = singular.mean(dim=-1).clamp(0.5 / BOX_SIDE_CM, 2.0 / BOX_SIDE_CM)
    shift = target - scale[..., None] * (rotation @ middle[..., None])[..., :2, 0]
    return CropPoses(rotation, shift, scale, torch.full_like(scale, 1.0 / _USUAL_DISTANCE_CM))


def _cross_matrix(vector: torch.Tensor) -> torch.Tensor:
    """Return the matrices of the cross products with vectors (..., 3)."""
    x, y, z = vector.unbind(dim=-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))

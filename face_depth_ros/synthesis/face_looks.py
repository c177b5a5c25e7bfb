# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Looks of many people as tensors, and the textures and flat colours of batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from face_depth_ros.synthesis.appearance import Appearance, AppearanceLibrary
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.textures import TextureLevels, to_linear
import numpy as np
import torch
from torch.nn import functional

FACE_TEXELS, HEAD_TEXELS, IRIS_TEXELS = 256, 128, 64
"""Widths of the textures: what an image of 192 pixels for 22 cm can show."""
_GAMMA = 2.2
_PLAIN_SHARE, _PLAIN_BROW = 0.75, 0.35
_DARK_BROW, _DARK_SCALP = 0.8, 0.75


@dataclass(frozen=True)
class LookTable:
    """
    Looks of P people; names have become numbers, -1 = none. Colours are linear light.

    :param skins: (P, 2) int64; blend: (P,); skin_gain: (P, 3)
    :param plain: (P,) bool; plain_rgb: (P, 3)
    :param iris, brow, hair, glasses: (P,) int64
    :param brow_rgb, scalp_rgb, hair_rgb, frame_rgb, cloth_rgb: (P, 3)
    :param scalp_tint, gloss: (P,)
    """

    skins: torch.Tensor
    blend: torch.Tensor
    skin_gain: torch.Tensor
    plain: torch.Tensor
    plain_rgb: torch.Tensor
    iris: torch.Tensor
    brow: torch.Tensor
    hair: torch.Tensor
    glasses: torch.Tensor
    brow_rgb: torch.Tensor
    scalp_rgb: torch.Tensor
    hair_rgb: torch.Tensor
    frame_rgb: torch.Tensor
    cloth_rgb: torch.Tensor
    scalp_tint: torch.Tensor
    gloss: torch.Tensor

    def __len__(self) -> int:
        return len(self.blend)

    def take(self, rows: torch.Tensor) -> LookTable:
        """Return the looks of these rows."""
        return LookTable(*(getattr(self, f.name)[rows] for f in fields(self)))

    def wearing(self, other: LookTable, hair: torch.Tensor) -> LookTable:
        """
        Return these people with the glasses and clothes of others, and some with their hair.

        :param hair: (P,) bool, whose hair changes too
        """
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ('glasses', 'frame_rgb', 'cloth_rgb'):
            values[name] = getattr(other, name)
        values['hair'] = torch.where(hair, other.hair, self.hair)
        return LookTable(**values)


class LookTextures:
    """
    Everything that looks choose from, on one device.

    :param library: skins, brows and irises
    """

    def __init__(self, assets: FaceAssets, library: AppearanceLibrary, slot_names: list[str],
                 device: torch.device | str) -> None:
        self.library, self.device = library, torch.device(device)

        def stack(folder: str, names: list[str], width: int, channels: int) -> torch.Tensor:
            kind = 'jpg' if channels == 3 else 'png'
            images = [TextureLevels(assets.image(folder, f'{name}.{kind}', channels=channels)
                                    ).at_width(width) for name in names]
            planes = np.stack([image.reshape(*image.shape[:2], channels).transpose(2, 0, 1)
                               for image in images])
            return self._tensor(planes / 255.0)  # (N, C, h, w)

        self._face = stack('albedo', library.skins, FACE_TEXELS, 3)
        self._head = stack('albedo', [f'{n}_head' for n in library.skins], HEAD_TEXELS, 3)
        self._iris = stack('iris', library.irises, IRIS_TEXELS, 3)
        self._brow = stack('brows', library.brows, FACE_TEXELS, 1)
        self._scalp_face = stack('albedo', ['scalp_mask'], FACE_TEXELS, 1)[0]
        self._scalp_head = stack('albedo', ['scalp_mask_head'], HEAD_TEXELS, 1)[0]
        table = assets.table('albedo', 'flat_colours.json')
        self._flat = self._tensor(np.stack([[
            to_linear(table[skin][slot]) if slot in table[skin] and len(table[skin][slot]) == 3
            else np.zeros(3) for slot in slot_names] for skin in library.skins]))  # (K, slots, 3)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)

    def table(self, looks: Sequence[Appearance]) -> LookTable:
        """Turn looks into tensors."""
        lib = self.library

        def numbers(names: list[str], values: Sequence[str | None]) -> torch.Tensor:
            place = {name: i for i, name in enumerate(names)}
            return torch.tensor([-1 if v is None else place[v] for v in values],
                                device=self.device)

        def colors(values: Sequence[tuple[float, ...]], share: float = 1.0) -> torch.Tensor:
            return self._tensor(to_linear(share * np.array(values, np.float32).reshape(-1, 3)))

        plain = [look.plain_skin for look in looks]
        brow = [p if p is not None else look.hair_rgb for p, look in zip(plain, looks,
                                                                          strict=True)]
        hair = [look.hair_rgb for look in looks]
        return LookTable(
            torch.stack([numbers(lib.skins, [look.skins[i] for look in looks])
                         for i in (0, 1)], dim=1),
            self._tensor(np.array([look.blend for look in looks])),
            self._tensor(np.array([look.skin_gain for look in looks])),
            torch.tensor([p is not None for p in plain], device=self.device),
            colors([p or (0.0, 0.0, 0.0) for p in plain]),
            numbers(lib.irises, [look.iris for look in looks]),
            numbers(lib.brows, [look.brow for look in looks]),
            numbers(lib.hair, [look.hair for look in looks]),
            numbers(lib.glasses, [look.glasses for look in looks]),
            colors(brow, _DARK_BROW), colors(hair, _DARK_SCALP), colors(hair),
            colors([look.frame_rgb for look in looks]),
            colors([look.cloth_rgb for look in looks]),
            self._tensor(np.array([look.scalp_tint for look in looks])),
            self._tensor(np.array([look.gloss for look in looks])))

    def skin(self, looks: LookTable) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """
        Compose the textures of faces and heads.

        :returns: face (B, 3, 256, 256) and head (B, 3, 128, 128), linear; brows' alpha
            (B, 1, 256, 256)
        """
        layers = []
        for skins, scalp in ((self._face, self._scalp_face), (self._head, self._scalp_head)):
            blend = looks.blend[:, None, None, None]
            skin = (skins[looks.skins[:, 0]] * (1 - blend) + skins[looks.skins[:, 1]] * blend)
            skin = skin ** _GAMMA * looks.skin_gain[:, :, None, None]
            if bool(looks.plain.any()):
                mean = skin.mean(dim=1, keepdim=True)
                contrast = mean / mean.mean(dim=(2, 3), keepdim=True)
                plain = looks.plain_rgb[:, :, None, None] * (
                    _PLAIN_SHARE + (1 - _PLAIN_SHARE) * contrast)
                skin = torch.where(looks.plain[:, None, None, None], plain, skin)
            mask = scalp * looks.scalp_tint[:, None, None, None]
            layers.append(skin * (1 - mask) + mask * looks.scalp_rgb[:, :, None, None])
        face, head = layers
        alpha = self.brow_alpha(looks)
        paint = alpha * torch.where(looks.plain, _PLAIN_BROW, 1.0)[:, None, None, None]
        return face * (1 - paint) + paint * looks.brow_rgb[:, :, None, None], head, alpha

    def code(self, looks: LookTable) -> torch.Tensor:
        """
        Say in numbers how people look, so that alike looks have alike numbers.

        Of what people take off, glasses and clothes, it says nothing.

        :returns: (P, L) float32 of about unit size
        """
        def choice(number: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
            return functional.one_hot(number + 1, len(names) + 1).float()

        first, second = (functional.one_hot(looks.skins[:, i], len(self.library.skins)).float()
                         for i in range(2))
        blend = looks.blend[:, None]
        skin = first * (1.0 - blend) + second * blend
        shades = [color.clamp(min=0.0) ** (1 / _GAMMA) for color in (
            looks.plain_rgb, looks.brow_rgb, looks.hair_rgb, looks.scalp_rgb)]
        return torch.cat([
            skin * ~looks.plain[:, None], looks.skin_gain.log() * 5.0,
            looks.plain[:, None].float(), *shades, choice(looks.brow, self.library.brows),
            choice(looks.iris, self.library.irises), choice(looks.hair, self.library.hair),
            looks.scalp_tint[:, None], 10.0 * looks.gloss[:, None]], dim=1)

    def brow_alpha(self, looks: LookTable) -> torch.Tensor:
        """Return where brows are painted, (B, 1, 256, 256)."""
        return self._brow[looks.brow.clamp(min=0)] * (looks.brow >= 0)[:, None, None, None]

    def iris(self, looks: LookTable) -> torch.Tensor:
        """Return the eyeballs' textures, (B, 3, 64, 64) linear; a mannequin's are faint."""
        iris = self._iris[looks.iris] ** _GAMMA
        faint = looks.plain_rgb[:, :, None, None] * (0.8 + 0.2 * iris.mean(1, keepdim=True))
        return torch.where(looks.plain[:, None, None, None], faint, iris)

    def flat(self, looks: LookTable) -> torch.Tensor:
        """Return linear colours of the slots without a texture, (B, slots, 3)."""
        chosen = torch.where(looks.blend > 0.5, looks.skins[:, 1], looks.skins[:, 0])
        return torch.where(looks.plain[:, None, None], looks.plain_rgb[:, None],
                           self._flat[chosen])

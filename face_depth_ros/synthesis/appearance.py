# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What a person looks like besides shape: skin, brows, irises, hair, glasses, clothes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from face_depth_ros.core.errors import AssetsError
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.textures import as_planes, Texture, TextureLevels, to_linear
import numpy as np
import torch

_FLAT_SLOTS = ('teeth', 'gums', 'mouth_socket', 'eye_socket', 'lacrimal', 'eyelash')
_COLOR_FILES = ('albedo/flat_colours.json', 'albedo/scalp_mask.png', 'albedo/scalp_mask_head.png',
                'eyelash_alpha.png')
_HAIR_RGB = ((26, 21, 19), (45, 32, 25), (62, 43, 31), (95, 66, 44), (150, 112, 70),
             (125, 62, 36), (140, 138, 135), (205, 200, 192))
_DARK_CHEEK = 120.0
_HELD_OUT_BLEND = (0.3, 0.7)
_FACE_CM = 29.6
"""Width of the face texture on the head: 1024 texels at 34.6 texels a centimetre."""


@dataclass(frozen=True)
class Appearance:
    """
    Choices of one person's look; names are files of the assets. Colours are sRGB 0 to 255.

    :param skins: two skins, blended by `blend`: 0 = the first alone
    :param skin_gain: (3,) factors on linear light
    :param plain_skin: None, or a colour that replaces skin, irises and lips, as of a mannequin
    :param brow: None = no brows
    :param hair: None = bald, or shaved if scalp_tint > 0
    :param scalp_tint: 0 to 1, how much of the hair's colour the scalp has
    :param gloss: strength of the skin's highlights
    """

    skins: tuple[str, str]
    blend: float
    skin_gain: tuple[float, float, float]
    iris: str
    brow: str | None
    hair: str | None
    hair_rgb: tuple[float, float, float]
    scalp_tint: float
    glasses: str | None
    frame_rgb: tuple[float, float, float]
    cloth_rgb: tuple[float, float, float]
    gloss: float
    plain_skin: tuple[float, float, float] | None = None


def held_out(first: int, second: int) -> bool:
    """Whether the blend of two skins, by their numbers, is kept from training."""
    return first != second and (min(first, second) * 7 + max(first, second) * 3) % 4 == 0


class AppearanceLibrary:
    """
    Skins, brows, irises and flat colours of the assets.

    :raises AssetsError: the folder lacks skins, irises or what belongs to them; all of it is named
    """

    def __init__(self, assets: FaceAssets, device: torch.device) -> None:
        self.device = device
        self.skins, self.brows = assets.skins(), assets.names('brows', 'png')
        self.irises = assets.names('iris', 'jpg')
        self.hair, self.glasses = assets.names('hair', 'npz'), assets.names('glasses', 'npz')
        missing = [] if self.skins else ['albedo/NAME.jpg with albedo/NAME_head.jpg']
        missing += [] if self.irises else ['iris/NAME.jpg']
        missing += [name for name in _COLOR_FILES if not (assets.folder / name).is_file()]
        if missing:
            raise AssetsError(f'{assets.folder} lacks {", ".join(missing)}: colour images need '
                              'skins and irises, depth images do not; get a complete asset folder')
        self._flat = assets.table('albedo', 'flat_colours.json')
        self._skin = {name: (TextureLevels(assets.image('albedo', f'{name}.jpg')),
                             TextureLevels(assets.image('albedo', f'{name}_head.jpg')))
                      for name in self.skins}
        self._brow = {name: TextureLevels(assets.image('brows', f'{name}.png', channels=1))
                      for name in self.brows}
        self._iris = {name: TextureLevels(assets.image('iris', f'{name}.jpg'))
                      for name in self.irises}
        self._scalp = tuple(TextureLevels(assets.image('albedo', f'{name}.png', channels=1))
                            for name in ('scalp_mask', 'scalp_mask_head'))
        self.lash_alpha = TextureLevels(assets.image('eyelash_alpha.png', channels=1))

    def sample(self, generator: np.random.Generator, mannequins: float = 0.0,
               split: str | None = None) -> Appearance:
        """
        Draw a look.

        :param mannequins: share of people with a plain skin and no brow texture
        :param split: None = any skins; 'train' leaves out the blends of which the other splits
            have all their skins
        """
        def pick(names: list[str]) -> str:
            return names[generator.integers(len(names))]

        skins, blend = self._sample_skins(generator, split)
        cheek = np.mean([self._flat[name]['cheek'] for name in skins[:1 + (blend > 0.5)]])
        dark = cheek < _DARK_CHEEK
        gain = generator.uniform(0.75, 1.25) * generator.uniform(0.93, 1.07, 3)
        hair_rgb = np.array(_HAIR_RGB[generator.integers(2 if dark else len(_HAIR_RGB))])
        hair = pick(self.hair) if self.hair and generator.random() < 0.8 else None
        look = Appearance(
            skins=skins, blend=blend, skin_gain=tuple(gain),
            iris='brown' if dark and 'brown' in self.irises else pick(self.irises),
            brow=pick(self.brows) if self.brows else None, hair=hair,
            hair_rgb=tuple(hair_rgb * generator.uniform(0.7, 1.3)),
            scalp_tint=float(generator.uniform(0.6, 0.9)) if hair or generator.random() < 0.4
            else float(generator.uniform(0.0, 0.3)),
            glasses=pick(self.glasses) if self.glasses and generator.random() < 0.25 else None,
            frame_rgb=tuple(generator.uniform(10, 200) * generator.uniform(0.6, 1.2, 3)),
            cloth_rgb=tuple(generator.uniform(15, 235, 3)),
            gloss=float(generator.uniform(0.02, 0.12)))
        if generator.random() >= mannequins:
            return look
        plain = generator.uniform(40, 235) * generator.uniform(0.85, 1.15, 3)
        return replace(look, plain_skin=tuple(np.clip(plain, 10, 245)),
                       gloss=float(generator.uniform(0.05, 0.4)))

    def _sample_skins(self, generator: np.random.Generator, split: str | None,
                      ) -> tuple[tuple[str, str], float]:
        """Return two skins, and how much of the second there is, 0 to 1."""
        first, second = (int(generator.integers(len(self.skins))) for _ in range(2))
        blend = float(generator.random()) if generator.random() < 0.5 else 0.0
        if split == 'train' and held_out(first, second):
            blend = 0.0
        elif split not in (None, 'train'):
            pairs = [(a, b) for a in range(len(self.skins)) for b in range(len(self.skins))
                     if held_out(a, b)]
            if pairs:
                first, second = pairs[generator.integers(len(pairs))]
                blend = float(generator.uniform(*_HELD_OUT_BLEND))
        return (self.skins[first], self.skins[second]), blend

    def flat_colors(self, look: Appearance) -> dict[str, np.ndarray]:
        """Return linear colours of the slots without a texture, (3,) each."""
        flat = self._flat[look.skins[look.blend > 0.5]]
        if look.plain_skin is not None:
            return {slot: to_linear(look.plain_skin) for slot in _FLAT_SLOTS}
        return {slot: to_linear(flat[slot]) for slot in _FLAT_SLOTS}

    def skin_textures(self, look: Appearance, pixels_per_cm: float) -> tuple[Texture, Texture]:
        """
        Compose the face and head textures: blended skins, scalp, brows.

        The overlay of the face texture is the brows' alpha.

        :param pixels_per_cm: of the image to be rendered
        """
        width = _FACE_CM * pixels_per_cm
        face, head = (self._skin_layer(look, part, width / (1 + part)) for part in (0, 1))
        alpha = np.zeros((*face.shape[:2], 1), np.float32)
        if look.brow is not None:
            alpha = self._brow[look.brow].at_width(width)[..., None] / 255.0
            strength = 0.35 if look.plain_skin is not None else 1.0
            face = face * (1 - alpha * strength) + alpha * strength * self._brow_color(look)
        return (Texture(as_planes(face, self.device), overlay=as_planes(alpha, self.device)),
                Texture(as_planes(head, self.device)))

    def iris_texture(self, look: Appearance, pixels_per_cm: float) -> Texture:
        """Return the eyeball's texture; a mannequin's is faint."""
        iris = to_linear(self._iris[look.iris].at_width(5.7 * pixels_per_cm))
        if look.plain_skin is not None:
            plain = to_linear(look.plain_skin)
            iris = plain * (0.8 + 0.2 * iris.mean(axis=2, keepdims=True))
        return Texture(as_planes(iris, self.device))

    def _brow_color(self, look: Appearance) -> np.ndarray:
        source = look.plain_skin if look.plain_skin is not None else look.hair_rgb
        return to_linear(0.8 * np.array(source, np.float32))

    def _skin_layer(self, look: Appearance, part: int, width: float) -> np.ndarray:
        """Skin of the face (part 0) or of the rest of the head (1), (h, w, 3) linear."""
        skin = self._skin[look.skins[0]][part].at_width(width)
        if look.blend > 0:
            other = self._skin[look.skins[1]][part].at_width(width)
            skin = skin * (1 - look.blend) + other * look.blend
        skin = to_linear(skin) * np.array(look.skin_gain, np.float32)
        if look.plain_skin is not None:
            contrast = skin.mean(axis=2, keepdims=True) / skin.mean()
            plain = to_linear(look.plain_skin)
            skin = plain * (0.75 + 0.25 * contrast)
        if look.scalp_tint > 0:
            mask = self._scalp[part].at_width(width)[..., None] / 255.0 * look.scalp_tint
            skin = skin * (1 - mask) + mask * to_linear(0.75 * np.array(look.hair_rgb, np.float32))
        return skin

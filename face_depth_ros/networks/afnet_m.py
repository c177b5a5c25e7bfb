# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
AFNet-M, the adaptive fusion network with masks, and all of its ablations.

Source: Sui et al., "AFNet-M: Adaptive Fusion Network with Masks for 2D+3D Facial Expression
Recognition", Figures 1 to 3, equations 1 to 3. Two ResNet18 branches; mask attention at layers 1
and 2, importance weights and fusion at layers 3 and 4, three fully connected layers.

What the paper leaves open:
- Where attention and fusion act: on the output of the named layer.
- What goes on after a fusion: the fused features take the place of the texture's ("we incorporate
  depth features into texture features"); the depth branch goes on with its own.
- Importance weights: equation 2 writes one shared convolution for both poolings, but the paper's
  sizes (91.54 MB with, 86.53 without) are met by one convolution for each pooling and each
  modality, four at a level.
- Mask attention: the mask is repeated to the C channels of the features ("we first reshape"), then
  two groups of two 1 x 1 convolutions of C channels, a ReLU within a group. Drawn as the paper
  draws them (mean 0, deviation 0.02, bias 0) they begin near 0, so that equation 1 as printed
  begins by scaling away, and beside the mask by blanking, what a branch has learned. So 1 is added
  to gamma; with `gamma_around_one=False` the equation is taken as printed (models/TRAINING.md has
  both).
- The fully connected layers have 256, 128 and 6 outputs, with which the sizes of Table IV with and
  without importance weights are met to the last digit; with fusion at feature level the first
  takes 1024 features, at decision level each branch has its own three and the probabilities are
  averaged.
- Fusion at data level: one branch on images of six channels.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import SettingsError
import torch
from torch import nn
from torch.nn import functional

MODALITIES = ('2D', '3D', '2D+3D')
FUSIONS = ('data', 'decision', 'features', 'layers')
EXPRESSIONS = 6
WIDTHS = (64, 128, 256, 512)
_HIDDEN = (256, 128)
_STD = 0.02
_ATTENDED = 2
"""Mask attention acts at the first so many layers."""


@dataclass(frozen=True)
class AFNetMConfig:
    """
    Which network of the paper it is; as it stands, AFNet-M.

    :param modality: of MODALITIES; one modality alone has nothing to fuse
    :param mask_attention: Table III
    :param importance_weights: equations 2 and 3, else features are added (S4 of Table II)
    :param fusion: of FUSIONS: S1, S2, S3 of Table II, or at convolutional layers
    :param fused: at which layers, 1 to 4, ascending (Figure 5)
    :param gamma_around_one: whether 1 is added to gamma of equation 1
    """

    modality: str = '2D+3D'
    mask_attention: bool = True
    importance_weights: bool = True
    fusion: str = 'layers'
    fused: tuple[int, ...] = (3, 4)
    gamma_around_one: bool = True

    def __post_init__(self) -> None:
        problems = []
        if self.modality not in MODALITIES:
            problems.append(f'modality is {self.modality!r}, expected one of {MODALITIES}')
        if self.fusion not in FUSIONS:
            problems.append(f'fusion is {self.fusion!r}, expected one of {FUSIONS}')
        fused = tuple(sorted(set(self.fused)))
        if not fused or fused != tuple(self.fused) or not set(fused) <= {1, 2, 3, 4}:
            problems.append(f'fused is {self.fused}, expected layers 1 to 4, ascending')
        if problems:
            raise SettingsError('AFNet-M: ' + '; '.join(problems))

    @property
    def fuses_layers(self) -> bool:
        """Whether both branches meet at convolutional layers."""
        return self.modality == '2D+3D' and self.fusion == 'layers'

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the inputs that matter to the network, in their order."""
        shown = {'2D': ('texture',), '3D': ('depth',)}.get(self.modality, ('texture', 'depth'))
        return (*shown, 'mask_1', 'mask_2') if self.mask_attention else shown


ABLATIONS = {
    'afnet_m': AFNetMConfig(),
    'afnet_m_no_mask_attention': AFNetMConfig(mask_attention=False),
    'afnet_m_no_importance_weights': AFNetMConfig(importance_weights=False),
    'afnet_m_2d': AFNetMConfig('2D'),
    'afnet_m_3d': AFNetMConfig('3D'),
    'afnet_m_2d_no_mask': AFNetMConfig('2D', mask_attention=False),
    'afnet_m_3d_no_mask': AFNetMConfig('3D', mask_attention=False),
    'afnet_m_s1': AFNetMConfig(mask_attention=False, fusion='data'),
    'afnet_m_s2': AFNetMConfig(mask_attention=False, fusion='decision'),
    'afnet_m_s3': AFNetMConfig(mask_attention=False, fusion='features'),
    'afnet_m_s4': AFNetMConfig(mask_attention=False, importance_weights=False),
    'afnet_m_equation_1': AFNetMConfig(gamma_around_one=False),
    'afnet_m_layers_4': AFNetMConfig(mask_attention=False, fused=(4,)),
    'afnet_m_layers_234': AFNetMConfig(mask_attention=False, fused=(2, 3, 4)),
    'afnet_m_layers_1234': AFNetMConfig(mask_attention=False, fused=(1, 2, 3, 4)),
}
"""
Table II (S1 to S4, then ours = afnet_m_no_mask_attention), Table III, Figure 5, Table IV. Those of
Table II are without mask attention, as in the paper; so are those of Figure 5, of which it does
not say it. The one with equation 1 as printed is no row of the paper.
"""


class Residual(nn.Module):
    """Two 3 x 3 convolutions around a skip, as in ResNet18."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.skip = nn.Identity() if inputs == outputs and stride == 1 else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, I, H, W) -> (B, O, H / stride, W / stride)."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.skip(x))


class Branch(nn.Module):
    """
    ResNet18 without its classifier.

    :param inputs: channels of the image
    """

    def __init__(self, inputs: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(inputs, WIDTHS[0], 7, 2, 3, bias=False), nn.BatchNorm2d(WIDTHS[0]),
            nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.layers = nn.ModuleList(nn.Sequential(
            Residual(before, width, 1 if index == 0 else 2), Residual(width, width, 1))
            for index, (before, width) in enumerate(zip((WIDTHS[0], *WIDTHS), WIDTHS,
                                                        strict=False)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')


class MaskAttention(nn.Module):
    """
    Equation 1: features scaled and shifted by what is learned from the mask.

    :param width: channels of the features
    :param around_one: whether 1 is added to gamma
    """

    def __init__(self, width: int, around_one: bool = True) -> None:
        super().__init__()
        self.least = 1.0 if around_one else 0.0
        self.gamma, self.beta = (nn.Sequential(
            nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1))
            for _ in range(2))
        _begin(self)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Look where the mask says.

        :param x: (B, C, H, W); mask: (B, 1, H, W), 0 to 1
        """
        repeated = mask.expand(-1, x.shape[1], -1, -1)
        seen: torch.Tensor = (self.least + self.gamma(repeated)) * x + self.beta(repeated)
        return seen


class ImportanceWeights(nn.Module):
    """
    Equation 2: how much each channel of one modality matters.

    :param width: channels of the features
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mean, self.highest = (nn.Conv2d(width, width, 1) for _ in range(2))
        _begin(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C, 1, 1), 0 to 1."""
        mean = functional.adaptive_avg_pool2d(x, 1)
        highest = x.amax(dim=(2, 3), keepdim=True)
        return torch.sigmoid(self.mean(mean) + self.highest(highest))


class AFNetM(nn.Module):
    """One network of the paper; inputs as core.afnet_input makes them."""

    def __init__(self, config: AFNetMConfig | None = None) -> None:
        super().__init__()
        self.config = config or AFNetMConfig()
        c = self.config
        both = c.modality == '2D+3D'
        one = both and c.fusion == 'data'
        self.texture = Branch(6 if one else 3) if c.modality != '3D' else None
        self.depth = Branch() if c.modality == '3D' or (both and not one) else None
        self.branches = [name for name in ('texture', 'depth') if getattr(self, name) is not None]
        if c.mask_attention:
            self.attention = nn.ModuleDict({
                f'{name}_{level + 1}': MaskAttention(WIDTHS[level], c.gamma_around_one)
                for name in self.branches for level in range(_ATTENDED)})
        if c.fuses_layers and c.importance_weights:
            self.importance = nn.ModuleDict({
                f'{name}_{layer}': ImportanceWeights(WIDTHS[layer - 1])
                for name in self.branches for layer in c.fused})
        apart = both and c.fusion == 'decision'
        features = 2 * WIDTHS[-1] if both and c.fusion == 'features' else WIDTHS[-1]
        self.heads = nn.ModuleList(_head(features) for _ in range(2 if apart else 1))

    def forward(self, texture: torch.Tensor, depth: torch.Tensor, mask_1: torch.Tensor,
                mask_2: torch.Tensor) -> torch.Tensor:
        """
        Tell the six basic expressions.

        :param texture, depth: (B, 3, S, S), S a multiple of 16, 224 in the paper
        :param mask_1: (B, 1, S / 4, S / 4), 0 to 1; mask_2: (B, 1, S / 8, S / 8)
        :returns: (B, 6) logits; with fusion of decisions log probabilities
        """
        return self.decide(self.maps(texture, depth, mask_1, mask_2))

    def maps(self, texture: torch.Tensor, depth: torch.Tensor, mask_1: torch.Tensor,
             mask_2: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return each branch's features of layer 4, (B, 512, S / 32, S / 32), by its name."""
        images = {'texture': texture, 'depth': depth}
        if self.config.modality == '2D+3D' and self.config.fusion == 'data':
            images['texture'] = torch.cat([texture, depth], dim=1)
        maps = {name: getattr(self, name).stem(images[name]) for name in self.branches}
        for level, mask in enumerate((mask_1, mask_2, None, None)):
            for name in self.branches:
                maps[name] = getattr(self, name).layers[level](maps[name])
                if self.config.mask_attention and mask is not None:
                    maps[name] = self.attention[f'{name}_{level + 1}'](maps[name], mask)
            if self.config.fuses_layers and level + 1 in self.config.fused:
                maps['texture'] = self.fuse(maps, level + 1)
        return maps

    def fuse(self, maps: dict[str, torch.Tensor], layer: int) -> torch.Tensor:
        """Equation 3; without importance weights, the sum."""
        if not self.config.importance_weights:
            return maps['texture'] + maps['depth']
        weighed = [self.importance[f'{name}_{layer}'](maps[name]) * maps[name]
                   for name in ('texture', 'depth')]
        return weighed[0] + weighed[1]

    def decide(self, maps: dict[str, torch.Tensor]) -> torch.Tensor:
        """Tell the expressions from the last maps."""
        pooled = {name: functional.adaptive_avg_pool2d(x, 1).flatten(1)
                  for name, x in maps.items()}
        answer: torch.Tensor
        if len(self.heads) == 2:
            shares = [head(pooled[name]).softmax(dim=1)
                      for head, name in zip(self.heads, ('texture', 'depth'), strict=True)]
            return ((shares[0] + shares[1]) / 2.0).clamp(min=1e-7).log()
        if self.config.modality == '2D+3D' and self.config.fusion == 'features':
            return self.heads[0](torch.cat([pooled['texture'], pooled['depth']], dim=1))
        answer = self.heads[0](pooled['texture' if 'texture' in pooled else 'depth'])
        return answer


def _head(features: int) -> nn.Sequential:
    """Three fully connected layers."""
    return nn.Sequential(nn.Linear(features, _HIDDEN[0]), nn.ReLU(),
                         nn.Linear(_HIDDEN[0], _HIDDEN[1]), nn.ReLU(),
                         nn.Linear(_HIDDEN[1], EXPRESSIONS))


def _begin(module: nn.Module) -> None:
    """Draw the convolutions of a new module as the paper does."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, 0.0, _STD)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def build_afnet_m(config: AFNetMConfig | None = None) -> AFNetM:
    """Return an untrained network."""
    return AFNetM(config)


def megabytes(network: nn.Module) -> float:
    """Return the size of the parameters as float32, MiB (Table IV)."""
    return sum(p.numel() for p in network.parameters()) * 4 / 2 ** 20

# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""AFNet-M has the paper's sizes and equations; each switch changes what it should."""

from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.networks import afnet_m
from face_depth_ros.networks.afnet_m import (
    ABLATIONS,
    AFNetM,
    AFNetMConfig,
    ImportanceWeights,
    MaskAttention,
    megabytes,
)
import pytest
import torch

S = 64


@pytest.fixture(name='narrow')
def narrow_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afnet_m, 'WIDTHS', (16, 24, 32, 48))


def images(count: int = 2, size: int = S) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, size), (3, size), (1, size // 4), (1, size // 8))
    return [torch.rand(count, c, s, s, generator=generator) for c, s in shapes]


def changed(network: AFNetM, index: int) -> float:
    """Return how far another image at a place of the inputs moves the answer."""
    inputs = images()
    other = [1.0 - image if i == index else image for i, image in enumerate(inputs)]
    with torch.no_grad():
        return float((network(*inputs) - network(*other)).abs().max())


@pytest.mark.parametrize(('name', 'paper'), [
    ('afnet_m', 91.54), ('afnet_m_no_mask_attention', 90.51),
    ('afnet_m_no_importance_weights', 86.53)])
def test_parameters_are_those_of_table_iv(name: str, paper: float) -> None:
    assert megabytes(AFNetM(ABLATIONS[name])) == pytest.approx(paper, rel=0.02)


def test_importance_weights_cost_four_convolutions_a_level_as_the_papers_difference() -> None:
    with_weights, without = (sum(p.numel() for p in AFNetM(ABLATIONS[name]).parameters())
                             for name in ('afnet_m', 'afnet_m_no_importance_weights'))
    assert with_weights - without == 4 * sum(c * c + c for c in (256, 512))
    assert (with_weights - without) * 4 / 2 ** 20 == pytest.approx(91.54 - 86.53, abs=0.011)


@pytest.mark.usefixtures('narrow')
@pytest.mark.parametrize('name', ABLATIONS)
def test_every_network_tells_six_expressions_at_any_side(name: str) -> None:
    network = AFNetM(ABLATIONS[name]).eval()
    with torch.no_grad():
        for size in (64, 112):
            logits = network(*images(2, size))
            assert logits.shape == (2, 6) and bool(logits.isfinite().all())


def test_maps_have_the_papers_sizes() -> None:
    network = AFNetM().eval()
    seen: dict[int, tuple[int, ...]] = {}
    branch = network.texture
    assert branch is not None
    for level, layer in enumerate(branch.layers):
        layer.register_forward_hook(
            lambda _, __, out, key=level: seen.__setitem__(key, tuple(out.shape[1:])))
    with torch.no_grad():
        network(*images(1, 224))
    assert seen == {0: (64, 56, 56), 1: (128, 28, 28), 2: (256, 14, 14), 3: (512, 7, 7)}


def test_equation_1_on_numbers() -> None:
    module = MaskAttention(2, around_one=False)
    for group, (weight, bias) in ((module.gamma, (1.0, 0.5)), (module.beta, (2.0, -1.0))):
        for convolution in (group[0], group[2]):
            torch.nn.init.constant_(convolution.weight, 0.0)
            for c in range(2):
                convolution.weight.data[c, c] = 1.0
        group[2].weight.data *= weight
        torch.nn.init.constant_(group[2].bias, bias)
    mask = torch.tensor([[[[0.0, 1.0]]]])
    x = torch.tensor([[[[3.0, 4.0]], [[5.0, 6.0]]]])
    gamma, beta = mask + 0.5, 2.0 * mask - 1.0
    torch.testing.assert_close(module(x, mask), gamma * x + beta)
    module.least = 1.0
    torch.testing.assert_close(module(x, mask), (1.0 + gamma) * x + beta)


def test_attention_as_printed_begins_by_blanking_around_one_by_keeping() -> None:
    torch.manual_seed(0)
    x, mask = torch.rand(1, 64, 8, 8) + 1.0, torch.ones(1, 1, 8, 8)
    with torch.no_grad():
        printed, kept = (MaskAttention(64, one)(x, mask) for one in (False, True))
        beside = MaskAttention(64, False)(x, 0.0 * mask)
    assert float(printed.abs().mean()) < 0.2 and float((kept - x).abs().mean()) < 0.2
    assert float(beside.abs().max()) == 0.0, 'biases are 0'


def test_new_convolutions_are_drawn_as_the_paper_does() -> None:
    network = AFNetM()
    new = [m for part in (network.attention, network.importance) for m in part.modules()
           if isinstance(m, torch.nn.Conv2d)]
    assert len(new) == 2 * 2 * 4 + 2 * 2 * 2
    for convolution in new:
        assert convolution.kernel_size == (1, 1)
        assert convolution.bias is not None and not convolution.bias.any()
        assert float(convolution.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
        assert abs(float(convolution.weight.detach().mean())) < 0.002


def test_equations_2_and_3_on_numbers() -> None:
    torch.manual_seed(1)
    network = AFNetM(AFNetMConfig(mask_attention=False))
    maps = {name: 3.0 * torch.randn(2, 256, 4, 4) for name in ('texture', 'depth')}
    weights = {}
    for name in maps:
        module = network.importance[f'{name}_3']
        assert isinstance(module, ImportanceWeights)
        x = maps[name]
        mean = x.flatten(2).mean(2) @ module.mean.weight[:, :, 0, 0].T + module.mean.bias
        top = x.flatten(2).amax(2) @ module.highest.weight[:, :, 0, 0].T + module.highest.bias
        weights[name] = torch.sigmoid(mean + top)[:, :, None, None]
        torch.testing.assert_close(module(x), weights[name])
        assert bool(((weights[name] > 0) & (weights[name] < 1)).all())
        assert float(weights[name].detach().std()) > 0.05
    torch.testing.assert_close(
        network.fuse(maps, 3),
        weights['texture'] * maps['texture'] + weights['depth'] * maps['depth'])
    plain = AFNetM(ABLATIONS['afnet_m_s4'])
    torch.testing.assert_close(plain.fuse(maps, 3), maps['texture'] + maps['depth'])


@pytest.mark.usefixtures('narrow')
@pytest.mark.parametrize('name', ABLATIONS)
def test_exactly_the_inputs_that_a_network_names_matter_to_it(name: str) -> None:
    torch.manual_seed(0)
    network = AFNetM(ABLATIONS[name]).eval()
    for index, given in enumerate(('texture', 'depth', 'mask_1', 'mask_2')):
        assert (changed(network, index) > 0.0) == (given in network.config.inputs), given


@pytest.mark.usefixtures('narrow')
def test_gradients_reach_masks_with_attention_alone() -> None:
    for name, reached in (('afnet_m', True), ('afnet_m_no_mask_attention', False)):
        inputs = images()
        for mask in inputs[2:]:
            mask.requires_grad_()
        AFNetM(ABLATIONS[name])(*inputs).square().sum().backward()
        for mask in inputs[2:]:
            assert (mask.grad is not None and bool(mask.grad.abs().sum() > 0)) == reached


@pytest.mark.usefixtures('narrow')
@pytest.mark.parametrize('name', ABLATIONS)
def test_every_parameter_is_trained(name: str) -> None:
    torch.manual_seed(0)
    network = AFNetM(ABLATIONS[name])
    (network(*images(4)) * torch.randn(4, 6)).sum().backward()
    dead = [key for key, p in network.named_parameters() if p.grad is None]
    assert dead == []


@pytest.mark.usefixtures('narrow')
@pytest.mark.parametrize(('name', 'levels'), [
    ('afnet_m', '34'), ('afnet_m_layers_4', '4'), ('afnet_m_layers_234', '234'),
    ('afnet_m_layers_1234', '1234'), ('afnet_m_s3', ''), ('afnet_m_2d', '')])
def test_branches_meet_at_the_named_layers(name: str, levels: str,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    network = AFNetM(ABLATIONS[name]).eval()
    met: list[int] = []
    fuse = network.fuse

    def noted(maps: dict[str, torch.Tensor], layer: int) -> torch.Tensor:
        met.append(layer)
        return fuse(maps, layer)

    monkeypatch.setattr(network, 'fuse', noted)
    with torch.no_grad():
        network(*images())
    assert ''.join(map(str, met)) == levels


@pytest.mark.usefixtures('narrow')
def test_decisions_are_averaged_as_probabilities() -> None:
    torch.manual_seed(0)
    network = AFNetM(ABLATIONS['afnet_m_s2']).eval()
    inputs = images()
    with torch.no_grad():
        both = network(*inputs)
        shares = []
        for name, head, image in zip(('texture', 'depth'), network.heads, inputs[:2],
                                     strict=True):
            branch = getattr(network, name)
            x = branch.stem(image)
            for layer in branch.layers:
                x = layer(x)
            shares.append(head(x.mean(dim=(2, 3))).softmax(1))
    torch.testing.assert_close(both.softmax(1), (shares[0] + shares[1]) / 2)


def test_settings_that_make_no_network_are_refused() -> None:
    for wrong, message in (({'modality': '4D'}, 'modality'), ({'fusion': 'magic'}, 'fusion'),
                           ({'fused': (4, 3)}, 'fused'), ({'fused': ()}, 'fused')):
        with pytest.raises(SettingsError, match=message):
            AFNetMConfig(**wrong)

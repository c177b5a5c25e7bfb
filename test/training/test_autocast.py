# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Where training runs in bfloat16: with instructions for it, and not where it is emulated."""

from __future__ import annotations

from face_depth_ros.training import autocast as module
import pytest
import torch


@pytest.mark.parametrize(('has', 'dtype', 'fabric', 'words'), [
    (True, torch.bfloat16, 'bf16-mixed', 'bf16 autocast'),
    (False, torch.float32, '32-true', 'float32')])
def test_bfloat16_is_used_where_it_is_fast(monkeypatch: pytest.MonkeyPatch, has: bool,
                                           dtype: torch.dtype, fabric: str, words: str) -> None:
    monkeypatch.setattr(module, 'cpu_multiplies_bf16', lambda: has)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    layer = torch.nn.Linear(4, 4)
    with module.autocast('cpu'):
        assert layer(torch.ones(2, 4)).dtype == dtype
    assert module.fabric_precision() == fabric and module.precision_words() == words


@pytest.mark.parametrize(('instructions', 'fast'), [
    ({'avx2': True}, False), ({'avx2': True, 'avx512_bf16': True}, True),
    ({'amx_bf16': True}, True), ({'avx512_bf16': False}, False)])
def test_instructions_are_asked_for(monkeypatch: pytest.MonkeyPatch, instructions: dict[str, bool],
                                    fast: bool) -> None:
    module.cpu_multiplies_bf16.cache_clear()
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: instructions)
    assert module.cpu_multiplies_bf16() is fast
    module.cpu_multiplies_bf16.cache_clear()


@pytest.mark.parametrize(('instructions', 'before', 'after'), [
    ({'avx512_f': True, 'avx512_vnni': False}, None, 'AVX2'),
    ({'avx512_f': True, 'avx512_vnni': False}, 'AVX512_CORE', 'AVX512_CORE'),
    ({'avx512_f': True, 'avx512_vnni': True}, None, None), ({'avx2': True}, None, None)])
def test_faulty_kernels_are_avoided(monkeypatch: pytest.MonkeyPatch, before: str | None,
                                    instructions: dict[str, bool], after: str | None) -> None:
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: instructions)
    monkeypatch.setattr(module.os, 'environ', {} if before is None else {
        'ONEDNN_MAX_CPU_ISA': before})
    module.avoid_faulty_kernels()
    assert module.os.environ.get('ONEDNN_MAX_CPU_ISA') == after

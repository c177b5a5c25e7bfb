# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
bfloat16 where the machine multiplies it, float32 elsewhere.

A processor without instructions for bfloat16 (x86 before AVX-512 BF16) emulates it: a convolution
takes ten times as long as in float32, a training step too.

On processors with AVX-512 but not its VNNI (before Cascade Lake), gradients of the mask-guided
recogniser end torch 2.13 in a segmentation fault within oneDNN, which is therefore held to AVX2
there, unless ONEDNN_MAX_CPU_ISA says what it shall be.
"""

from __future__ import annotations

from functools import lru_cache
import os
from typing import Literal

import torch

_INSTRUCTIONS = ('avx512_bf16', 'amx_bf16', 'bf16')
"""Any of which multiplies bfloat16, as torch.cpu.get_capabilities calls them."""


def autocast(device: torch.device | str) -> torch.autocast:
    """Return a context in which networks run in bfloat16, or in float32 where that is faster."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=kind != 'cpu' or cpu_multiplies_bf16())


def fabric_precision() -> Literal['bf16-mixed', '32-true']:
    """Return the precision in which training is fastest on this machine, as Fabric takes it."""
    fast = torch.cuda.is_available() or cpu_multiplies_bf16()
    return 'bf16-mixed' if fast else '32-true'


def precision_words() -> str:
    """Return `fabric_precision` in the words of a ModelSpec."""
    return 'bf16 autocast' if fabric_precision() == 'bf16-mixed' else 'float32'


@lru_cache(maxsize=1)
def cpu_multiplies_bf16() -> bool:
    """Return whether the processor has instructions for products of bfloat16."""
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, 'get_capabilities') else {}
    return any(bool(known.get(name)) for name in _INSTRUCTIONS)


def avoid_faulty_kernels() -> None:
    """Hold oneDNN to AVX2 where more is faulty; of use before its first product alone."""
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, 'get_capabilities') else {}
    if known.get('avx512_f') and not known.get('avx512_vnni'):
        os.environ.setdefault('ONEDNN_MAX_CPU_ISA', 'AVX2')


# When it is imported, since scripts multiply before they open a run.
avoid_faulty_kernels()

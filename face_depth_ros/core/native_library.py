# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What of core is compiled (core/native), opened by ctypes: other Python threads run meanwhile.

Set-up builds it where there is a compiler. Where there was none nothing is found, and NumPy does
the same, more slowly.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
import logging
from pathlib import Path
import sysconfig

LOG = logging.getLogger(__name__)
FOLDER = Path(__file__).parent


@lru_cache
def native_library(name: str, function: str) -> ctypes.CDLL | None:
    """
    Return a compiled library that has a function, None where it was not built or cannot be loaded.

    :param name: of its source in core/native
    """
    path = FOLDER / f'_{name}{sysconfig.get_config_var("EXT_SUFFIX")}'
    if not path.is_file():
        return None
    try:
        library = ctypes.CDLL(str(path))
        getattr(library, function)
    except (OSError, AttributeError) as error:
        LOG.warning('cannot load %s (%s); NumPy does the same, more slowly; install the package '
                    'again to build it anew', path, error)
        return None
    return library

"""What runs beside somebody's own CosyVoice, in the interpreter that has it: finding, patching, and making requests.

Standard library only, relative imports, and nothing newer than Python 3.9, because that interpreter need not have this
project's packages. torch is the target's own, imported when the target is loaded.
"""

from __future__ import annotations

from .model import load

__all__ = ["load"]

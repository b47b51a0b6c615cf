"""tts-harness: measure what an optimization of a speech-synthesis model is worth, and say how sure it is.

Importing this package loads nothing heavy: torch, pandas and matplotlib are imported by the modules that need them.
"""

__version__ = "0.1.0"

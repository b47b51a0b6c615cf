"""What `cosyvoice-minicpmo` 0.1.0 leaves out, for `model: {supply: seed-code-target.py}` in seed-code.yaml.

That package is CosyVoice as it stood when the document was written that this project began with. It was trimmed for
another product: the engine drops the language model that it is given, and the front end's text normalisers are commented out. Here
both are put in, as the same code once did it. Some of what it imports is not needed for speaking and is stood in for, where
it is not installed; so is `torchaudio.load`, whose codecs may be missing. All of that in the worker's memory alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

NOT_NEEDED = ("modelscope", "lightning", "hydra", "gdown", "wget", "pyworld", "seaborn", "rich", "matplotlib")


class Stub(types.ModuleType):
    """A module of which every name is a class that hands back its first argument, as a decorator that does nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__new__": lambda cls, *given, **_: given[0] if given else object.__new__(cls)})


class Stubs:
    """Finds stubs for packages that are not installed, and for everything below them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = {name for name in names if importlib.util.find_spec(name) is None}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in self.names else None  # type: ignore[arg-type]  # has what importlib calls

    def create_module(self, spec: ModuleSpec) -> Stub:
        return Stub(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def prepare() -> None:
    """Before the target is imported."""
    sys.meta_path.append(Stubs(NOT_NEEDED))
    _read_with_soundfile()
    _replace_removed_class()


def complete(facade: Any) -> None:
    """Once the facade is loaded."""
    if not hasattr(facade.model, "llm"):
        facade.model.llm = _language_model(Path(facade.model_dir), facade.model.device)
    front_end = facade.frontend
    if not hasattr(front_end, "use_ttsfrd") and not hasattr(front_end, "text_frontend"):
        import inflect
        from wetext import Normalizer

        front_end.use_ttsfrd = False
        front_end.zh_tn_model = Normalizer(lang="zh", remove_erhua=False)
        front_end.en_tn_model = Normalizer(lang="en")
        front_end.inflect_parser = inflect.engine()


def _language_model(folder: Path, device: Any) -> Any:
    """The language model as the configuration constructs it, with the weights of `llm.pt`."""
    import torch
    from hyperpyyaml import load_hyperpyyaml

    with (folder / "cosyvoice2.yaml").open(encoding="utf-8") as file:
        parts = load_hyperpyyaml(file, overrides={"qwen_pretrain_path": str(folder / "CosyVoice-BlankEN")})
    model = parts["llm"]
    model.load_state_dict(torch.load(folder / "llm.pt", map_location="cpu", weights_only=True), strict=True)
    return model.to(device).eval()


def _read_with_soundfile() -> None:
    import soundfile
    import torch
    import torchaudio

    def load(path: Any, **_: Any) -> tuple[Any, int]:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        return torch.from_numpy(samples.T.copy()), rate_hz

    torchaudio.load = load


def _replace_removed_class() -> None:
    """Matcha-TTS asks diffusers for a linear layer with adapters, which newer versions lack; without adapters it is a linear layer."""
    import torch

    name = "diffusers.models.lora"
    if importlib.util.find_spec(name) is not None and hasattr(importlib.import_module(name), "LoRACompatibleLinear"):
        return
    module = types.ModuleType(name)
    vars(module)["LoRACompatibleLinear"] = torch.nn.Linear
    sys.modules[name] = module

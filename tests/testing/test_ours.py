"""Our own adapters and toggles hold to the contracts that third parties are given."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.adapters import callable as callable_adapter
from harness.adapters import plain
from harness.adapters.base import Model
from harness.adapters.vits import VitsModel
from harness.models.vits import voice
from harness.optimizations import PLANTED_SITES, SPEECH_SITES, VOICE_SITES, registry
from harness.optimizations.registry import own
from harness.testing import AdapterContract, OptimizationContract
from harness.worker.machine import FakeMachine, Machine
from tests import made_voice
from tests.checkout.test_losses import LOSSES

MINE = '''
def weights(n):
    return [0.5] * n

def ask(text, seed):
    """A function that is about no speech."""
    return {"words": text.upper(), "level": sum(weights(len(text))), "seed": seed}
'''
FOLDERS: list[Path] = []
TOLD: dict[str, dict[str, Any]] = {"batched_cleanup": {"every": "never"}}
"""Parameters of toggles whose default does, in a request of one short sentence, what is done without them."""


@pytest.fixture(scope="module", autouse=True)
def _function(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A user's function, in a file."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "contract_of_mine.py").write_text(MINE)
    FOLDERS.append(folder)


class TestCallable(AdapterContract):
    """A function of the user's."""

    @property
    def options(self) -> dict[str, Any]:  # type: ignore[override]  # the folder is known when the tests run
        return {"target": f"{FOLDERS[-1] / 'contract_of_mine.py'}:ask"}


class TestCallableWithoutNumpy(TestCallable):
    """The same in an interpreter that has the standard library alone."""

    @pytest.fixture(autouse=True)
    def _no_numpy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(callable_adapter, "returned", plain)


class TestCosyVoice2(AdapterContract):
    """Our own model in small."""

    adapter, options, mode, streams, text = "cosyvoice2", {"size": "nano"}, "zero_shot", True, "One."


class TestPlanted(AdapterContract):
    """A call of known cost."""

    adapter, options = "planted", {"units": 2}


class TestFake(AdapterContract):
    """The model on a clock of its own."""

    adapter, streams = "fake", True

    def machine(self) -> Machine:
        return FakeMachine()


def made_model(folder: Path) -> VitsModel:
    """A voice that is made up, whose phonemes are the letters that it knows."""
    return VitsModel(voice.read(made_voice.write(folder), "made"), lambda _: ["abc", "ab"], 24_000)


class TestVits(AdapterContract):
    """A voice by onnxruntime."""

    adapter = "vits"

    def load(self, folder: Path) -> Model:
        return made_model(folder)

    @pytest.mark.skipif(importlib.util.find_spec("gruut") is None, reason="the extra voice is not installed")
    def test_it_has_a_name_and_accepts_its_options(self) -> None:
        super().test_it_has_a_name_and_accepts_its_options()


class _Ours(OptimizationContract):
    """All of our toggles that are about `sites`, one after the other."""

    @pytest.fixture(autouse=True)
    def _toggle(self, name: str) -> None:
        type(self).optimization = name
        type(self).parameters = TOLD.get(name, {})


def of(sites: Any, but: tuple[str, ...] = ()) -> Callable[[type], type]:
    """Run a class for each of our toggles all of whose sites are among `sites`."""
    names = sorted(name for name in own() if set(registry()[name].sites) <= set(sites) and name not in but)
    return pytest.mark.parametrize("name", names, scope="class")


@of(SPEECH_SITES)
class TestSpeechToggles(_Ours):
    """Of a speech pipeline."""

    adapter, options, mode, text = "cosyvoice2", {"size": "nano"}, "zero_shot", "One."


@of(PLANTED_SITES)
class TestPlantedToggles(_Ours):
    """Of a call of known cost."""

    adapter: ClassVar[Any] = "planted"
    options: ClassVar[dict[str, Any]] = {"units": 2}


@of(VOICE_SITES)
class TestVoiceToggles(_Ours):
    """Of a voice by onnxruntime."""

    adapter = "vits"

    def load(self, folder: Path) -> Model:
        return made_model(folder)


def test_every_toggle_of_ours_is_put_to_the_contract() -> None:
    """But for those of code that is not ours, which have what they need in tests/checkout/test_losses.py alone."""
    kinds = (SPEECH_SITES, PLANTED_SITES, VOICE_SITES)
    left = {name for name in own() if not any(set(registry()[name].sites) <= set(kind) for kind in kinds)}
    of_process = {
        name for name in left if registry()[name].isolation == "process"
    }  # tests/optimizations/test_process.py
    assert left == {*LOSSES, *of_process}

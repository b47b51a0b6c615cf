"""The registry: what it refuses, and that every toggle's file is whole."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import UsageError
from harness.optimizations import (
    CHECKOUT_SITES,
    PLANTED_SITES,
    PROCESS_SITES,
    SITES,
    SPEECH_SITES,
    VOICE_SITES,
    BindContext,
    Cache,
    bind,
    held,
    lacking,
    named,
    optimization,
    registry,
)
from harness.optimizations.registry import Check
from harness.optimizations.witness import Witness, calls
from harness.toggling import Isolation, State

SEED_SIX = {
    "cached_cuda_check", "cached_device", "resample_cache", "precompiled_regex", "speaker_preregistration",
    "batched_cleanup",
}  # fmt: skip
CHECKOUT_TOGGLES = {name for name, toggle in registry().items() if set(toggle.sites) <= set(CHECKOUT_SITES)}
PROCESS_TOGGLES = {name for name, toggle in registry().items() if set(toggle.sites) <= set(PROCESS_SITES)}
VOICE_TOGGLES = {"graph_optimization", "io_binding", "session_reuse", "session_threads"}
WITNESS = Witness(unit="collections", probe=lambda: calls("gc:collect"), before="every request", after="none")


def context(tmp_path: Path) -> BindContext:
    return BindContext(
        device="cpu", prompt_rate_hz=16_000, model_rate_hz=24_000, store_dir=tmp_path, model_fingerprint="m"
    )


def test_the_six_of_the_seed_document_and_its_rejected_one_are_there() -> None:
    assert set(registry()) >= SEED_SIX | {"prebuilt_resample"}


def test_the_registry_is_copied_on_read() -> None:
    registry().clear()
    assert registry()


@pytest.mark.parametrize("name", sorted(registry()))
def test_every_toggle_says_what_it_does_and_shows_its_code(name: str) -> None:
    toggle = named(name)
    assert len(toggle.doc) > 80
    assert bool(toggle.seed_section) == (set(toggle.sites) <= set(SPEECH_SITES)), "where does the claim come from?"
    assert toggle.source("before") != toggle.source("after")
    assert "@optimization" not in toggle.source("after")
    assert set(toggle.sites) <= set(SITES)
    for other in toggle.excludes:
        assert name in named(other).excludes


def test_without_toggles_every_site_has_the_code_before(tmp_path: Path) -> None:
    assert set(bind({}, context(tmp_path))) == set(SITES)


def test_a_toggle_changes_its_own_sites_alone(tmp_path: Path) -> None:
    before, after = bind({}, context(tmp_path)), bind({"cached_device": True}, context(tmp_path))
    kind = {site: getattr(item, "__qualname__", type(item).__name__) for site, item in before.items()}
    changed = {site for site, item in after.items() if getattr(item, "__qualname__", type(item).__name__) != kind[site]}
    assert changed == {"frontend.device", "facade.device"}


def test_a_target_with_some_sites_gets_these_alone(tmp_path: Path) -> None:
    everything: dict[str, State] = dict.fromkeys(registry(), True)
    assert set(bind(everything, context(tmp_path), SPEECH_SITES)) == set(SPEECH_SITES)
    assert set(bind(everything, context(tmp_path), PLANTED_SITES)) == set(PLANTED_SITES)
    assert set(bind(everything, context(tmp_path), VOICE_SITES)) == set(VOICE_SITES)
    assert set(bind(everything, context(tmp_path), CHECKOUT_SITES)) == set(CHECKOUT_SITES)


def test_a_toggle_is_refused_with_the_site_that_the_target_lacks() -> None:
    assert lacking(SPEECH_SITES, "cosyvoice2")["planted_work"] == "cosyvoice2 has no planted.work"
    assert set(lacking(SPEECH_SITES, "cosyvoice2")) == {
        "planted_work",
        *VOICE_TOGGLES,
        *CHECKOUT_TOGGLES,
        *PROCESS_TOGGLES,
    }
    assert set(lacking(PLANTED_SITES, "planted")) == set(registry()) - {"planted_work"}
    assert lacking(PLANTED_SITES, "planted")["cached_device"] == "planted has no frontend.device, facade.device"
    assert not lacking(SITES, "one that has everything")


@pytest.mark.parametrize("name", sorted(CHECKOUT_TOGGLES))
def test_a_toggle_of_somebody_elses_code_shows_what_runs_beside_it_and_counts_nothing_here(name: str) -> None:
    shown = named(name).source("after")
    builder = shown.split("\n\n", 1)[0]
    assert len(shown) > 2 * len(builder), "the portable code stands there too"
    with pytest.raises(UsageError, match="by the adapter checkout"):
        named(name).witness.probe()


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean resample_cache"):
        named("resample_cash")


def test_a_second_toggle_of_one_name_is_refused() -> None:
    def cached_device(context: BindContext) -> None:
        """Not the real one."""

    with pytest.raises(ValueError, match="registered already"):
        optimization(title="", sites=(), before=cached_device, witness=WITNESS)(cached_device)


def test_an_unknown_site_is_refused() -> None:
    def new_toggle(context: BindContext) -> None:
        """Has no place."""

    with pytest.raises(ValueError, match=r"no such site: frontend\.resampel"):
        optimization(title="", sites=("frontend.resampel",), before=new_toggle, witness=WITNESS)(new_toggle)


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ({"grade": "tolernce"}, r"new_toggle: no such grade: 'tolernce' \(known: .*\); did you mean tolerance\?"),
        (
            {"grade": "tolerance", "bound": "1e-3"},
            "new_toggle: the bound of a check is a number from 0 on, and not '1e-3'",
        ),
        ({"grade": "spectral", "bound": float("nan")}, "from 0 on, and not nan"),
    ],
)
def test_a_check_that_cannot_be_met_is_refused_before_anything_is_measured(check: dict[str, Any], told: str) -> None:
    def new_toggle(context: BindContext) -> None:
        """Has a check with a typing error."""

    with pytest.raises(ValueError, match=told):
        optimization(title="", sites=("mine.flag",), before=new_toggle, witness=WITNESS, check=Check(**check))(
            new_toggle
        )


def test_an_isolation_that_is_not_measured_is_refused() -> None:
    def new_toggle(context: BindContext) -> None:
        """Switches a flag of the whole process."""

    with pytest.raises(ValueError, match="isolation 'machine' is not measured; known are request, settled, process"):
        optimization(
            title="", sites=("mine.flag",), before=new_toggle, witness=WITNESS, isolation="machine",  # type: ignore[arg-type]
        )(new_toggle)  # fmt: skip


@pytest.mark.parametrize(
    ("sites", "isolation"),
    [(("mine.flag",), "process"), (("process.start",), "request"), (("process.start",), "process")],
)
def test_a_process_is_started_by_toggles_of_ours_alone(sites: tuple[str, ...], isolation: Isolation) -> None:
    def new_toggle(context: BindContext) -> None:
        """Switches a flag of the whole process."""

    with pytest.raises(ValueError, match="for toggles that come with the harness"):
        optimization(title="", sites=sites, before=new_toggle, witness=WITNESS, isolation=isolation)(new_toggle)


def test_toggles_of_one_site_must_share_the_code_before() -> None:
    def new_toggle(context: BindContext) -> None:
        """Another before for a site that has one."""

    with pytest.raises(ValueError, match="must share its code before"):
        optimization(title="", sites=("frontend.resample",), before=new_toggle, witness=WITNESS)(new_toggle)


def test_what_a_cache_holds_is_counted_from_its_own_data(tmp_path: Path) -> None:
    import torch

    states: dict[str, State] = {"resample_cache": True, "speaker_preregistration": True, "cached_device": True}
    sites = bind(states, context(tmp_path), SPEECH_SITES)
    assert held(states, sites) == {"resample_cache": (0, 0), "speaker_preregistration": (0, 0)}
    for rate in (16_000, 16_000, 22_050):
        sites["frontend.resample"](torch.zeros(1, 800), rate, 24_000)
    prompt = SimpleNamespace(id="a", digest="a")
    sites["frontend.speaker"].features(
        prompt, lambda _: {"embedding": torch.zeros(1, 192), "tokens": torch.zeros(5).long()}
    )
    counted = held(states, sites)
    kernels = [kept.kernel for kept in sites["frontend.resample"].kernels.values()]
    assert counted["resample_cache"] == (2, sum(4 * kernel.numel() for kernel in kernels))
    assert counted["speaker_preregistration"] == (1, 192 * 4 + 5 * 8)


def test_a_prebuilt_resampler_is_one_entry_from_the_start(tmp_path: Path) -> None:
    states: dict[str, State] = {"prebuilt_resample": True}
    sites = bind(states, context(tmp_path), SPEECH_SITES)
    assert held(states, sites) == {"prebuilt_resample": (1, 4 * sites["frontend.resample"].kernel.kernel.numel())}


def test_a_toggle_that_is_off_or_no_cache_is_not_counted(tmp_path: Path) -> None:
    states: dict[str, State] = {"resample_cache": False, "batched_cleanup": True}
    assert held(states, bind(states, context(tmp_path), SPEECH_SITES)) == {}


def test_a_cache_is_made_again_of_its_words_and_of_nothing_else() -> None:
    cache = named("speaker_preregistration").cache
    assert cache is not None
    again = Cache.of(cache.told())
    assert again is not None
    assert (again.told(), again.grows) == (cache.told(), True)
    assert Cache.of(None) is None
    assert Cache.of({"misses": "<b>"}) is None

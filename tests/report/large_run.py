"""A large made-up run, for what a page may cost: `python -m tests.report.large_run [--folder DIR]` prints time and size.
`--paint` opens it in Chromium, too.

64 arms, 10,000 requests of each, 10 stages in a request. With a folder the run is saved there, so that `harness report` can
be tried on it; the samples file of the full size takes some minutes to write.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness import report, store
from harness.metrics import METRICS
from harness.results import Arm, ArmRole, Contrast, Control, Equivalence, Plan, Run, Trial, Verdict, WitnessCount

ARMS, REQUESTS, STAGES, WORKERS = 64, 10_000, 10, 8
KINDS = ("zh-3s zero_shot", "zh-10s zero_shot", "zh-30s zero_shot", "en-3s zero_shot stream")
_STAGES = ("frontend", "llm", "flow", "vocoder", "cleanup", "normalise", "tokenize", "sample", "chunk", "join")


def large_run(arms: int = ARMS, requests: int = REQUESTS, stages: int = STAGES) -> Run:
    """A calibrated run of one device; toggles between 20 % faster and 4 % slower, a quarter of them without effect."""
    names = [f"toggle_{number:02d}" for number in range(arms - 2)]
    ratios = {name: _ratio(number) for number, name in enumerate(names)} | {"all": 0.62}
    off = dict.fromkeys(names, False)
    planned = (
        Arm(name="none", role="none", states=off),
        *(_arm(name, "toggle", off | {name: True}) for name in names),
        Arm(name="all", role="all", states=dict.fromkeys(names, True)),
    )
    return Run(
        id="large", complete=True,
        scenario={"name": "large", "model": {"adapter": "fake", "size": "nano"}, "design": "one_at_a_time"},
        environment={"cpu": {"model": "made up", "cores": 2}},
        plan=Plan(devices=("cpu",), arms=planned, groups={"request": tuple(arm.name for arm in planned)},
                  pairs=tuple((name, "none", name) for name in ratios), requests=KINDS,
                  strata=dict.fromkeys(KINDS, 1 / len(KINDS)), workers=WORKERS, budget_s=600, margin={"latency": 0.01}),
        optimizations={name: _optimization(name) for name in names},
        trials=tuple(_trials(ratios, requests, stages)),
        contrasts=tuple(_contrasts(ratios, stages)),
        controls=tuple(Control(name="placebo", device="cpu", metric=metric, unit="log-ratio", expected=0.0, low=-0.002,
                               high=0.003, level=0.99, bound=0.005, passed=True, reason="") for metric in ("latency", "rss_peak")),
        witnesses=tuple(WitnessCount(device="cpu", optimization=name, arm=arm, at_bind=0, per_request=(count,) * 4)
                        for name in names for arm, count in (("none", 3), (name, 0))),
        equivalences=tuple(Equivalence(device="cpu", arm=name, request=kind, grade="bitwise", bound=0.0, accepted=True,
                                       required="bitwise", tokens_equal=True, tokens=75, hit_cap=False)
                           for name in ratios for kind in KINDS),
        timing={"started": "2026-11-24T13:40:05Z", "measured_s": {"cpu": 600.0}, "command": "harness run large"},
    )  # fmt: skip


def _arm(name: str, role: ArmRole, states: dict[str, bool]) -> Arm:
    return Arm(name=name, role=role, toggle=name, states=states)


def _ratio(number: int) -> float:
    return 1.0 if number % 4 == 0 else 0.8 + 0.24 * ((number * 0.6180339887) % 1)


def _optimization(name: str) -> dict[str, object]:
    return {
        "title": f"Do {name.replace('_', ' ')} once",
        "doc": f"What {name} does.\n\nThe claim is that doing it once is enough.",
        "sites": ["frontend.resample"], "witness_unit": "kernels built", "check": {"grade": "bitwise"}, "seed_section": "2",
        "before_source": "def before(context):\n    def call(audio, rate):\n        return Resample(rate)(audio)\n    return call\n",
        "after_source": f"def {name}(context):\n    kept = {{}}\n    def call(audio, rate):\n        if rate not in kept:\n"
                        "            kept[rate] = Resample(rate)\n        return kept[rate](audio)\n    return call\n",
    }  # fmt: skip


def _trials(ratios: dict[str, float], requests: int, stages: int) -> Iterator[Trial]:
    dice = np.random.default_rng(7)
    arms = {"none": 1.0, **ratios}
    shares = dice.dirichlet(np.ones(stages))
    each = requests // WORKERS
    for worker in range(WORKERS):
        noise = np.exp(0.03 * dice.standard_normal((each + 5, len(arms))))
        for block in range(each + 5):
            warm = block < 5
            order = dice.permutation(len(arms))
            for position, (arm, ratio) in enumerate([(list(arms)[n], list(arms.values())[n]) for n in order]):
                latency = 0.2 * ratio * float(noise[block, position]) * (1.8 if block == 0 else 1.0)
                values: dict[str, float | None] = {"latency": latency}
                values |= {
                    f"stage.{name}": latency * float(share) for name, share in zip(_STAGES, shares, strict=False)
                }
                yield Trial(
                    device="cpu", pass_="latency", kind="request", phase="warmup" if warm else "timed", worker=worker,
                    block=worker * each + block, group="request", position=position, arm=arm, predecessor=None,
                    request=KINDS[block % len(KINDS)], stratum=KINDS[block % len(KINDS)], values=values,
                )  # fmt: skip


def _contrasts(ratios: dict[str, float], stages: int) -> Iterator[Contrast]:
    metrics = {"latency": 0.2, "rtf": 0.07, "ttfa": 0.08, "init": 0.001, "cpu_time": 0.2, "rss_peak": 6e8}
    metrics |= {f"stage.{name}": 0.02 for name in _STAGES[:stages]}
    for name, ratio in ratios.items():
        for metric, before in metrics.items():
            for stratum in ("", *KINDS) if metric in ("latency", "ttfa") else ("",):
                change = 1.0 if metric == "rss_peak" else ratio
                memory = METRICS[metric].is_memory if metric in METRICS else False
                level = abs(change - 1) < 0.01
                verdict: Verdict = "no material difference" if level else "faster" if change < 1 else "slower"
                spread = {"p50": 1.0, "p95": 1.06, "p99": 1.1}
                yield Contrast(
                    optimization=name, metric=metric, device="cpu", unit="bytes" if memory else "ratio" if metric == "rtf" else "s",
                    statistic="median of paired log-ratios", reference_arm="none", arm=name, before=before,
                    after=before * change, ratio=change, ratio_low=change * 0.997, ratio_high=change * 1.003, margin=0.01,
                    verdict=verdict, blocks=REQUESTS, workers=WORKERS, witness_before=3.0, witness_after=0.0,
                    equivalence="bitwise", stratum=stratum,
                    quantiles={"before": {q: before * s for q, s in spread.items()},
                               "after": {q: before * change * s for q, s in spread.items()}},
                )  # fmt: skip


def _first_paint(text: str) -> float:
    """Milliseconds from opening the page, from a file, to its first paint with content."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(text, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(path.as_uri())
        painted: float = page.evaluate(
            """new Promise(resolve => new PerformanceObserver(list => {
                 for (const entry of list.getEntriesByName('first-contentful-paint')) resolve(entry.startTime);
               }).observe({type: 'paint', buffered: true}))"""
        )
        browser.close()
    return painted


def main() -> None:
    """Print how long the page of a large run takes, and how large it is."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, help="save the run there, and its page")
    options.add_argument(
        "--paint", action="store_true", help="open the page in Chromium, and say when it first painted"
    )
    chosen = options.parse_args()
    run = large_run()
    sys.stdout.write(f"{len(run.trials):,} trials\n")
    started = time.perf_counter()
    cpu = time.process_time()
    page = report.render(run)
    size = len(page.html.encode()) / 2**20
    sys.stdout.write(f"page built in {time.perf_counter() - started:.1f} s ({time.process_time() - cpu:.1f} s of the processor), "
                     f"{size:.2f} MiB\n")  # fmt: skip
    if chosen.paint:
        sys.stdout.write(f"first paint after {_first_paint(page.html):.0f} ms\n")
    if chosen.folder:
        chosen.folder.mkdir(parents=True, exist_ok=True)
        (chosen.folder / "report.html").write_text(page.html, encoding="utf-8")
        store.save(run, chosen.folder)


if __name__ == "__main__":
    main()

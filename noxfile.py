"""What can be done with this checkout: `nox --list`. All sessions share one environment, because torch is 5.5 GB.

The session `env` builds it in `.nox/env`; the others require that session and use its Python. On a machine that already
has an environment with torch, `HARNESS_PYTHON=/path/to/python nox -s ...` uses that one and installs nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]

ROOT = Path(__file__).parent
GPU_SCENARIOS = (
    "full-six",
    "full-offline",
    "full-long",
    "full-streaming",
    "full-attribution",
    "full-frontier",
    "full-crowds",
    "full-memory",
    "full-bf16",
)
SPEAKER_PROMPTS = "s3tokenizer==0.3.0"
"""Ships two real recordings, which are read as files; its own requirements are not needed and not installed."""
EARS = ("distillmos==0.9.1", "xls-r-sqa==0.1.0", "Resemblyzer==0.1.4")
"""Ship weights that tell quality and voice, which are read as files; their own requirements are neither needed nor installed."""

PUBLIC_CODE = "cosyvoice-minicpmo==0.1.0"
"""CosyVoice as it stood in 2025, re-published; its own requirements are more than speaking needs."""
PUBLIC_CODE_NEEDS = (
    "transformers==4.51.3", "hyperpyyaml", "ruamel.yaml<0.19", "omegaconf", "inflect", "diffusers", "conformer", "einops",
    "librosa", "soundfile", "onnxruntime", "tiktoken", "regex", "scipy", "tqdm", "more-itertools", "wetext",
)  # fmt: skip
"""What it needs beside the torch of the shared environment."""
WHISPER = "openai-whisper"
"""Its log-mel frames alone are used; its own requirements include triton."""


def python_of_env() -> Path:
    """The Python of the shared environment."""
    given = os.environ.get("HARNESS_PYTHON")
    return Path(given) if given else python_in(ROOT / ".nox" / "env")


def python_in(folder: Path) -> Path:
    """The Python of the environment in `folder`."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def run(session: nox.Session, *arguments: str) -> None:
    """Run Python of the shared environment with `arguments`."""
    session.run(str(python_of_env()), *arguments, external=True)


@nox.session(python=False)
def env(session: nox.Session) -> None:
    """Build the shared environment: this package, editable, with everything it and its tests need."""
    if os.environ.get("HARNESS_PYTHON"):
        session.log(f"using {python_of_env()} as it is")
        return
    python = python_of_env()
    if not python.exists():
        session.run(sys.executable, "-m", "venv", str(ROOT / ".nox" / "env"), external=True)
    stamp = ROOT / ".nox" / "env" / "installed-for"
    wanted = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + SPEAKER_PROMPTS
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    session.log("installing PyTorch and what else is needed into .nox/env: some minutes, once")
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    run(session, "-m", "pip", "install", "--quiet", "--editable", str(ROOT), *groups["dev"])
    run(session, "-m", "pip", "install", "--quiet", "--no-deps", SPEAKER_PROMPTS)
    stamp.write_text(wanted, encoding="utf-8")


@nox.session(python=False, requires=["env"])
def bench(session: nox.Session) -> None:
    """The main job: measure the six optimizations on this machine, and print where the page is.

    First what this machine can do at most, once and for seconds, so that the page says how far each stage is from it; where
    that fails, it says why, and the run goes on without.
    """
    session.run(str(python_of_env()), "-m", "harness", "limits", external=True, success_codes=(0, 2, 4))
    session.log(
        f"for later: the command `harness` is {Path(os.path.relpath(python_of_env().parent, ROOT)) / 'harness'}"
    )
    run(session, "-m", "harness", "run", *(session.posargs or ["seed-optimizations"]))


@nox.session(python=False, requires=["env"])
def bench_gpu(session: nox.Session) -> None:
    """Measure the full-size scenarios on a GPU, part by part; interrupted, the next call goes on. `-- NAME...` chooses.

    Each part is a process of its own that lasts at most nine minutes. Without nox, in an environment that has torch, one
    part is `python -m harness run NAME --device cuda --for 8m --continue`.
    """
    for name in session.posargs or GPU_SCENARIOS:
        arguments = ("-m", "harness", "run", name, "--device", "cuda", "--for", "8m", "--continue")
        run(session, *arguments)
        while unfinished(name):
            run(session, *arguments)


def unfinished(scenario: str) -> bool:
    """Whether a run of `scenario` in results/ still has its journal."""
    return any((ROOT / "results").glob(f"{scenario}-*/journal.jsonl"))


@nox.session(python=False, requires=["env"])
def smoke(session: nox.Session) -> None:
    """A short bench, to see that measuring works here."""
    run(session, "-m", "harness", "run", "smoke", *session.posargs)


@nox.session(python=False, requires=["env"])
def tests(session: nox.Session) -> None:
    """The tests, up to four files at a time. Those in a browser need Chromium on PATH, and are skipped, and said so, without."""
    run(session, "-m", "pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", *session.posargs)


@nox.session(python=False, requires=["env"])
def voice(session: nox.Session) -> None:
    """Measure a voice with real weights, listen to what it says, and run the tests that need both.

    Installs the extras `voice` and `words` into the shared environment, and weights that tell quality and voice.
    """
    if not os.environ.get("HARNESS_PYTHON"):
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "optional-dependencies"
        ]
        run(session, "-m", "pip", "install", "--quiet", *extras["voice"], *extras["words"])
        run(session, "-m", "pip", "install", "--quiet", "--no-deps", *EARS)
    run(session, "-m", "pytest", "tests/adapters/test_vits.py", "tests/test_transcriber.py", "tests/test_assessor.py")
    run(session, "-m", "harness", "run", "real-voice", *session.posargs)


@nox.session(python=False, requires=["env"])
def microbench(session: nox.Session) -> None:
    """Every toggle's place alone, before and after, and what a stage costs, by pytest-benchmark.

    `-- --benchmark-json FILE` keeps the figures.
    """
    options = ("--benchmark-enable", "--benchmark-disable-gc", "--benchmark-group-by", "group", "--benchmark-columns",
               "median,iqr,min,max,rounds,iterations")  # fmt: skip
    run(
        session,
        "-m",
        "pytest",
        "tests/benchmarks/bench_places.py",
        "tests/benchmarks/bench_spans.py",
        *options,
        *session.posargs,
    )


@nox.session(python=False, requires=["env"])
def parity(session: nox.Session) -> None:
    """Compare with the public code, module by module, from one model directory that `make-checkpoint` writes.

    With COSYVOICE_HOME=/path/to/CosyVoice also with that checkout. `-- --size full` takes the published dimensions (4 GiB
    on disk, some minutes); `-- --record` writes the committed recordings of tests/data/parity anew.
    """
    python = public_env(session)
    options = list(session.posargs)
    size = options.pop(options.index("--size") + 1) if "--size" in options else "reduced"
    if "--record" in options and size != "reduced":
        session.error("the committed recordings are of size reduced")
    folder = ROOT / ".nox" / "parity-work" / size
    shutil.rmtree(folder, ignore_errors=True)
    run(session, "-m", "harness", "make-checkpoint", "--size", size, str(folder / "model"))
    run(session, "-m", "tests.parity.inputs", str(folder / "inputs"), size)
    codes: dict[str, list[str]] = {"cosyvoice-minicpmo": []}
    if os.environ.get("COSYVOICE_HOME"):
        codes["newest-upstream"] = ["--home", os.environ["COSYVOICE_HOME"]]
    else:
        session.log("COSYVOICE_HOME is not set: newest upstream is compared by its committed recording only")
    for code, more in codes.items():
        out = folder / f"{code}.safetensors"
        paths = ("--model", folder / "model", "--inputs", folder / "inputs", "--out", out)
        session.run(str(python), str(ROOT / "tests/parity/record.py"), *map(str, paths), *more, external=True,
                    env={"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": ""})  # fmt: skip
        if "--record" in options:
            run(session, "-m", "tests.parity.golden", str(out))
    session.run(str(python_of_env()), "-m", "pytest", "-q", "tests/parity", external=True,
                env={"HARNESS_PARITY": str(folder)})  # fmt: skip
    if size != "full":
        run(session, "-m", "harness", "run", "smoke", "--device", "cpu", "--budget", "3s", "--out", str(folder / "results"),
            "--set", f"model.weights={folder / 'model'}", "--set", f"model.size={size}")  # fmt: skip
    shutil.rmtree(folder / "model")


@nox.session(python=False, requires=["env"])
def seed_code(session: nox.Session) -> None:
    """Measure the six optimizations on the public code that the seed document was written about, in an environment of its own.

    With COSYVOICE_HOME=/path/to/CosyVoice its tests run on that checkout too. `-- --short` runs the tests alone, which measure
    for some seconds; what else is given goes to `harness run`.
    """
    options = [option for option in session.posargs if option != "--short"]
    python = public_env(session)
    model = ROOT / ".nox" / "seed-code" / "model"
    if not (model / "cosyvoice2.yaml").exists():
        shutil.rmtree(model, ignore_errors=True)
        run(session, "-m", "harness", "make-checkpoint", "--size", "reduced", str(model))
    session.run(str(python_of_env()), "-m", "pytest", "-q", "-n0", "tests/checkout/test_public_code.py", external=True,
                env={"HARNESS_SEED_CODE": str(python)})  # fmt: skip
    if "--short" not in session.posargs:
        run(session, "-m", "harness", "run", "seed-code", "--set", f"model.python={python}", *options)


def public_env(session: nox.Session) -> Path:
    """Build the environment of the public code in `.nox/public-code`, and return its Python.

    It sees the packages of the shared environment after its own: torch is not installed twice.
    """
    folder = ROOT / ".nox" / "public-code"
    python, stamp = python_in(folder), folder / "installed-for"
    wanted = " ".join((PUBLIC_CODE, WHISPER, *PUBLIC_CODE_NEEDS))
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    session.run(str(python_of_env()), "-m", "venv", "--clear", str(folder), external=True)
    packages = ("-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    shared, own = (session.run(str(one), *packages, external=True, silent=True) for one in (python_of_env(), python))
    line = f"import site; site.addsitedir({str(shared).strip()!r})\n"
    Path(str(own).strip(), "shared.pth").write_text(line, encoding="utf-8")
    install = (str(python), "-m", "pip", "install", "--quiet")
    session.run(*install, "setuptools", *PUBLIC_CODE_NEEDS, external=True)
    session.run(*install, "--no-deps", "--no-build-isolation", PUBLIC_CODE, WHISPER, external=True)
    stamp.write_text(wanted, encoding="utf-8")
    return python


@nox.session(python=False, requires=["env"])
def prove(session: nox.Session) -> None:
    """Count false and missed alarms of this harness, pytest-benchmark, pyperf and asv on planted slow-downs.

    Five CPU minutes for a look, into `results/prove`; the next call goes on there. For the table that is published:
    `-- --minutes 60 --out reports/published/MACHINE/prove`.
    """
    if not os.environ.get("HARNESS_PYTHON"):
        groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
        run(session, "-m", "pip", "install", "--quiet", *groups["prove"])
    out = () if any(option.partition("=")[0] == "--out" for option in session.posargs) else ("--out", "results/prove")
    run(session, "-m", "tests.prove", *out, *session.posargs)


@nox.session(python=False, requires=["env"])
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    run(session, "-m", "ruff", "check", ".")
    run(session, "-m", "ruff", "format", "--check", ".")


@nox.session(python=False, requires=["env"])
def types(session: nox.Session) -> None:
    """Mypy, strict."""
    run(session, "-m", "mypy")


@nox.session(python=False, requires=["env"])
def docs(session: nox.Session) -> None:
    """Write the generated pages again: the scenario reference, the JSON Schema, the pictures of the method, the list of
    published runs.
    """
    run(session, "-m", "harness.scenario.docs", "docs")
    run(session, "-m", "tests.pictures", "docs/pictures")
    run(session, "-m", "harness", "index", "reports", "--title", "Published runs")

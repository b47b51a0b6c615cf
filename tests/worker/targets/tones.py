"""A target that stands alone: it makes tones with the standard library, by a clock that it moves. Runs on Python 3.9.

The worker loads it by its path, as a module of its own package; nothing else of the project is there for it.
Its one toggle is `resample_cache`, which halves the time. `activate` and `deactivate` write down when they are called, and
the option `hang` names the state of the toggle that never answers. With `fork` (seconds) a request leaves a forked child
that lives so long unless it is ended, with `leave` in a session of its own; with `die` the process then ends with that
exit code; with `ask` it reads stdin, and has another process read it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import random
import subprocess
import sys
import threading
import time
from array import array
from math import pi, sin

from .audio import read
from .probes import counter
from .requests import Output
from .spans import count, span

RATE_HZ = 8000
OURS = ("spans", "places", "measure", "serving", "playback")


class Model:
    def __init__(self, options, machine, work_dir):
        self.description = {"adapter": "tones"}
        self.options = options
        self.machine = machine
        self.work_dir = work_dir
        self.dice = random.Random(work_dir.name)  # noqa: S311  noise, not a secret

    def not_applicable(self):
        return {"absent": "tones have no such place"}

    def bind(self, states, speakers):
        self.machine.advance_s(0.001)
        for speaker in speakers:
            read(speaker.audio)
        return Target(self, states["resample_cache"])

    def probe(self, optimization, parameters):
        return counter(optimization)

    def place(self, optimization, state, request):
        def call():
            if not state:
                count(optimization)
            self.machine.advance_s(1e-6 if state else 2e-6)

        return call

    def inference(self):
        return contextlib.nullcontext()


class Target:
    def __init__(self, model, quick):
        self.model = model
        self.quick = quick
        self.active = False

    def activate(self):
        self.active = True
        self._note("on")

    def deactivate(self):
        self.active = False
        self._note("off")

    def _note(self, what):
        with (self.model.work_dir / "activations").open("a") as log:
            log.write("{} {}\n".format("quick" if self.quick else "plain", what))
        seen = {"modules": sorted(sys.modules), "hidden": [name for name in OURS if importlib.util.find_spec(name)]}
        (self.model.work_dir / "seen.json").write_text(json.dumps(seen))

    def run(self, request, on_chunk):
        if not self.active:
            message = "the arm is not active"
            raise RuntimeError(message)
        if self.model.options.get("hang") == self.quick:
            threading.Event().wait()
        if self.model.options.get("fork"):
            self._fork()
        if self.model.options.get("die"):
            os._exit(self.model.options["die"])
        if self.model.options.get("ask"):
            self._ask()
        prompt, rate_hz = read(request.speaker.audio)
        with span("tone"):
            if not self.quick:
                count("resample_cache")
            self.model.machine.advance_s((0.01 if self.quick else 0.02) * self.model.dice.gauss(1, 0.0005))
            pitch = 200 + len(prompt) % 100
            audio = array("f", (0.3 * sin(2 * pi * pitch * at / RATE_HZ) for at in range(RATE_HZ // 4)))
        on_chunk(len(audio))
        return Output(audio=audio, sample_rate_hz=RATE_HZ, tokens=[rate_hz, len(prompt)])

    def _fork(self):
        """A child that holds a lock while it lives, and all pipes that it inherited."""
        import fcntl

        ready, say = os.pipe()
        if os.fork():
            os.close(say)
            os.read(ready, 1)
            os.close(ready)
            return
        if self.model.options.get("leave"):
            os.setsid()
        with (self.model.work_dir / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.write(say, b"x")
            time.sleep(self.model.options["fork"])
            (self.model.work_dir / "lived").touch()
        os._exit(0)

    def _ask(self):
        try:
            answer = input()
        except EOFError:
            answer = "nothing"
        reader = "import sys; print(len(sys.stdin.read()))"
        done = subprocess.run([sys.executable, "-c", reader], stdout=subprocess.PIPE, check=True, timeout=20)
        (self.model.work_dir / "read").write_text(f"{answer} {int(done.stdout)}")


def load(options, machine, work_dir):
    return Model(options, machine, work_dir)

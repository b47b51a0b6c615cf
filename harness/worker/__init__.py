"""What runs in the process that holds the model: a package of its own, which stands alone.

It speaks JSON lines with the runner (`serving`), times one thing at a time (`measure`), and knows nothing of scenarios, of
statistics or of this project's other packages. It needs nothing but the standard library, works on Python from
`OLDEST_PYTHON` on, and imports relatively only, so that it runs in two ways:

    python -m harness.worker          our own interpreter; a target is a module of this project, `harness.adapters...`
    python .../harness/worker/start.py  any other: the folder is loaded by its path under a private name, so that it hides
                                      no module of the target's and needs nothing installed beside the target

torch, and what reads memory and cards (psutil, pynvml, memray), are used where they are found and not missed where they are not.
"""

PROTOCOL = 4
"""Version of what runner and worker say to each other; a gate's two revisions must speak the runner's.

2: `blocks`. 3: requests, speakers and arms are sent as data, and the target as the name of what loads it.
4: what is called before the model is loaded, and what says whether a process is as it is to be.
"""
OLDEST_PYTHON = (3, 9)
"""Every file of this package runs on this version and on all newer ones (tests/worker/test_portable.py)."""

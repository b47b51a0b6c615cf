"""How often tools for benchmarks find a slow-down of known size, and how often one that is not there.

    python -m tests.prove --minutes 5 --out FOLDER      # `nox -s prove`

One decision is what a user of a tool would make of two versions of one call: the second has 0, 1, 2 or 5 % more units of
work. Decisions are made one at a time, in random order, and appended to `FOLDER/decisions.jsonl`; `FOLDER/table.md` is
written from these lines. The next call goes on where the last one stopped.

Layers, each importing those before it: `call` (what is measured), `decisions` (data), `processes`, one module per tool
(`pytest_benchmark`, `pyperf`, `asv`, `ours`), `tools` (all of them), `jobs` (which comes next), `table`,
`proof` (making them), `__main__`.
What the tools themselves are pointed at lies in `cases/`, apart from modules that bear the tools' names.
"""

"""All tools that take part, in the order of the table."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from tests.prove import asv, ours, pyperf, pytest_benchmark
from tests.prove.decisions import Tool

PYPERF_PROCESSES = 20
"""pyperf's own number."""

TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        pytest_benchmark.tool(5),
        pytest_benchmark.tool(20),
        pyperf.tool(5, processes=PYPERF_PROCESSES // 4),
        pyperf.tool(20, processes=PYPERF_PROCESSES),
        asv.tool(8, repeat_s=2.0),
        asv.tool(17, repeat_s=4.0),
        ours.toggle_tool(),
        ours.gate_tool(60),
        ours.card_tool(20),
        ours.paired_card_tool(60),
    )
}

BY_DEFAULT = tuple(name for name in TOOLS if not name.endswith("-card"))
"""Those of the table; the others need a GPU."""


def versions() -> dict[str, str | None]:
    """The version of each package that is measured with; None for one that is not installed."""
    return {tool.package: _version(tool.package) for tool in TOOLS.values() if tool.package}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

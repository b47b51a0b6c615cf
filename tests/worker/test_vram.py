"""What an out-of-memory error of the caching allocator is told as."""

from __future__ import annotations

from harness.worker.vram import refused

GIB = 2**30
MESSAGE = (
    "CUDA out of memory. Tried to allocate {asked}. GPU 0 has a total capacity of 139.80 GiB of which 136.20 GiB is free. "
    "Including non-PyTorch memory, this process has 2.90 GiB memory in use. 2.32 GiB allowed; Of the allocated memory "
    "{allocated} is allocated by PyTorch, and {unused} is reserved by PyTorch but unallocated. If reserved but unallocated "
    "memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)


def told(message: str) -> str:
    said = refused(
        message, now_bytes=0.25 * GIB, context_bytes=0.75 * GIB, limit_bytes=3 * GIB, limit="the limit of 3 GiB"
    )
    return said.replace("\u202f", " ")


def test_what_was_in_use_is_what_the_error_says_and_not_what_is_left_after_it() -> None:
    message = MESSAGE.format(asked="256.00 MiB", allocated="2.25 GiB", unused="12.00 MiB")
    assert told(message) == (
        "256.0 MiB asked for with 2.250 GiB in use and 768.0 MiB of context: 256.0 MiB more than the limit of 3 GiB"
    )


def test_where_the_sum_would_fit_no_cause_is_made_up() -> None:
    """Two decimals of a GiB hide five MiB, and another process may hold the card."""
    full = MESSAGE.format(asked="2.00 MiB", allocated="2.24 GiB", unused="1.10 MiB")
    assert told(full).endswith("of context: no block of that size is left in the limit of 3 GiB")
    others = full.replace("136.20 GiB is free", "1.50 MiB is free")
    assert told(others).endswith("of context: of the card 1.500 MiB are free, as others hold the rest")


def test_where_the_sum_would_fit_what_lies_unused_is_told() -> None:
    message = MESSAGE.format(asked="2.00 MiB", allocated="2.00 GiB", unused="250.00 MiB")
    assert told(message) == (
        "2.000 MiB asked for with 2.000 GiB in use and 768.0 MiB of context: the limit of 3 GiB would hold it, were it not "
        "fragmented (250.0 MiB are reserved, and in use by nothing)"
    )


def test_an_error_that_does_not_say_what_was_in_use_is_told_by_what_is() -> None:
    assert told("CUDA out of memory. Tried to allocate 3.00 GiB.") == (
        "3.000 GiB asked for with 256.0 MiB in use and 768.0 MiB of context: 1.000 GiB more than the limit of 3 GiB"
    )


def test_an_error_of_another_form_is_told_as_it_is() -> None:
    assert told("no memory") == "no memory"

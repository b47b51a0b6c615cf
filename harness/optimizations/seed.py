"""What the seed document claims, section by section (`seed_section` of a toggle): its own words, and in English."""

from __future__ import annotations

from collections.abc import Mapping

CLAIMS: Mapping[str, tuple[str, str]] = {
    "1": (
        "缓存 `torch.cuda.is_available()` 调用：减少函数调用开销，提高初始化速度，减少运行时检查。",
        "Cache calls of `torch.cuda.is_available()`: less call overhead, faster initialisation, fewer checks at run time.",
    ),
    "2": (
        "缓存 Resample 对象，避免每次调用都创建新的 Resample 对象：减少对象创建开销，提高推理速度（特别是频繁调用时）。",
        "Cache Resample objects instead of creating one in each call: less overhead, faster inference, above all in frequent calls.",
    ),
    "other 1": (
        "设备状态缓存：已经缓存了 `torch.cuda.is_available()`，已经缓存了设备状态。",
        "Device state is cached already, as is `torch.cuda.is_available()`.",
    ),
    "other 2": (
        "正则表达式预编译：已经预编译了中文字符正则表达式。",
        "Regular expressions are compiled in advance: that of Chinese characters already is.",
    ),
    "other 3": (
        "预注册说话人特征：说话人特征在注册时计算一次，使用时直接从缓存获取。",
        "A speaker's features are computed once, at registration, and then taken from a cache.",
    ),
    "other 4": (
        "内存管理优化：从每个片段清理改为批量清理，减少清理频率。",
        "Clean up memory in batches and not after each segment: clean up less often.",
    ),
    "not recommended 1": (
        "过度优化 Resample 缓存：当前实现已经足够（按需缓存）。如果 `resample_rate` 固定，可以预创建，但当前实现更灵活。",
        "To go further with the cache of Resample objects is not advised: one on demand suffices. Where the rate is fixed they can be made in advance, but on demand is more flexible.",
    ),
}
"""By section; "other N" is the Nth of those that the document says are there already, "not recommended N" of its last list."""

"""A benchmark suite for asv."""

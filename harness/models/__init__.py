"""Instrumented models: pipelines in this project's own code, with sites, stage spans and witness counters in them."""

"""What the product costs, measured beside its bare limit in the same run: `python -m benchmarks`."""

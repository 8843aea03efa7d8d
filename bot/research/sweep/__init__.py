"""Many backtests over parameters, on the cores of this machine or on a cluster (docs/sweep.md)."""

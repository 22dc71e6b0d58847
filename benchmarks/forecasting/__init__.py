"""Forecasts of throughtime beside those of other libraries, on real series.

    make bench-forecast                              # install the peers, run all, print the tables
    python -m benchmarks.forecasting --methods ours theta --collections m3 --quick

benchmarks/README.md says what is measured, and how.
"""

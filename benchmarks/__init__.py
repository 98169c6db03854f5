"""What things cost, each beside a plain way to do the same, measured in one run.

Machines are shared and noisy: the ratio is the figure, and nothing here fails a test. `make bench` prints all of
them, `make bench ONLY=id` one; both write `benchmarks/out/results.json`.
"""

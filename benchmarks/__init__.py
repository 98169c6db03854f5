"""What things cost, each beside a plain way to do the same, measured in one run, or beside the most it may be.

Machines are shared and noisy: a ratio is the better figure, and no test asks for one. `make bench` prints all of
them, `make bench ONLY=id` one; both write `benchmarks/out/results.json`, and fail when a limit does not hold.
"""

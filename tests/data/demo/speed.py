"""A pyperf suite of two benchmarks."""

import pyperf

runner = pyperf.Runner(processes=4, values=3, warmups=1, min_time=0.001)
runner.timeit("sort", "sorted(x)", setup="x = list(range(100))[::-1]")
runner.bench_func("join", "".join, ["a"] * 100)

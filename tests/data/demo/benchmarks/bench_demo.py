import json

import pytest


@pytest.mark.parametrize("n", [100, 1000])
def test_sort(benchmark, n):
    numbers = [i * 7919 % n for i in range(n)]
    benchmark.pedantic(sorted, args=(numbers,), rounds=12, iterations=5)


@pytest.mark.parametrize("text", [pytest.param("x" * 500, id="long")])
@pytest.mark.parametrize("indent", [None, 2])
def test_encode(benchmark, text, indent):
    benchmark.extra_info["tokens"] = 125
    benchmark.extra_info["n"] = 500
    benchmark.pedantic(json.dumps, args=([text],), kwargs={"indent": indent}, rounds=12)


class TestTexts:
    @pytest.mark.parametrize("sep", ["-", ", "])
    def test_join(self, benchmark, sep):
        benchmark.pedantic(sep.join, args=(["a"] * 100,), rounds=12, iterations=20)

    def test_wrong(self, benchmark):
        benchmark.pedantic(int, args=("x",), rounds=3)

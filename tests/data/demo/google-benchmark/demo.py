import google_benchmark as benchmark
from google_benchmark import Counter


@benchmark.register
def total(state):
    while state:
        sum(range(100))
    state.counters["frobs_per_second"] = Counter(100, Counter.kIsRate)


@benchmark.register
def skipped(state):
    state.skip_with_error("no device")
    while state:
        pass


if __name__ == "__main__":
    benchmark.main()

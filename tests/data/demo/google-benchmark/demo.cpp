#include <benchmark/benchmark.h>
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

static void Sort(benchmark::State& state) {
  std::vector<int> source(state.range(0));
  for (size_t i = 0; i < source.size(); ++i) source[i] = (i * 7919) % 1009;
  for (auto _ : state) {
    std::vector<int> copy(source);
    std::sort(copy.begin(), copy.end());
    benchmark::DoNotOptimize(copy.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetComplexityN(state.range(0));
}
BENCHMARK(Sort)->ArgName("n")->RangeMultiplier(8)->Range(8, 512)->Complexity();

static void Copy(benchmark::State& state) {
  std::vector<char> from(state.range(0), 'x'), to(state.range(0));
  for (auto _ : state) {
    memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
  state.counters["cache_misses"] = 12;
  state.counters["frobs"] = 3.5;
  state.counters["hits"] = benchmark::Counter(state.iterations(), benchmark::Counter::kIsRate);
  state.SetLabel("labelled");
}
BENCHMARK(Copy)->Arg(4096)->Unit(benchmark::kMicrosecond)->UseRealTime();

static void Broken(benchmark::State& state) {
  state.SkipWithError("no device");
  for (auto _ : state) {}
}
BENCHMARK(Broken);

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}

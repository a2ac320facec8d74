#!/bin/sh
# Makes the files of tests/data again.  See README.md there for what must be
# installed first.  Run it in a copy of this directory, committed to a git
# repository of its own, as: unshare --uts sh make.sh  (the host is then `demo`).
set -eu
export PATH=$PWD/venv/bin:$PATH:/usr/local/go/bin HOME=$PWD/out/home
export PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1 GOFLAGS=-trimpath
hostname demo
rm -rf out .benchmarks
mkdir -p out/home

bench="-q -p no:cacheprovider -p neutral benchmarks/bench_demo.py"
pytest $bench --benchmark-json=out/pytest-benchmark.json || true
pytest $bench --benchmark-save=summary || true
mv .benchmarks/*/0001_summary.json out/pytest-benchmark-saved.json
rm -r .benchmarks
echo >> benchmarks/bench_demo.py # so that the repository is dirty
venv-old/bin/pytest $bench -k sort --benchmark-json=out/pytest-benchmark-old.json
git checkout -q benchmarks

python speed.py -q -o out/pyperf.json
python -m pyperf timeit -q -p 3 -w 1 -n 2 --track-memory -o out/pyperf-memory.json.gz \
  "[0] * 1000"

hyperfine -N --runs 6 --warmup 1 -n 'count {n}' -L n 10,20 'seq {n}' \
  --export-json out/hyperfine.json
hyperfine -i --runs 5 'true' 'false' 'kill -9 $$' --export-json out/hyperfine-failed.json
cargo/bin/hyperfine -N --runs 6 -L n 10,20 'seq {n}' \
  --export-json out/hyperfine-memory.json

go test -bench . -benchmem -benchtime 50x -count 5 ./sorting > out/go.txt
go test -bench . -benchtime 50x ./broken > out/go-failed.txt || true
go test -v -run none -bench . -benchtime 50x ./... > out/go-verbose.txt || true
go test -cpu 1,2 -bench 'Sort|Fine' -benchtime 50x -count 2 ./... > out/go-cpu.txt
go test -json -bench . -benchtime 50x ./... > out/go.jsonl || true

# The kernel's name, the time of the boot and how Python was built may tell the
# machine; they are the only things that are changed by hand.
gunzip out/pyperf-memory.json.gz
sed -i -e "s/$(uname -r)/6.1.0-1-amd64/g" -e 's/"boot_time": *"[^"]*", *//g' \
  -e 's/, *"uptime": *[0-9.]*//g' -e 's/"python_config_args": *"[^"]*", *//g' out/*.*
gzip -n out/pyperf-memory.json
rm -r out/home

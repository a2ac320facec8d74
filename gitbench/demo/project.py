"""The files of the demo's project, and the changes that its commits make to them.

The functions are ordinary ones, and `bench.py` is what a project without a benchmark
tool may write for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

_INVENTORY = '''\
"""What a small shop does with its orders and its products."""


def parse_orders(text):
    """Orders of a text with `number,customer,product,quantity,price` on each line."""
    orders = []
    for line in text.splitlines():
        number, customer, product, quantity, price = line.split(",")
        orders.append(
            {
                "number": int(number),
                "customer": customer,
                "product": product,
                "quantity": int(quantity),
                "price": float(price),
            }
        )
    return orders


def sort_orders(orders):
    """Orders by customer, the most expensive first."""
    return sorted(orders, key=lambda o: (o["customer"], -o["price"], o["number"]))


def total_by_customer(orders):
    """What each customer has to pay."""
    totals = {}
    for order in orders:
        customer = order["customer"]
        amount = order["quantity"] * order["price"]
        totals[customer] = totals.get(customer, 0.0) + amount
    return totals


def unique_tags(products):
    seen = set()
    tags = []
    for product in products:
        for tag in product["tags"]:
            if tag not in seen:
                seen.add(tag)
                tags.append(tag)
    return tags


def slug(title):
    """A title as part of an address: `Blue Mug, 2 l` is `blue-mug-2-l`."""
    kept = [c if c.isalnum() else " " for c in title.lower()]
    return "-".join("".join(kept).split())


def count_words(text):
    counts = {}
    for w in text.split():
        w = w.strip(".,;").lower()
        counts[w] = counts.get(w, 0) + 1
    return counts


def wrap(text, width):
    """Lines of at most `width` characters."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def checksum(data):
    """Fletcher's checksum of some bytes."""
    low = high = 0
    for byte in data:
        low = (low + byte) % 255
        high = (high + low) % 255
    return high << 8 | low
'''

_BENCH = '''\
"""Times the functions of inventory.py and writes gitbench/run/1 JSON.

    python bench.py results.json

The design is fixed: several processes, and in each of them several values of every
function in turn.  A value is the processor time of a call: of three batches of calls,
each of some 5 ms however fast the machine is, the least, since whatever disturbs a
batch adds to it.  It is processor time and not time by the clock, because what other
programs do on this machine is no part of the work.
"""

import argparse
import gc
import json
import os
import pathlib
import platform
import random
import subprocess
import sys
import time
from datetime import datetime, timezone

import inventory

BATCH_NS = 5_000_000
BATCHES = 3
VALUES = 2
TAGS = ["new", "sale", "gift", "wood", "blue"]


def cases():
    """Name -> a call without arguments, on data that is always the same."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefgh", k=6)) for _ in range(900)]
    text = " ".join(chance.choices(words, k=4_000))
    lines = "\\n".join(
        f"{number},{chance.choice(words)},{chance.choice(words)},"
        f"{chance.randint(1, 9)},{chance.randint(100, 9999) / 100}"
        for number in range(1_500)
    )
    orders = inventory.parse_orders(lines)
    titles = [f"{a} {b}, {c}!" for a, b, c in zip(words, words[1:], words[2:])]
    products = [{"tags": chance.choices(TAGS, k=5)} for _ in range(8_000)]
    data = text[:25_000].encode()
    return {
        "parse_orders": lambda: inventory.parse_orders(lines),
        "sort_orders": lambda: inventory.sort_orders(orders),
        "total_by_customer": lambda: inventory.total_by_customer(orders),
        "unique_tags": lambda: inventory.unique_tags(products),
        "slug": lambda: [inventory.slug(title) for title in titles],
        "count_words": lambda: inventory.count_words(text),
        "wrap": lambda: inventory.wrap(text, 72),
        "checksum": lambda: inventory.checksum(data),
    }


def timed(call, loops):
    """Processor time of some calls in nanoseconds."""
    gc.collect()
    gc.disable()
    start = time.process_time_ns()
    for _ in range(loops):
        call()
    spent = time.process_time_ns() - start
    gc.enable()
    return max(1, spent)


def measure():
    """The values of every case, in seconds a call, that one process yields."""
    calls, loops, values = cases(), {}, {}
    for name, call in calls.items():
        call()
        loops[name] = max(1, round(BATCH_NS / timed(call, 1)))
        values[name] = []
    for _ in range(VALUES):
        for name, call in calls.items():
            least = min(timed(call, loops[name]) for _ in range(BATCHES))
            values[name].append(least / loops[name] / 1e9)
    return values


def output(*command, **options):
    """What a program prints."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, **options
    )
    return done.stdout.strip()


def new_run():
    """A run without measurements, of the commit that is checked out."""
    changed = output("git", "status", "--porcelain", "--untracked-files=no")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {
        "schema": "gitbench/run/1",
        "suite": "inventory",
        "started_at": datetime.now(timezone.utc).isoformat(),
        "commit": output("git", "rev-parse", "HEAD"),
        "dirty": bool(changed),
        "tool": {"name": "bench.py"},
        "testbed": {"facts": {"runtime": python}},
        "measurements": [],
    }


def add_process(run, values):
    """Add what one process has measured to a run."""
    if not run["measurements"]:
        run["measurements"] = [
            {"benchmark": name, "metric": "cpu time", "unit": "s", "values": []}
            for name in values
        ]
    for measurement in run["measurements"]:
        measurement["values"].append(values[measurement["benchmark"]])


def main():
    parser = argparse.ArgumentParser(description="Time the functions of inventory.py.")
    parser.add_argument("results", nargs="?", type=pathlib.Path)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--append", action="store_true", help="add to the file's run")
    options = parser.parse_args()
    if options.results is None:
        print(json.dumps(measure()))
        return
    if options.append and options.results.exists():
        run = json.loads(options.results.read_text())
    else:
        run = new_run()
    # The order of a set of texts, and with it some times, hang on this seed.
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    for _ in range(options.processes):
        add_process(run, json.loads(output(sys.executable, __file__, env=environment)))
    options.results.write_text(json.dumps(run, indent=1))


if __name__ == "__main__":
    main()
'''

_README = """\
# Inventory

What a small shop does with its orders and its products.

    python bench.py results.json          time every function
    gitbench record results.json          keep the result with the commit
    gitbench compare origin/main          is this branch slower?
"""

_IGNORE = "__pycache__/\nresults*.json\n"

Change = Callable[[Mapping[str, str]], dict[str, str]]


def _edit(name: str, *edits: tuple[str, str]) -> Change:
    """A change that puts one text in the place of another in a file."""

    def change(files: Mapping[str, str]) -> dict[str, str]:
        text = files[name]
        for found, instead in edits:
            head, middle, tail = text.partition(found)
            assert middle, f"{name} lacks {found!r}"
            text = head + instead + tail
        return {name: text}

    return change


_SEARCHED = """\
    seen = set()
    tags = []
    for product in products:
        for tag in product["tags"]:
            if tag not in seen:
                seen.add(tag)
                tags.append(tag)
"""
_SIMPLER = """\
    tags = []
    for product in products:
        for tag in product["tags"]:
            if tag not in tags:
                tags.append(tag)
"""

HISTORY: tuple[tuple[str, Change], ...] = (
    (
        "Add the inventory and its benchmarks",
        lambda files: {
            "inventory.py": _INVENTORY,
            "bench.py": _BENCH,
            ".gitignore": _IGNORE,
        },
    ),
    ("Say in a README how to measure", lambda files: {"README.md": _README}),
    (
        "Call a word a word",
        _edit(
            "inventory.py",
            (
                "    for w in text.split():\n"
                '        w = w.strip(".,;").lower()\n'
                "        counts[w] = counts.get(w, 0) + 1\n",
                "    for word in text.split():\n"
                '        word = word.strip(".,;").lower()\n'
                "        counts[word] = counts.get(word, 0) + 1\n",
            ),
        ),
    ),
    (
        "Say what unique_tags and count_words give",
        _edit(
            "inventory.py",
            (
                "def unique_tags(products):\n",
                "def unique_tags(products):\n"
                '    """The tags of all products, each once, by first use."""\n',
            ),
            (
                "def count_words(text):\n",
                "def count_words(text):\n"
                '    """How often each word of a text occurs."""\n',
            ),
        ),
    ),
    (
        "Name the author in the README",
        _edit("README.md", ("# Inventory\n", "# Inventory, by the shop\n")),
    ),
)
"""Subject and change of each commit on main; none touches what a function does."""

SLOW_DOWN = (
    "Simplify unique_tags: one list is enough",
    _edit("inventory.py", (_SEARCHED, _SIMPLER)),
)
"""The commit of the branch.  `in` searches a list from its start, a set by hash."""

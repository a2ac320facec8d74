"""gitbench measured: against its own budgets, and against tools that do the same.

`python -m benchmarks` prints a table; nothing here is run by the tests.  A budget is a
ratio to a reference that is measured in turn with it, so that a slow or busy machine
changes both.
"""

"""Readers proved by the tools themselves, run afresh: `python -m tests.real_tools`.

Each tool measures a few lines of source, gitbench records what it wrote, and the
numbers that `gitbench show --json` gives back are held against those that the tool
itself printed.  It needs a network for what is not in its cache, so no test runs it.
"""

"""gitbench: a Git-native baseline tracker for benchmark results."""

__version__ = "0.1.0"

"""`python -m gitbench`."""

from gitbench.cli import main

if __name__ == "__main__":
    main()

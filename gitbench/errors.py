"""The one base class of every error that a user may see.

Subclasses live beside the code that raises them.  A message is one full
sentence that says what went wrong, where, and what to do next.
"""


class GitbenchError(Exception):
    """An error stated to the user in one sentence, never as a traceback."""

    exit_code: int = 4
    """Exit code of a command that ends with this error."""

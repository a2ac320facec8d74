"""All that knows git: objects and refs, the record format, notes, sharing.

Knows nothing of statistics or reports.
"""

"""How often the detector of steps is wrong, and what it misses, beside Apache Otava."""

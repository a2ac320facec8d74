"""Arrays in, numbers out: the statistics behind every verdict.

Knows neither git, nor the model, nor text.  Modules import numpy and nothing else, so
that a comparison never waits for scipy (1.0 s) or statsmodels (1.3 s to import);
the tests hold every function against them.  `alternatives` and `planning`, which no
comparison calls, import them inside their functions.  Only `gitbench.compare` and
`gitbench.history` import these modules, since numpy itself costs 0.1 s.

Conventions of all modules: a *row* is one benchmark and metric, a *column* one
session.  NaN marks a session in which a row is absent; no function returns NaN
where its docstring does not say so.
"""

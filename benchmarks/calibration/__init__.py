"""How often the default procedure is wrong, on results of unchanged code.

data       reads sequences of runs of the same code
generated  makes some whose truth is known
replay     windows, injections and `gitbench.compare.compare`, counted
rules      the rules of other tools, on the same values
counts     shares of the counts, with intervals clustered by sequence
aims       what is aimed at, and whether it is met
tables     the counts as tables of text, Markdown and JSON
"""

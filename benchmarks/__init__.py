"""What the cluster costs, measured: scenarios run by themselves, medians of several runs, one table, and a verdict that can be "no".

``python -m benchmarks`` (``make bench``). ``catalogue`` says what is run and what should come out, ``simulated``, ``joins`` and
``subscriptions`` run it, ``figures``, ``rounds`` and ``table`` judge and show it, ``machine``, ``results`` and ``plots`` write it down.
"""

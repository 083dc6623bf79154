"""The wall: everything that touches a pipeline. Other rooms read the records that it makes.

`families, schedulers` < `components` < `capture` < `compiled` < `runs, loading` < `inspection, experiments, series`.
"""

"""What several rules ask the plan."""

RUNS_OF = {}
for planned in PLAN.runs:
    RUNS_OF.setdefault((planned.dataset, planned.method), []).append(planned)


def records(wildcards):
    """The records of one method on one dataset; none for the oracle, which is the truth itself."""
    runs = RUNS_OF.get((wildcards.dataset, wildcards.method), [])
    return [AT.record(run.dataset, run.method, run.k, run.seed) for run in runs]


def memory_gb(wildcards, attempt):
    """The limit that the supervisor keeps: doubled with each attempt."""
    return PLAN.methods[wildcards.method].memory_gb(CONFIG) * 2 ** (attempt - 1)


def mem_mb(wildcards, attempt):
    """What the scheduler is asked for: the run's limit, the supervisor's and Snakemake's own."""
    return int(memory_gb(wildcards, attempt) * 1024) + 500

"""Blindfold: every step is a rule, every rule calls the command line. No logic lives here."""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from snakemake.exceptions import WorkflowError

from blindfold.core.config import check_config
from blindfold.core.errors import BlindfoldError
from blindfold.core.plan import cache_folder, derive_seed, make_plan
from blindfold.core.run_files import times_asked_again
from blindfold.score.metric import choose_metrics


configfile: Path(workflow.basedir) / "config.yaml"


try:
    PLAN = make_plan(check_config(config))
    METRICS = choose_metrics(PLAN.config.metrics)
except BlindfoldError as error:
    raise WorkflowError(str(error)) from None
CONFIG, AT = PLAN.config, PLAN.layout
RECORDS = [AT.record(run.dataset, run.method, run.k, run.seed) for run in PLAN.runs]


wildcard_constraints:
    dataset="|".join(map(re.escape, PLAN.datasets)),
    method="|".join(map(re.escape, [*PLAN.methods, "oracle"])),
    k=r"truth|estimate|\d+",
    seed=r"\d+",


# What is done once per benchmark is too short for a queue.
localrules:
    all,
    plan,
    fetch,
    prepare,
    blind,
    protection,
    datasets,
    all_scores,
    runs,
    compare,
    figures,
    report,


rule all:
    input:
        AT.report,
        AT.provenance,
        # Named here too, so that a deleted record or table is made again.
        RECORDS,
        AT.tables,
        AT.figures,


include: "workflow/rules/common.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/blind.smk"
include: "workflow/rules/run.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/report.smk"

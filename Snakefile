"""Blindfold: every step is a rule, every rule calls the command line. No logic lives here."""

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from snakemake.exceptions import WorkflowError

from blindfold.core import due
from blindfold.core.config import check_config, in_its_file
from blindfold.core.errors import BlindfoldError
from blindfold.core.failures import reasons
from blindfold.core.locked import changed_mirrors
from blindfold.core.plan import cache_folder, derive_seed, make_plan, write_plan
from blindfold.core.run_files import times_asked_again
from blindfold.score.metric import choose_metrics


configfile: Path(workflow.basedir) / "config.yaml"


# What rules call lies beside this interpreter, activated or not.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

try:
    PLAN = make_plan(check_config(config))
    METRICS = choose_metrics(PLAN.config.metrics)
    CACHE = cache_folder(PLAN.config)
    for warning in changed_mirrors(PLAN.datasets.values(), CACHE, PLAN.config.mirror):
        print(f"warning: {warning}", file=sys.stderr)
except BlindfoldError as error:
    # the configuration file named last is the first that is looked at
    *given, default = workflow.configfiles
    raise WorkflowError(str(in_its_file(error, [*given[::-1], default]))) from None
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
        ancient(AT.plan),
        # Named here too, so that a deleted record or table is made again.
        RECORDS,
        AT.tables,
        AT.figures,


onstart:
    write_plan(PLAN)


onerror:
    # the last lines on the screen: what failed, why, and where it is told in full
    print(*(line for each in log for line in reasons(Path(each))), sep="\n", file=sys.stderr)


include: "workflow/rules/common.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/blind.smk"
include: "workflow/rules/run.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/report.smk"

rule score:
    input:
        records=records,
        data=AT.input("{dataset}"),
        card=AT.card("{dataset}"),
        truth=AT.truth("{dataset}"),
    output:
        AT.scores("{dataset}", "{method}"),
        AT.epochs("{dataset}", "{method}"),
        AT.markers("{dataset}", "{method}"),
    params:
        results=AT.root,
        runs=lambda wc: [
            f"--run={run.k}/{run.seed}" for run in RUNS_OF.get((wc.dataset, wc.method), [])
        ],
        due=due.scored(PLAN),
        metrics=[f"--metric={metric.name}" for metric in METRICS],
    log:
        AT.log("score", "{dataset}", "{method}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold score {wildcards.dataset} --results {params.results} "
        "--method {wildcards.method} {params.runs} {params.metrics} > {log} 2>&1"


rule all_scores:
    input:
        [
            AT.scores(dataset, method)
            for dataset in PLAN.datasets
            for method in [*PLAN.methods, "oracle"]
        ],

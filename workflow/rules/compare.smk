rule compare:
    input:
        plan=ancient(AT.plan),
        records=RECORDS,
        scores=[
            AT.scores(dataset, method)
            for dataset in PLAN.datasets
            for method in [*PLAN.methods, "oracle"]
        ],
    output:
        directory(AT.tables),
        AT.provenance,
    params:
        due=due.compared(PLAN),
        results=AT.root,
    log:
        AT.log("compare"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold compare --results {params.results} > {log} 2>&1"


rule figures:
    input:
        AT.tables,
    output:
        directory(AT.figures),
    params:
        due=due.drawn(),
        results=AT.root,
    log:
        AT.log("figures"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold figures --results {params.results} > {log} 2>&1"

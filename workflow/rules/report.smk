rule report:
    input:
        AT.tables,
        AT.figures,
        AT.provenance,
    output:
        AT.report,
    params:
        due=due.reported(),
        results=AT.root,
    log:
        AT.log("report"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold report --results {params.results} > {log} 2>&1"

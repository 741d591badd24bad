rule report:
    input:
        AT.tables,
        AT.figures,
        AT.provenance,
    output:
        AT.report,
    params:
        results=AT.root,
    log:
        AT.log("report"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold report --results {params.results} > {log} 2>&1"

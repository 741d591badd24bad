rule plan:
    # Only where there is none: another content is written before the first job, see onstart.
    output:
        AT.plan,
    run:
        write_plan(PLAN)


rule fetch:
    input:
        plan=ancient(AT.plan),
    output:
        AT.fetched("{dataset}"),
    params:
        due=lambda wc: due.fetched(PLAN, wc.dataset),
        results=AT.root,
    log:
        AT.log("fetch", "{dataset}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold fetch {wildcards.dataset} --results {params.results} > {log} 2>&1"

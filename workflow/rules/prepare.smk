rule prepare:
    input:
        AT.fetched("{dataset}"),
        plan=ancient(AT.plan),
    output:
        AT.prepared("{dataset}"),
    params:
        due=lambda wc: due.prepared(PLAN, wc.dataset),
        permute="--permute-labels" if CONFIG.canary else "",
        results=AT.root,
    log:
        AT.log("prepare", "{dataset}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold prepare {wildcards.dataset} --results {params.results} {params.permute} "
        "> {log} 2>&1"

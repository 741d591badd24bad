rule prepare:
    input:
        AT.fetched("{dataset}"),
    output:
        AT.prepared("{dataset}"),
    params:
        card=lambda wc: PLAN.datasets[wc.dataset].model_dump_json(exclude_defaults=True),
        permute="--permute-labels" if CONFIG.canary else "",
        results=AT.root,
    log:
        AT.log("prepare", "{dataset}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold prepare {wildcards.dataset} --results {params.results} "
        "--card {params.card:q} {params.permute} > {log} 2>&1"

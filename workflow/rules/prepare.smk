rule prepare:
    input:
        fetched(Path(CONFIG.cache), "{dataset}"),
    output:
        AT.prepared("{dataset}"),
    params:
        card=lambda wc: PLAN.datasets[wc.dataset].model_dump_json(),
        permute="--permute-labels" if CONFIG.canary else "",
        results=AT.root,
        cache=lambda wc, input: Path(input[0]).parents[1],
    log:
        AT.log("prepare", "{dataset}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold prepare {wildcards.dataset} --results {params.results} "
        "--cache {params.cache:q} {params.permute} > {log} 2>&1"

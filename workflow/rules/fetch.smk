rule plan:
    output:
        AT.plan,
    params:
        config=CONFIG.model_dump_json(by_alias=True),
        unavailable=list(PLAN.unavailable),
    log:
        AT.log("plan"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold plan --config {params.config:q} --out {output} 2> {log}"


rule fetch:
    output:
        AT.fetched("{dataset}"),
    params:
        # A changed card is a changed dataset.
        card=lambda wc: PLAN.datasets[wc.dataset].model_dump_json(exclude_defaults=True),
        results=AT.root,
        mirror=[f"--mirror={place}" for place in CONFIG.mirror],
        offline="--offline" if CONFIG.offline else "",
        cache=cache_folder(CONFIG),
    log:
        AT.log("fetch", "{dataset}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold fetch {wildcards.dataset} --results {params.results} --card {params.card:q} "
        "--cache {params.cache:q} {params.mirror:q} {params.offline} > {log} 2>&1"

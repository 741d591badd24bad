rule plan:
    output:
        AT.plan,
    params:
        config=CONFIG.model_dump_json(),
    log:
        AT.log("plan"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold plan --config {params.config:q} --out {output} 2> {log}"


rule fetch:
    output:
        fetched(Path(CONFIG.cache), "{dataset}"),
    params:
        # A changed card is a changed dataset.
        card=lambda wc: PLAN.datasets[wc.dataset].model_dump_json(include={"files"}),
        mirror=[f"--mirror={place}" for place in CONFIG.mirror],
        offline="--offline" if CONFIG.offline else "",
        cache=lambda wc, output: Path(output[0]).parents[1],
    log:
        AT.log("fetch", "{dataset}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold fetch {wildcards.dataset} --cache {params.cache:q} {params.mirror:q} "
        "{params.offline} > {log} 2>&1"

rule blind:
    input:
        AT.prepared("{dataset}"),
    output:
        AT.input("{dataset}"),
        AT.card("{dataset}"),
        AT.truth("{dataset}"),
    params:
        card=lambda wc: PLAN.datasets[wc.dataset].model_dump_json(exclude_defaults=True),
        results=AT.root,
        seed=CONFIG.seed,
    log:
        AT.log("blind", "{dataset}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold blind {wildcards.dataset} --results {params.results} "
        "--card {params.card:q} --seed {params.seed} > {log} 2>&1"


rule datasets:
    input:
        AT.plan,
        [AT.input(name) for name in PLAN.datasets],
    params:
        results=AT.root,
    log:
        AT.log("datasets"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold datasets --results {params.results} 2>&1 | tee {log}"

rule blind:
    input:
        AT.prepared("{dataset}"),
    output:
        AT.input("{dataset}"),
        AT.card("{dataset}"),
        AT.truth("{dataset}"),
    params:
        results=AT.root,
        seed=CONFIG.seed,
    log:
        AT.log("blind", "{dataset}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold blind {wildcards.dataset} --results {params.results} "
        "--seed {params.seed} > {log} 2>&1"


rule datasets:
    input:
        [AT.input(name) for name in PLAN.datasets],

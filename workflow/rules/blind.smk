rule blind:
    input:
        AT.prepared("{dataset}"),
        plan=ancient(AT.plan),
    output:
        AT.input("{dataset}"),
        AT.card("{dataset}"),
        AT.truth("{dataset}"),
    params:
        due=lambda wc: due.blinded(PLAN, wc.dataset),
        results=AT.root,
        seed=CONFIG.seed,
    log:
        AT.log("blind", "{dataset}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold blind {wildcards.dataset} --results {params.results} --seed {params.seed} "
        "> {log} 2>&1"


rule datasets:
    input:
        ancient(AT.plan),
        [AT.input(name) for name in PLAN.datasets],
    params:
        results=AT.root,
    log:
        AT.log("datasets"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold datasets --results {params.results} 2>&1 | tee {log}"

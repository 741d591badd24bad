rule protection:
    output:
        AT.protection,
    params:
        sandbox=CONFIG.sandbox,
        environments=[f"--environment={name}" for name in PLAN.environments()],
        # their content, so that what is installed is asked again after a change
        locks=[due.lock(name) for name in PLAN.environments()],
    log:
        AT.log("protection"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold protection --sandbox {params.sandbox} {params.environments} --out {output} "
        "> {log} 2>&1"


rule run:
    input:
        data=AT.input("{dataset}"),
        card=AT.card("{dataset}"),
        protection=AT.protection,
        # only there in time: what of it decides a result stands below
        plan=ancient(AT.plan),
    output:
        AT.record("{dataset}", "{method}", "{k}", "{seed}"),
    params:
        out=lambda wc, output: Path(output[0]).parent,
        seed=lambda wc: derive_seed(CONFIG.seed, wc.dataset, wc.method, int(wc.seed)),
        gpus=lambda wc: PLAN.methods[wc.method].gpus(CONFIG),
        # not given to the run, which finds them by itself; a change makes it due
        changes=lambda wc: PLAN.methods[wc.method].entry.params,
        code=lambda wc: PLAN.methods[wc.method].code,
        lock=lambda wc: due.lock(PLAN.methods[wc.method].card.environment),
        snapshots=CONFIG.snapshots,
        accepted=due.accepted(),
        again=lambda wc, output: times_asked_again(Path(output[0]).parent),
    threads: lambda wc: PLAN.methods[wc.method].card.resources.threads
    # Limits are resources, not parameters: to raise them leaves finished runs as they are.
    resources:
        mem_mb=mem_mb,
        memory_gb=lambda wc, attempt: str(memory_gb(wc, attempt)),
        minutes=lambda wc: str(PLAN.methods[wc.method].minutes(CONFIG)),
        # the supervisor's limit ends first, and leaves a record
        runtime=lambda wc: int(PLAN.methods[wc.method].minutes(CONFIG)) + 5,
        gpu=lambda wc: PLAN.methods[wc.method].gpus(CONFIG),
        attempt=lambda wc, attempt: attempt,
        last_attempt=1,
    log:
        AT.log("run", "{dataset}", "{method}", "{k}", "{seed}"),
    conda:
        "../../envs/main.yaml"
    shell:
        "blindfold run --method {wildcards.method} --input {input.data} --out {params.out} "
        "--clusters {wildcards.k} --seed {params.seed} --repeat {wildcards.seed} "
        "--plan {input.plan} --protection {input.protection} --minutes {resources.minutes} "
        "--memory-gb {resources.memory_gb} --gpus {params.gpus} --attempt {resources.attempt} "
        "--last-attempt {resources.last_attempt} --record-only > {log} 2>&1"


rule runs:
    input:
        RECORDS,

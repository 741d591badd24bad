"""What the end of the screen says of failed steps."""

from pathlib import Path

from blindfold.core.failures import reasons

TOLD = """[Tue Dec  1 00:12:22 2026]
localrule prepare:
    output: results/a/vault/x/prepared.h5ad
Error in rule prepare:
    jobid: 5
    input: a.json
    log: {log} (check log file(s) for error details)
    shell:
        blindfold prepare x
Trying to restart job 5.
Error in rule prepare:
    jobid: 5
    log: {log} (check log file(s) for error details)
Error in rule blind:
    jobid: 6
    log: {other} (check log file(s) for error details)
Error in rule report:
    message: None
"""


def test_a_line_for_each_step_with_the_error_of_its_log(tmp_path: Path):
    log, other, whole = tmp_path / "a.log", tmp_path / "b.log", tmp_path / "snakemake.log"
    log.write_text("reading\nerror: the disk is full\n  file:     x\n  do:       free space\n")
    other.write_text("Traceback\nKeyError: 'a'\n")
    whole.write_text(TOLD.format(log=log, other=other))
    assert reasons(whole) == [
        f"failed: prepare: the disk is full; file:     x; do:       free space (log: {log})",
        f"failed: blind: KeyError: 'a' (log: {other})",
        f"failed: report: see above (log: {whole})",
    ]


def test_a_log_that_is_not_there_is_said(tmp_path: Path):
    whole = tmp_path / "snakemake.log"
    whole.write_text(TOLD.format(log=tmp_path / "none.log", other=tmp_path / "none.log"))
    assert "it left no log" in reasons(whole)[0]
    assert reasons(tmp_path / "no such file") == []

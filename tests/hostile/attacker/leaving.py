"""Things to leave that a supervisor might trust. Most end the process themselves, as done."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time

import numpy as np

from methods.contract import InvalidOutput, Result

BIG = 11 * 2**30


def halves(scene):
    """Return clusters that anybody could guess, and that are not the truth."""
    return (np.arange(scene.n_cells) < scene.n_cells // 2).astype(int)


def leave(scene, report=None, clusters=True):
    """Write a whole answer, and end before the runner can write its own."""
    if clusters:
        np.save(scene.output / "clusters.npy", halves(scene))
    text = report if isinstance(report, str) else json.dumps(report or {})
    (scene.output / "report.json").write_text(text)
    os._exit(0)


def link_to_clusters_of_another(scene):
    os.symlink(scene.other / "clusters.parquet", scene.output / "clusters.npy")
    leave(scene, clusters=False)


def hard_link_to_clusters_of_another(scene):
    os.link(scene.other / "clusters.parquet", scene.output / "clusters.npy")
    leave(scene, clusters=False)


def link_to_embedding_of_another(scene):
    os.symlink(scene.other / "embedding.npy", scene.output / "embedding.npy")
    leave(scene)


def hard_link_to_embedding_of_another(scene):
    os.link(scene.other / "embedding.npy", scene.output / "embedding.npy")
    leave(scene)


def embedding_of_another_moved_here(scene):
    os.rename(scene.other / "embedding.npy", scene.output / "embedding.npy")
    leave(scene)


def log_that_is_a_link(scene):
    os.symlink(scene.truth, scene.output.parent / "log.txt")
    leave(scene)


def folder_that_is_a_link(scene):
    shutil.rmtree(scene.output)
    os.symlink(scene.other, scene.output)
    leave(scene, clusters=False)


def pipe_for_clusters(scene):
    os.mkfifo(scene.output / "clusters.npy")
    leave(scene, clusters=False)


def pipe_for_report(scene):
    np.save(scene.output / "clusters.npy", halves(scene))
    os.mkfifo(scene.output / "report.json")
    os._exit(0)


def folder_for_report(scene):
    np.save(scene.output / "clusters.npy", halves(scene))
    (scene.output / "report.json").mkdir()
    os._exit(0)


def endless_report(scene):
    np.save(scene.output / "clusters.npy", halves(scene))
    os.symlink("/dev/zero", scene.output / "report.json")
    os._exit(0)


def half_of_the_cells_as_ok(scene):
    np.save(scene.output / "clusters.npy", np.arange(scene.n_cells // 2))
    leave(scene, {"failure": "ok"}, clusters=False)


def reported_as_ok(scene):
    leave(scene, {"failure": "ok", "reason": "fine"})


def reported_as_unavailable(scene):
    leave(scene, {"failure": "unavailable", "reason": "not today"})


def reported_as_killed(scene):
    leave(scene, {"failure": "killed", "reason": "the host's fault"})


def earlier_attempt_of_null(scene):
    leave(scene, {"earlier": None})


def earlier_attempt_of_nothing(scene):
    leave(scene, {"earlier": {}})


def text_for_a_number(scene):
    leave(scene, {"fit_s": "a while"})


def negative_cost(scene):
    leave(scene, {"wall_s": -999, "cpu_s": -999})


def negative_fitting_time(scene):
    leave(scene, {"fit_s": -999})


def fitting_longer_than_running(scene):
    leave(scene, {"fit_s": 1e9})


def memory_it_did_not_use(scene):
    leave(scene, {"peak_rss_mb": 0.001})


def device_it_did_not_have(scene):
    leave(scene, {"device": "cuda", "peak_gpu_mb": 1.0})


def versions_it_does_not_have(scene):
    leave(scene, {"versions": {"torch": "99"}})


def failure_without_reason(scene):
    leave(scene, {"failure": "crash"})


def reason_that_is_a_list(scene):
    leave(scene, {"failure": "crash", "reason": ["a", "b"]})


def numbers_that_are_none(scene):
    """An honest method whose notes hold NaN and infinity."""
    notes = {"loss": float("nan"), "all": [1.0, float("inf")]}
    return Result(halves(scene), notes=notes)


def infinite_fitting_time(scene):
    leave(scene, '{"fit_s": Infinity}')


def deep_report(scene):
    leave(scene, '{"notes": ' + '{"a": ' * 90_000 + "1" + "}" * 90_001)


def long_number(scene):
    leave(scene, '{"fit_s": 1' + "0" * 5000 + "}")


def large_report(scene):
    leave(scene, {"notes": {str(i): "x" * 1000 for i in range(3000)}})


def many_notes(scene):
    leave(scene, {"notes": {str(i): i for i in range(5000)}})


def control_characters(scene):
    leave(scene, '{"failure": "crash", "reason": "\\u001b[2J\\ud800 <script>\\u0000"}')


def clusters_that_are_objects(scene):
    np.save(scene.output / "clusters.npy", np.array([os.system] * scene.n_cells, dtype=object))
    leave(scene, clusters=False)


def header_of_four_gigabytes(scene):
    head = b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little") + b"{"
    (scene.output / "clusters.npy").write_bytes(head)
    leave(scene, clusters=False)


def header_that_runs_code(scene):
    head = b"__import__('os').system('touch executed')".ljust(118) + b"\n"
    whole = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
    (scene.output / "clusters.npy").write_bytes(whole)
    leave(scene, clusters=False)


def clusters_of_half_the_cells(scene):
    np.save(scene.output / "clusters.npy", np.arange(scene.n_cells // 2))
    leave(scene, clusters=False)


def no_clusters(scene):
    leave(scene, clusters=False)


def embedding_of_eleven_gigabytes(scene):
    columns = BIG // 4 // scene.n_cells
    header = {"descr": "<f4", "fortran_order": False, "shape": (scene.n_cells, columns)}
    with open(scene.output / "embedding.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 4 * scene.n_cells * columns)
    leave(scene)


def embedding_that_is_not_finite(scene):
    np.save(scene.output / "embedding.npy", np.full((scene.n_cells, 2), np.nan, np.float32))
    leave(scene)


def more_snapshots_than_asked_for(scene):
    np.save(scene.output / "snapshots.npy", np.zeros((5000, scene.n_cells + 1), np.int64))
    leave(scene)


def own_folder_removed(scene):
    shutil.rmtree(scene.output.parent, ignore_errors=True)
    os._exit(0)


def memory_in_the_words_of_a_method(scene):
    leave_error(scene, RuntimeError("the cells ran out of memory of their lineage"))


def memory_in_the_words_of_a_driver(scene):
    leave_error(scene, RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublas"))


def leave_error(scene, error):
    from methods.runner import is_out_of_memory

    kind = "oom" if is_out_of_memory(error) else "crash"
    (scene.output / "report.json").write_text(json.dumps({"failure": kind, "reason": str(error)}))
    os._exit(1)


def exit_of_the_tripwire(scene):
    os._exit(87)


def killed_by_itself(scene):
    os.kill(os.getpid(), signal.SIGKILL)


def daemon_that_changes_the_answer(scene):
    """It leaves its process group and session and waits for the run to end."""
    np.save(scene.output / "clusters.npy", halves(scene))
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(30)
            np.save(scene.output / "clusters.npy", np.zeros(scene.n_cells, int))
        os._exit(0)
    leave(scene, clusters=False)


def fifty_forks_of_one_memory(scene):
    """Pages that all share count once: this is not out of memory."""
    held = np.ones(12 * 2**20)
    children = []
    for _ in range(50):
        if (pid := os.fork()) == 0:
            time.sleep(0.7)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    assert held.size
    return Result(halves(scene))


def invalid_by_its_own_word(scene):
    leave(scene, {"failure": "invalid", "reason": str(InvalidOutput("as it says"))})


def a_terabyte_beside_the_answer(scene):
    with open(scene.output / "more", "wb") as file:
        file.truncate(2**40)
    leave(scene)

"""Fails as its parameter says."""

import os
import sys
import time

import numpy as np

from methods.contract import Data, Job, Params, Result


def fit(data: Data, params: Params, job: Job) -> Result:
    """Return two clusters, unless something else is asked for."""
    clusters = np.arange(data.n_cells) % 2
    if params.how == "crash":
        raise ValueError("this method crashes")
    if params.how == "leak":
        hoard = []
        while True:
            hoard.append(np.ones(4_000_000))
            time.sleep(0.01)
    if params.how == "hang":
        time.sleep(3600)
    if params.how == "spin":
        while True:
            pass
    if params.how == "nan":
        return Result(np.where(clusters == 0, np.nan, 1.0))
    if params.how == "short":
        return Result(clusters[:10])
    if params.how == "noisy":
        for _ in range(80):
            sys.stdout.write("x" * 65536 + "\n")
    if params.how == "forks":
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(3600)
                os._exit(0)
    return Result(clusters)

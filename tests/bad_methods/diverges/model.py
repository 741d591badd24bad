"""Makes every weight NaN in the third step."""

import importlib
from pathlib import Path

import torch
import yaml

from methods.contract import Data, Job, Params, Result

SHORT = {"epochs": 5, "cluster_epochs": 5, "graph_epochs": 5, "iterations": 1, "width": 20}


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train with an optimiser that goes wrong."""
    model = importlib.import_module(f"methods.{params.of}.model")
    card = yaml.safe_load(Path(model.__file__).with_name("method.yaml").read_text())
    values = {name: spec["default"] for name, spec in card["parameters"].items()}
    step, taken = torch.optim.Adam.step, []

    def ruinous(self, *args, **kwargs):
        step(self, *args, **kwargs)
        taken.append(1)
        for group in self.param_groups if len(taken) == 3 else ():
            for weight in group["params"]:
                weight.data.fill_(float("nan"))

    torch.optim.Adam.step = ruinous
    return model.fit(data, Params(**{**values, **SHORT}), job)

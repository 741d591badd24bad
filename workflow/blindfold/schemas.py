"""JSON schemas for editors, generated from the typed models."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from blindfold.core import io
from blindfold.core.config import Config
from blindfold.core.datasets import DatasetCard
from blindfold.core.layout import SCHEMAS
from blindfold.core.methods import MethodCard
from blindfold.run.record import RunRecord

MODELS: dict[str, type[BaseModel]] = {
    "config": Config,
    "dataset": DatasetCard,
    "method": MethodCard,
    "run": RunRecord,
}


def schema_texts() -> dict[Path, str]:
    """Return the text that each schema file must hold."""
    return {
        SCHEMAS / f"{name}.schema.json": json.dumps(model.model_json_schema(), indent=2) + "\n"
        for name, model in MODELS.items()
    }


def write_schemas() -> list[Path]:
    """Write the schema files and return their paths."""
    for path, text in schema_texts().items():
        io.write_text(path, text)
    return list(schema_texts())

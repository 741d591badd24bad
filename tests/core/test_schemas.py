import json

import jsonschema
import yaml

from blindfold.core.layout import REPOSITORY
from blindfold.schemas import schema_texts


def test_schema_files_are_in_step_with_the_models():
    for path, text in schema_texts().items():
        assert path.read_text() == text, f"{path.name} is old: run `blindfold schemas`"


def test_the_default_configuration_fits_its_schema():
    schema = json.loads((REPOSITORY / "workflow/schemas/config.schema.json").read_text())
    jsonschema.validate(yaml.safe_load((REPOSITORY / "config.yaml").read_text()), schema)

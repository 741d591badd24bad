from tests.run.conftest import work  # noqa: F401

"""Commands that look after the installation and the repository, not after a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

upkeep = typer.Typer()


@upkeep.command()
def protection(
    wanted: Annotated[str, typer.Option("--sandbox", help="as in the configuration")] = "auto",
    environment: Annotated[
        list[str] | None, typer.Option(help="environments of methods that are installed")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="a file that the runs of a benchmark read")
    ] = None,
) -> None:
    """Say which protection methods run under on this machine."""
    from blindfold.run.request import interpreter
    from blindfold.run.walls import describe, protect, write_protections

    pythons = {name: interpreter(name) for name in environment or ["main"]}
    found = {name: protect(wanted, at) for name, at in pythons.items() if at is not None}
    for words in dict.fromkeys(map(describe, found.values())):
        print(words)
    if out is not None:
        write_protections(out, found)


@upkeep.command()
def warm() -> None:
    """Compile the kernels that methods use, so that runs start warm."""
    from blindfold.run.warm import warm as step

    print(step())


@upkeep.command()
def unlock() -> None:
    """Remove Snakemake's lock on this folder where no live process holds it."""
    from blindfold.run.unlock import unlock as step

    print(step(Path.cwd()))


@upkeep.command()
def schemas() -> None:
    """Write the JSON schemas of configuration, cards and run record for editors."""
    from blindfold.schemas import write_schemas

    for path in write_schemas():
        print(path)


@upkeep.command()
def docs() -> None:
    """Write the parts of the documentation that are made from cards and code."""
    from blindfold.documents import write_documents

    for path in write_documents():
        print(path)

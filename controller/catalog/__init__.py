"""Templates: which bots can be made, what is asked for them, and what becomes of the answers."""

from controller.catalog.actions import action_command
from controller.catalog.asked import FieldSpec, SecretSpec
from controller.catalog.explain import explain
from controller.catalog.load import Catalog, Refusal, load, mistakes
from controller.catalog.render import (
    RenderedFile,
    container_spec,
    rendered_files,
    secret_files,
    seed_files,
)
from controller.catalog.tables import Action, LogSign, Validation
from controller.catalog.template import Choice, Need, Template

__all__ = [
    "Action",
    "Catalog",
    "Choice",
    "FieldSpec",
    "LogSign",
    "Need",
    "Refusal",
    "RenderedFile",
    "SecretSpec",
    "Template",
    "Validation",
    "action_command",
    "container_spec",
    "explain",
    "load",
    "mistakes",
    "rendered_files",
    "secret_files",
    "seed_files",
]

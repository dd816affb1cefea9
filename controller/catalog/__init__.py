"""Templates: which bots can be created, what they ask for, and where each answer goes.

Only the console drafts templates (`draft`, `foreign`) and explains them (`explanation`); it imports
these by themselves.
"""

from controller.catalog.action_commands import action_command
from controller.catalog.inputs import FieldSpec, SecretSpec, tidy
from controller.catalog.loading import Catalog, Refusal, load, mistakes
from controller.catalog.rendering import (
    RenderedFile,
    addresses,
    container_spec,
    rendered_files,
    secret_files,
    seed_files,
)
from controller.catalog.tables import Action, LogSign, Resources, State, Validation
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
    "Resources",
    "SecretSpec",
    "State",
    "Template",
    "Validation",
    "action_command",
    "addresses",
    "container_spec",
    "load",
    "mistakes",
    "rendered_files",
    "secret_files",
    "seed_files",
    "tidy",
]

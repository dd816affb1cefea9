"""Templates: which bots can be made, what is asked for them, and what becomes of the answers."""

from controller.catalog.asked import FieldSpec, SecretSpec
from controller.catalog.load import Catalog, Refusal, load
from controller.catalog.render import RenderedFile, container_spec, rendered_files
from controller.catalog.template import Choice, Template

__all__ = [
    "Catalog",
    "Choice",
    "FieldSpec",
    "Refusal",
    "RenderedFile",
    "SecretSpec",
    "Template",
    "container_spec",
    "load",
    "rendered_files",
]

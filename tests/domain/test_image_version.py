"""What images say of their versions, and what of that an update changes."""

from __future__ import annotations

import pytest

from controller.domain.image_version import ImageVersion, version_of
from controller.domain.spec_changes import Difference, version_differences

NAME = "org.opencontainers.image."


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({f"{NAME}version": " 1.2 ", "other": "x"}, ImageVersion(version="1.2")),
        (
            {f"{NAME}revision": "abc", f"{NAME}created": "2026-11-01T00:00:00Z"},
            ImageVersion(revision="abc", created="2026-11-01T00:00:00Z"),
        ),
        ({f"{NAME}version": 7}, ImageVersion()),
        ({f"{NAME}version": "9" * 300}, ImageVersion(version="9" * 100)),
        (None, ImageVersion()),
        ("labels", ImageVersion()),
    ],
)
def test_only_texts_under_the_names_of_oci_count(labels: object, found: ImageVersion) -> None:
    """Whoever built the image wrote them, so anything may be there."""
    assert version_of(labels) == found


def test_only_what_differs_is_told() -> None:
    """A label that comes or goes differs too; the same version twice is no change."""
    before = ImageVersion(version="1.2", revision="abc")
    after = ImageVersion(version="1.3", revision="abc", created="2026-11-01")
    assert version_differences(before, after) == (
        Difference("image version", "1.2", "1.3"),
        Difference("image built", "", "2026-11-01"),
    )
    assert version_differences(after, after) == ()

from __future__ import annotations

import re

from twinforge.compat.cudnn_tables import parse_cudnn_table
from twinforge.compat.datatext import list_text, with_section
from twinforge.compat.overlay import overlay_names
from twinforge.compat.subjects import find_subject, subject_names
from twinforge.compat.tablefile import parse, shipped_text
from twinforge.compat.wheels import PublishedFile, PublishedVersion, published_versions


def published(*names: str) -> dict[str, PublishedVersion]:
    return published_versions(PublishedFile(name, "", is_yanked=False) for name in names)


def test_a_new_wheel_of_cudnn_is_known_by_its_glibc_and_nothing_else() -> None:
    wheels = published(
        "nvidia_cudnn_cu13-99.0.0.1-py3-none-manylinux_2_31_x86_64.whl",
        "nvidia_cudnn_cu13-99.1.0.2-py3-none-manylinux_2_31_x86_64.whl",
        "nvidia_cudnn_cu13-9.28.0.42-py3-none-manylinux_2_27_x86_64.whl",
        "nvidia_cudnn_cu13-99.2.0.3-py3-none-manylinux_2_31_aarch64.whl",
    )
    outcome = find_subject("cudnn").refresh({"nvidia-cudnn-cu13": wheels})
    assert outcome.section == "wheels"
    assert outcome.changes == (
        "nvidia-cudnn-cu13==99.0.0.1: new, needs glibc 2.31",
        "nvidia-cudnn-cu13==99.1.0.2: new, needs glibc 2.31",
    )
    (new,) = outcome.changed
    assert new.model_dump(exclude_defaults=True) == {
        "package": "nvidia-cudnn-cu13",
        "cuda": "13",
        "versions": ["99.0.0.1", "99.1.0.2"],
        "glibc": "2.31",
        "source": ["index"],
        "verified": True,
    }


def test_what_can_be_refreshed_can_be_written_to_a_project() -> None:
    assert set(subject_names()) <= set(overlay_names())
    for name in subject_names():
        subject = find_subject(name)
        assert subject.packages
        assert subject.table.collected
        assert subject.file.endswith(f"{name}.yaml")


def test_rewriting_a_section_with_its_own_records_changes_nothing_else() -> None:
    for name in subject_names():
        subject = find_subject(name)
        section = "wheels" if name == "cudnn" else "builds"
        before = shipped_text(subject.file)
        after = with_section(before, section, list_text(getattr(subject.table, section)))
        assert parse(type(subject.table), after, subject.file) == subject.table
        comments = re.compile(r"^#.*$", re.MULTILINE)
        assert comments.findall(after) == comments.findall(before)


def test_cudnn_with_a_new_wheel_is_still_a_valid_file() -> None:
    subject = find_subject("cudnn")
    wheels = published("nvidia_cudnn_cu12-99.0.0.1-py3-none-manylinux_2_31_x86_64.whl")
    outcome = subject.refresh({"nvidia-cudnn-cu12": wheels})
    text = with_section(shipped_text(subject.file), "wheels", list_text(outcome.records))
    text = text.replace("sources:\n", 'sources:\n  index: "the index"\n', 1)
    assert any("99.0.0.1" in record.versions for record in parse_cudnn_table(text).wheels)

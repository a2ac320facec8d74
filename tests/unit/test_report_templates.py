"""Templates are found wherever the package lies, and cannot forget to escape."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import fields
from pathlib import Path

import pytest

import gitbench
from gitbench.report import Options, tasks, view
from gitbench.report.templates import TemplateError, _environment, read_template

ROOT = Path(gitbench.__file__).parents[1]
NAMES = sorted(path.name for path in (ROOT / "templates").iterdir())


def test_checkout_has_its_templates_beside_the_package() -> None:
    """In a checkout the templates are read from the top of the repository."""
    assert read_template("report.css") == (ROOT / "templates/report.css").read_text()


def test_missing_template_is_a_stated_error() -> None:
    """A template that is in neither place is an error that names both."""
    with pytest.raises(TemplateError, match=r"'none\.j2' is neither in .*/templates"):
        read_template("none.j2")


@pytest.mark.parametrize("inside", [True, False])
def test_templates_are_read_from_a_zip(tmp_path: Path, inside: bool) -> None:
    """A zipped app renders with templates inside the package or beside it."""
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted((ROOT / "gitbench").rglob("*.py")):
            target.write(path, path.relative_to(ROOT))
        for name in NAMES:
            folder = "gitbench/templates" if inside else "templates"
            target.write(ROOT / "templates" / name, f"{folder}/{name}")
    script = (
        "from gitbench.model import *; from gitbench.report import render; "
        "report = Report(Verdict.NOT_COMPARED, 3, 'a', 'b', Settings(), (), ()); "
        "[print(render(report, f)) for f in ('text', 'markdown', 'html', 'junit')]; "
        "import gitbench; print(gitbench.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(archive), "PYTHONIOENCODING": "utf-8"},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.count("nothing was compared") >= 5
    assert done.stdout.strip().endswith(f"{archive}/gitbench/__init__.py")


def test_reports_are_imported_without_the_template_engine() -> None:
    """Making text safe loads neither Jinja nor any other heavy library."""
    script = (
        "import sys, gitbench.report, gitbench.report.escape, gitbench.report.data, "
        "gitbench.report.templates; "
        "print({'jinja2', 'markupsafe', 'numpy', 'json'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("fmt", "name", "safe"),
    [
        ("text", "\x1b[1mx", "\ufffd[1mx"),
        ("markdown", "<b>|", "<code>&#60;b&#62;&#124;</code>"),
        ("html", "<b>&", "&lt;b&gt;&amp;"),
        ("junit", "]]>\x00", "]]&gt;\ufffd"),
    ],
)
def test_every_expression_is_escaped(fmt: str, name: str, safe: str) -> None:
    """A template that only prints a name prints it safely, in macros and blocks."""
    environment = _environment(fmt, Options())
    source = (
        "{% macro m(x) %}{{ x }}{% endmacro %}{% set s %}{{ name }}{% endset %}"
        "{{ name }},{{ m(name) }},{{ s }},{{ [name]|first }}"
    )
    text = environment.from_string(source).render(name=name)
    assert text == ",".join([safe] * 4)


@pytest.mark.parametrize(
    "noun",
    [
        view.ReportView,
        view.GroupView,
        view.Row,
        view.Fold,
        view.ShiftView,
        tasks.TaskView,
        tasks.OutcomesView,
    ],
)
def test_every_field_that_templates_get_is_documented(noun: type) -> None:
    """Each field of what a template is given stands on the reference page."""
    page = ROOT / "docs" / "reference" / "templates.md"
    text = page.read_text(encoding="utf-8")
    names = {field.name for field in fields(noun)}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_template_switches_escaping_off(name: str) -> None:
    """Only the signs of verdicts, which are ours, are called safe."""
    text = (ROOT / "templates" / name).read_text(encoding="utf-8")
    assert "autoescape" not in text
    assert text.count("|safe") == (1 if name == "macros.md.j2" else 0)

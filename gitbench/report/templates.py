"""Templates: where they are found, and the environment that renders them.

Every expression of a template passes the escape function of its format before it
is written (`finalize`), so that a template cannot forget one; what is already
safe there is `Markup` and passes unchanged.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gitbench
from gitbench.errors import GitbenchError
from gitbench.model import Report
from gitbench.report import escape
from gitbench.report.terminal import Terminal, tidy
from gitbench.report.view import build_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

    from gitbench.report import Options


class TemplateError(GitbenchError):
    """A template of ours is not where it was installed."""


_FILES = {
    "text": "report.txt.j2",
    "markdown": "report.md.j2",
    "html": "report.html.j2",
    "junit": "report.junit.xml.j2",
}


def render_template(report: Report, fmt: str, options: Options) -> str:
    """The report through the template of its format."""
    template = _environment(fmt, options).get_template(_FILES[fmt])
    view = build_view(report, options.all_rows)
    context: dict[str, Any] = {"report": view, "options": options}
    if fmt == "junit":
        from gitbench.report.junit import junit_suites

        context["suites"] = junit_suites(view)
    text = template.render(context)
    return tidy(text) if fmt in ("text", "markdown") else text


@lru_cache(maxsize=16)
def _environment(fmt: str, options: Options) -> Environment:
    """The environment of a format: what a template can call, and how it escapes.

    Templates of users come here as a second loader and a sandboxed class; the
    escaping stays the same, since it hangs on the environment.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    escapes: dict[str, Callable[[object], Any]] = {
        "markdown": escape.markdown,
        "html": escape.html,
        "junit": escape.xml,
    }
    terminal = Terminal(options.width, options.colour, options.unicode)
    environment = Environment(
        autoescape=True,
        finalize=escapes.get(fmt, terminal.escape),
        loader=FunctionLoader(read_template),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["prose"] = _prose
    environment.filters["html"] = escape.html
    environment.filters["bare"] = escape.xml
    if fmt == "text":
        environment.globals["terminal"] = terminal
    if fmt == "html":
        environment.globals.update(_style())
    return environment


def _prose(value: object) -> escape.Prose:
    """A word or a number as running text, not as a name."""
    return escape.Prose(f"{value:,}" if isinstance(value, int) else value)


def _style() -> dict[str, Any]:
    """The page's style sheet, and the hash that lets it alone pass the page's CSP."""
    from base64 import b64encode
    from hashlib import sha256

    from markupsafe import Markup

    sheet = read_template("report.css")
    digest = b64encode(sha256(sheet.encode()).digest()).decode()
    return {"style": Markup(sheet), "style_hash": Markup(f"sha256-{digest}")}


def read_template(name: str) -> str:
    """Text of a template of ours, from wherever this package was imported.

    The package's own loader reads it, so that a zipped app works like a folder.
    An installed package has its templates inside, a checkout beside it.
    """
    inside = gitbench.__path__[0]
    above = inside.replace("\\", "/").rpartition("/")[0]
    loader: Any = gitbench.__loader__
    for root in (inside, above):
        try:
            data: bytes = loader.get_data(f"{root}/templates/{name}")
        except OSError:
            continue
        return data.decode("utf-8")
    raise TemplateError(
        f"The template {name!r} is neither in {inside}/templates nor in "
        f"{above}/templates; install gitbench again."
    )

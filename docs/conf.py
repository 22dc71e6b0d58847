"""The documentation site. `make docs` builds it into build/docs, without a network."""

import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

import throughtime  # noqa: E402  # after the path
from throughtime.plotting import DARK, LIGHT, Palette  # noqa: E402  # as above

project = "throughtime"
author = "the throughtime contributors"
copyright = author  # noqa: A001  # Sphinx's name
version = release = throughtime.__version__

extensions = [
    "commands",
    "complete",
    "console",
    "docstrings",
    "equations",
    "included",
    "myst_nb",
    "pictures",
    "registries",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
templates_path: list[str] = []
exclude_patterns = ["_*", "**/.ipynb_checkpoints"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
smartquotes_action = "D"  # dashes alone: the primes of equation numbers stay primes

# MathML, written when the site is built, and no MathJax: that comes from a network at every visit,
# and shows TeX where there is none. What MathML cannot say fails the build instead of the page.
html_math_renderer = "mathml"

# Kernels of this environment that say nothing about how they are connected.
os.environ["JUPYTER_PATH"] = str(HERE / "_jupyter")
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
# A drawing stands in the page itself, in its colours; elsewhere notebooks show it as an image.
nb_mime_priority_overrides = [("html", "image/svg+xml", 1)]
nb_output_stderr = "warn"  # a notebook that warns is wrong

autodoc_default_options = {"members": True, "member-order": "bysource", "no-value": True}
autodoc_typehints = "none"  # the docstrings say more: shapes
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
maximum_signature_line_length = 88


def colours(palette: Palette) -> dict[str, str]:
    """The variables of the theme, and of the pictures in its pages, from the house palette."""
    return dict(palette.items()) | {
        "color-background-primary": palette.surface,
        "color-background-secondary": palette.panel,
        "color-background-border": palette.grid,
        "color-code-background": palette.panel,
        "color-foreground-primary": palette.ink,
        "color-foreground-muted": palette.muted,
        "color-brand-primary": palette.forecast,
        "color-brand-content": palette.forecast,
        "color-brand-visited": palette.forecast,
        "color-problematic": palette.backtest,
    }


html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "throughtime"
html_static_path = ["_static"]
html_css_files = ["house.css"]
html_copy_source = False
html_domain_indices = False
html_show_sphinx = False
html_theme_options: dict[str, Any] = {
    "light_css_variables": colours(LIGHT),
    "dark_css_variables": colours(DARK),
}

"""How Sphinx builds the site; what is generated from the code and the records is in ``_ext``."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from pages import write_pages  # noqa: E402
from scraper import FigureScraper  # noqa: E402

import graphnas  # noqa: E402

project = "graphnas"
author = "the graphnas contributors"
project_copyright = "the graphnas contributors, MIT licence"
release = version = graphnas.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_ext", "tutorials", "generated/tutorials/*.ipynb"]
exclude_patterns += ["generated/readme-*.md", "generated/samplers.md"]  # parts of other pages
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
suppress_warnings = ["config.cache"]  # the scraper is an object, which no cache can hold

# Markdown: anchors of headings can be linked, as on the pages that hosts of repositories show.
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

# The API: signatures with types, text as it stands in the code; `name` without a role is code.
default_role = "code"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Tutorials are programs, which are run now. One that fails fails the build.
os.environ.setdefault("OMP_NUM_THREADS", "1")
only = os.environ.get("TUTORIALS", "") or r"\d+_"  # the beginning of a file's name
sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "generated/tutorials",
    "filename_pattern": rf"[/\\]{only}",
    "ignore_pattern": r"[/\\]_",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": (FigureScraper(),),
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"(matplotlib|plotly)\..*Figure",
    "reset_modules": (),
    "remove_config_comments": True,
    "show_signature": False,
    "download_all_examples": False,
    "nested_sections": False,
    "write_computation_times": False,
    "only_warn_on_example_error": True,  # and warnings are errors, but only after all have been run
}
warnings.filterwarnings("ignore", category=DeprecationWarning)

html_theme = "furo"
html_title = f"graphnas {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
# The system's fonts and no scripts from elsewhere: the site works without network.
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#00608f", "color-brand-content": "#00608f"},
    "dark_css_variables": {"color-brand-primary": "#56b4e9", "color-brand-content": "#56b4e9"},
}


def setup(app: object) -> None:
    """Write the generated pages before Sphinx looks for its sources."""
    write_pages(HERE)

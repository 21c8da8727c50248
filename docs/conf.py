"""How Sphinx makes the site."""

from docs.reference import write

project = "Lyceum"
author = "The Lyceum authors"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Lyceum"
exclude_patterns = ["site", "requirements.*"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
#: Files of the repository that the documents point to are no pages of the site.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]  # and examples leave things out by `…`
myst_disable_syntax = ["footnote_ref"]  # a pattern such as [^@] is none

write()

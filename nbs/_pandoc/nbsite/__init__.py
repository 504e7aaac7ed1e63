"""A small docs builder for nbdev notebooks: pandoc for the text, everything else here.

The way of a page: `project` (settings, sidebar) -> `notebook` (cells to markdown) -> `render` (markdown to HTML)
-> `links` (names and notebooks to pages) -> `search` (the index) -> `check` (nothing broken). `site` joins them;
`readme` writes README.md."""


class DocsError(Exception):
    "Something in the notebooks or in `_quarto.yml` has to be mended before the docs can be built; the text says what"


def as_list(value) -> list:
    "YAML allows one thing where a list is meant"
    if value is None: return []
    return list(value) if isinstance(value, (list, tuple)) else [value]

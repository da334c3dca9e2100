"""Notebooks of data work, as people write them: short, and each with a way in which names hang together."""

from __future__ import annotations

from . import classes, figures, frames, functions, models

#: The cells of each notebook, by name.
NOTEBOOKS: dict[str, list[str]] = {
    name: [cell.strip() for cell in text.split("# %%\n")]
    for module in (frames, figures, models, functions, classes)
    for name, text in module.NOTEBOOKS.items()
}

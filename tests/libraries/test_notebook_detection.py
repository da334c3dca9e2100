"""How libraries find out that they run in a notebook."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.libraries.steps import result

#: As they stand in many libraries; the first one is the answer that everybody copies.
RECIPES = {
    "class name": "get_ipython().__class__.__name__ == 'ZMQInteractiveShell'",
    "class": "'zmqshell' in str(type(get_ipython()))",
    "instance": "__import__('ipykernel.zmqshell').zmqshell.ZMQInteractiveShell.initialized()",
    "app in the configuration": "'IPKernelApp' in get_ipython().config",
    "kernel": "hasattr(get_ipython(), 'kernel')",
    "module": "'ipykernel' in __import__('sys').modules",
    "rich": "__import__('rich.console').console._is_jupyter()",
    "tqdm": "__import__('tqdm.auto').auto.tqdm.__mro__[1].__module__ == 'tqdm.notebook'",
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_library_s_recipe_says_notebook(recipe: str, notebook: Notebook) -> None:
    assert result(notebook, recipe) == "True"

"""`%%isolated`: what goes to the other process, what comes back, and what cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kernel.client import Notebook


def test_it_is_another_process_of_this_machine(notebook: Notebook) -> None:
    notebook.run("import os; here = os.getpid()")
    cell = notebook.run("%%isolated\nthere = os.getpid()\nthere != here, os.getppid() == here")
    assert cell.result == "(True, True)"
    assert notebook.run("there != here").result == "True"


def test_the_tag_does_the_same(notebook: Notebook) -> None:
    notebook.run("import os; here = os.getpid()")
    metadata = {"tags": ["isolated"], "cellId": "of a page"}
    assert notebook.run("os.getppid() == here", metadata=metadata).result == "True"


def test_one_process_serves_the_next_cell_too_with_a_namespace_of_its_own(notebook: Notebook) -> None:
    first = notebook.run("%%isolated\nimport os, builtins\nleft = os.getpid()\nleft")
    notebook.run("del left")
    again = notebook.run("%%isolated\nimport os\n'left' in globals(), os.getpid()")
    assert again.result == f"(False, {first.result})"


def test_output_arrives_while_it_runs(notebook: Notebook, tmp_path: Path) -> None:
    gate = os.path.join(tmp_path, "gate")
    code = (
        "import os, sys, time\nfrom IPython.display import HTML, display\nprint('printed')\n"
        "display(HTML('<b>shown</b>'))\nos.system('echo by a child')\nprint('to stderr', file=sys.stderr)\n"
        f"while not os.path.exists({gate!r}): time.sleep(.01)\n'over'"
    )
    cell = notebook.submit(f"%%isolated\n{code}")
    for text in ("printed", "IPython.core.display.HTML", "by a child", "to stderr"):
        cell.wait_for_text(text)
    assert not cell.done and cell.result is None
    assert cell.displays[0]["text/html"] == "<b>shown</b>"
    with open(gate, "w"):
        assert cell.wait().result == "'over'"


def test_the_result_is_the_cells_in_every_respect(notebook: Notebook) -> None:
    cell = notebook.run("%%isolated\n[6 * 7]")
    assert cell.result == "[42]"
    assert notebook.run(f"_, Out[{cell.count}], _{cell.count} is _").result == "([42], [42], True)"
    assert notebook.run(f"In[{cell.count}], _exception").result == "('[6 * 7]', None)"


def test_a_name_that_cannot_be_pickled_is_missed_only_where_it_is_used(notebook: Notebook) -> None:
    notebook.run("import threading; lock = threading.Lock(); x = 1\ndef use(): return lock")
    assert notebook.run("%%isolated\nif x: y = 5\nelse: use()\ny").result == "5"
    cell = notebook.run("%%isolated\nuse()")
    assert cell.error == (
        "NameError",
        "name 'lock' is not defined in another process: "
        "it cannot be pickled (TypeError: cannot pickle '_thread.lock' object)",
    )
    assert "in use()" in cell.traceback


def test_what_only_a_text_names_is_found_or_its_absence_explained(notebook: Notebook) -> None:
    notebook.run("hidden = 7; names = ['hidden']")
    assert notebook.run("%%isolated\neval('hidden + 1')").result == "8"
    missing = notebook.run("%%isolated\neval(names[0])")
    why = "in another process: the cell's code does not show that it is read; add `--send hidden`"
    assert missing.error == ("NameError", f"name 'hidden' is not defined {why}")
    assert missing.text.count(why) == 1
    assert notebook.run("%%isolated --send hidden\neval(names[0])").result == "7"


@pytest.mark.parametrize(
    ("code", "told"),
    {
        "as the reason of another error": ("try: eval(n[0])\nexcept NameError: 1 / 0", 1),
        "in a group": (
            "try: eval(n[0])\nexcept NameError as e: raise ExceptionGroup('two', [e, ValueError()])",
            1,
        ),
        "of a name that exists nowhere": ("eval(n[1])", 0),
        "of a name that the cell has deleted": ("eval(n[2]); del sent; eval(n[2])", 0),
        "in words of the user's own": ("raise ValueError('name \\'hidden\\' is not defined')", 0),
    }.values(),
)
@pytest.mark.parametrize("colors", ["nocolor", "linux"])
def test_the_absence_of_a_name_is_explained_where_it_is_shown_and_true(
    code: str, told: int, colors: str, notebook: Notebook
) -> None:
    notebook.run(f"%colors {colors}\nhidden = sent = 7; n = ['hidden', 'nowhere', 'sent']")
    cell = notebook.run(f"%%isolated --send sent\n{code}")
    assert cell.error is not None and cell.text.count("add `--send hidden`") >= told
    assert told or "add `--send" not in cell.text


def test_what_the_user_leaves_out_is_left_out(notebook: Notebook) -> None:
    notebook.run("secret = 1; shown = 2")
    cell = notebook.run("%%isolated --not secret\nprint(shown)\nsecret")
    assert cell.stdout == "2\n"
    assert "`--not` left it out" in cell.text


def test_sending_what_does_not_exist_is_an_error(notebook: Notebook) -> None:
    cell = notebook.run("%%isolated --send nobody,nothing\nprint('ran')")
    assert cell.error == ("ElsewhereError", "`--send` names what does not exist: nobody, nothing")
    assert cell.stdout == ""


def test_what_cannot_be_rebuilt_there_is_explained(notebook: Notebook) -> None:
    notebook.run(
        "class Fragile:\n    def __reduce__(self): return eval, ('1 / 0',)\nfragile = Fragile(); fine = 1"
    )
    assert notebook.run("%%isolated --send fragile\nfine").result == "1"
    cell = notebook.run("%%isolated\nfragile")
    assert "it could not be rebuilt there (ZeroDivisionError: division by zero)" in cell.text


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("g = (i for i in [1])", "`g`, a generator (cannot pickle 'generator' object)"),
        (
            "ok = 1\n(i for i in [1])",
            "the cell's last value (a semicolon behind it keeps it there), a generator",
        ),
        ("import threading\nok = [threading.Lock()]", "`ok`, a list (cannot pickle '_thread.lock' object)"),
        ("class Bad:\n    def __reduce__(self): raise KeyError('no')\nok = Bad()", "`ok`, a Bad ('no')"),
    ],
)
def test_what_cannot_come_back_is_refused_and_nothing_is_merged(
    code: str, complaint: str, notebook: Notebook
) -> None:
    notebook.run("before = [1]; ok = g = None")
    cell = notebook.run(f"%%isolated\nbefore.append(2)\nnew = 1\n{code}")
    assert cell.status == "error" and cell.reply["ename"] == "ResultError"
    assert complaint in cell.reply["evalue"] and "Nothing was merged" in cell.reply["evalue"]
    assert notebook.run("before, ok, g, 'new' in globals()").result == "([1], None, None, False)"


def test_what_cannot_be_rebuilt_here_merges_nothing(notebook: Notebook) -> None:
    notebook.run("x = 1")
    cell = notebook.run(
        "%%isolated\nx = 2\nclass Fragile:\n    def __reduce__(self): return eval, ('1 / 0',)\nf = Fragile()"
    )
    assert cell.reply["ename"] == "ResultError"
    assert "cannot be rebuilt here (ZeroDivisionError: division by zero)" in cell.reply["evalue"]
    assert notebook.run("x, 'f' in globals()").result == "(1, False)"


def test_functions_that_come_back_see_the_live_namespace(notebook: Notebook) -> None:
    notebook.run("rate = 2")
    notebook.run("%%isolated\ndef cost(n): return n * rate\ncosts = {'all': [cost]}")
    assert notebook.run("rate = 5\ncost(2), costs['all'][0](2), cost.__globals__ is globals()").result == (
        "(10, 10, True)"
    )


def test_a_name_of_the_kernels_is_right_again_and_told(notebook: Notebook) -> None:
    notebook.run("41 + 1")
    cell = notebook.run("%%isolated\n_ = 5\nIn = None")
    assert "are reserved for the kernel" in cell.receipt
    assert notebook.run("_, In[-1]").result == "(42, '_, In[-1]')"


def test_a_program_is_where_the_kernel_is(notebook: Notebook, tmp_path: Path) -> None:
    notebook.run(
        f"import os, sys; where = {str(tmp_path)!r}; os.chdir(where); os.environ['OF_A_TEST'] = 'yes'"
    )
    notebook.run("with open('own_module.py', 'w') as file: print('value = 3', file=file)")
    notebook.run("sys.path.insert(0, os.getcwd()); del file")
    cell = notebook.run(
        "%%isolated\nimport own_module\nos.getcwd() == where, os.environ['OF_A_TEST'], own_module.value"
    )
    assert cell.result == "(True, 'yes', 3)"
    assert notebook.run("own_module.value").result == "3"
    notebook.run("del os.environ['OF_A_TEST']")
    assert notebook.run("%%isolated\n'OF_A_TEST' in os.environ").result == "False"


def test_an_answer_to_a_question_cannot_be_had_there(notebook: Notebook) -> None:
    for code in ("input('name?')", "import getpass; getpass.getpass()"):
        cell = notebook.run(f"%%isolated\n{code}", allow_stdin=True)
        assert cell.reply["ename"] == "RuntimeError" and not cell.input_requests
        assert "cannot ask for input; ask in a cell of its own" in cell.reply["evalue"]
        assert "shell.py" not in cell.traceback
    assert "there is no debugger" in notebook.run("%%isolated\nbreakpoint()").text


def test_results_above_the_limit_are_refused(notebook: Notebook) -> None:
    notebook.run("%config NamespaceKernel.isolated_result_limit = 1")
    small = notebook.run("%%isolated\nsmall = bytes(1_000_000)")
    large = notebook.run("%%isolated\nother = 1\nlarge = bytes(3 * 2**20)")
    notebook.run("%config NamespaceKernel.isolated_result_limit = 0")
    assert small.status == "ok" and large.status == "error"
    assert "3 MiB, of which `large` has 3" in large.reply["evalue"]
    assert "NamespaceKernel.isolated_result_limit allows 1" in large.reply["evalue"]
    assert notebook.run("len(small), 'other' in globals()").result == "(1000000, False)"


def test_magics_work_there(notebook: Notebook) -> None:
    notebook.run("n = 10")
    assert "Wall time" in notebook.run("%%isolated\n%time sum(range(n))").stdout
    cell = notebook.run("%%isolated\n%%capture out\nprint(n)")
    assert cell.status == "ok" and notebook.run("out.stdout").result == "'10\\n'"


def test_a_thousand_lines_and_more(notebook: Notebook) -> None:
    cell = notebook.run("%%isolated\nfor i in range(20_000): print(i)")
    assert cell.stdout.split() == [str(i) for i in range(20_000)]


def test_a_plot_is_shown_once(notebook: Notebook) -> None:
    cell = notebook.run(
        "%%isolated\nimport matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2]);"
    )
    assert [set(data) for data in cell.displays] == [{"image/png", "text/plain"}]
    assert notebook.run("len(ax.lines), ax.figure is fig").result == "(1, True)"


def test_a_module_that_was_changed_since_is_read_anew(notebook: Notebook, tmp_path: Path) -> None:
    module = tmp_path / "changing.py"
    module.write_text("value = 1")
    notebook.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    use = "%%isolated\nimport changing\nfound = changing.value\ndel changing\nfound"
    assert notebook.run(use).result == "1"
    module.write_text("value = 2")
    os.utime(module, (1, 1))
    assert notebook.run(use).result == "2"


def test_a_widget_is_shown_as_text(notebook: Notebook) -> None:
    cell = notebook.run("%%isolated\nimport ipywidgets\ndisplay(ipywidgets.IntSlider(value=3));")
    assert [set(data) for data in cell.displays] == [{"text/plain"}]
    assert "IntSlider(value=3)" in cell.displays[0]["text/plain"]


def test_libraries_take_it_for_a_notebook(notebook: Notebook) -> None:
    code = "from rich.jupyter import print\nprint('[bold]x[/bold]')"
    assert "text/html" in notebook.run(f"%%isolated\n{code}").displays[0]


def test_without_the_packages_it_says_what_to_install(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import sys; sys.modules['cloudpickle'] = None; x = 1")
    cell = fresh_notebook.run("%%isolated\nprint('ran', x)")
    assert cell.reply["ename"] == "MissingPackageError"
    assert "pip install 'namespace_kernel[isolated]'" in cell.reply["evalue"]
    assert cell.stdout == "" and fresh_notebook.run("x").result == "1"


def test_what_a_with_has_bound_stays_there_and_is_told(notebook: Notebook, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("1 2 3")
    notebook.run(f"file = 'as before'; path = {str(tmp_path / 'data.txt')!r}")
    cell = notebook.run(
        f"%%isolated\nwith open({str(tmp_path / 'data.txt')!r}) as file: data = file.read()\ndata"
    )
    assert cell.result == "'1 2 3'"
    assert cell.receipt == "not copied back: `file` (Cannot pickle closed files)"
    assert notebook.run("data, file").result == "('1 2 3', 'as before')"
    kept = notebook.run("%%isolated\nwith open(path) as file: kept = file")
    assert kept.reply["ename"] == "ResultError" and "`kept`" in kept.reply["evalue"]

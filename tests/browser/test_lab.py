"""JupyterLab with this kernel, driven in Chromium as a person drives it."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.lab import PATIENCE, LabNotebook, LabServer
from tests.kernel.client import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

ARTIFACTS = ROOT / "tests" / "artifacts"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@pytest.fixture(scope="module")
def server(
    chromium: str,
    installed_kernelspec: str,
    kernel_env: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LabServer]:
    server = LabServer(tmp_path_factory.mktemp("lab"), kernel_env, installed_kernelspec)
    yield server
    server.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, server: LabServer, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page; what it shows at the end is kept as the test's artefact."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    page = context.new_page()
    yield page
    ARTIFACTS.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "_", request.node.name.removeprefix("test_"))
    page.screenshot(path=ARTIFACTS / f"{name}.png")
    context.close()


def test_the_launcher_offers_the_kernel_with_its_logo(page: Page, server: LabServer) -> None:
    page.goto(f"{server.url}lab?reset")
    card = page.locator('.jp-LauncherCard[data-category="Notebook"]').filter(has_text="Python (namespace)")
    expect(card).to_be_visible()
    logo = card.locator("img")
    expect(logo).to_be_visible()
    assert "logo" in (logo.get_attribute("src") or "")
    assert logo.evaluate("logo => logo.complete && logo.naturalWidth > 0")

    card.click()
    expect(page.locator(".jp-NotebookPanel:visible")).to_be_visible()
    expect(page.locator(".jp-NotebookPanel:visible .jp-Toolbar-kernelName")).to_have_text(
        "Python (namespace)"
    )


def test_run_all_shows_every_cell_s_output(page: Page, server: LabServer, installed_kernelspec: str) -> None:
    server.write_notebook(
        "run_all.ipynb",
        installed_kernelspec,
        "import asyncio\nasync def f(): return 42\nasyncio.run(f())",
        "asyncio.get_event_loop().run_until_complete(f())",
        "await f()",
        "print('to stdout')\nimport pandas as pd; pd.DataFrame({'column': [1, 2]})",
        "import matplotlib.pyplot as plt; plt.plot([1, 3, 2]);",
        "async def g(): ...\ng();",
    )
    notebook = LabNotebook(page, server, "run_all.ipynb")
    notebook.run_all()
    for number in range(3):
        expect(notebook.outputs(number)).to_contain_text("42")
    expect(notebook.outputs(3).first).to_contain_text("to stdout")
    expect(notebook.cell(3).locator("table")).to_contain_text("column")
    expect(notebook.cell(4).locator(".jp-OutputArea-output img")).to_be_visible()
    expect(notebook.cell(5)).to_contain_text("Use await g()")
    for number in range(6):
        expect(notebook.prompt(number)).to_have_text(f"[{number + 1}]:")


def test_the_picture_of_the_start_page(page: Page, server: LabServer, installed_kernelspec: str) -> None:
    """Its artefact is `docs/images/lab.png`."""
    server.write_notebook(
        "prices.ipynb",
        installed_kernelspec,
        "import asyncio\nimport time\n\nasync def price(item):\n    await asyncio.sleep(0.1)\n"
        '    return 1.5 * len(item)\n\nasyncio.run(price("tea"))  # a plain cell: no event loop is running',
        'await asyncio.gather(price("tea"), price("coffee"))  # a cell that awaits: on the kernel\'s loop',
        "ticks = []\n\nasync def tick():\n    while True:\n        ticks.append(time.time())\n"
        "        await asyncio.sleep(0.05)\n\nclock = asyncio.create_task(tick())",
        "before = len(ticks)\ntime.sleep(1)  # blocks this cell; the task goes on\nlen(ticks) - before",
        'price("coffee");',
    )
    notebook = LabNotebook(page, server, "prices.ipynb")
    notebook.run_all()
    expect(notebook.cell(4)).to_contain_text('line 1: price("coffee") was called without await')
    expect(notebook.outputs(0)).to_contain_text("4.5")
    expect(notebook.outputs(1)).to_contain_text("[4.5, 9.0]")
    expect(notebook.cell(2)).to_contain_text("tick()")


#: What the pictures of the receipt show.
LEFT = (
    "import asyncio, threading, time\n\nasync def price(item):\n    await asyncio.sleep(0.1)\n"
    "    return 1.5 * len(item)\n\nasync def tick():\n    while True:\n        await asyncio.sleep(1)",
    'price("tea");',
    "clocks = [asyncio.create_task(tick()) for _ in range(3)]\n"
    'poller = threading.Thread(target=time.sleep, args=(600,), name="poller", daemon=True)\n'
    'poller.start()\nprice("coffee");',
    '_ = "mine"',
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_receipt_can_be_read_in_each_theme(
    theme: str, page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    """Its artefacts are `docs/images/receipt_light.png` and `receipt_dark.png`."""
    server.write_notebook(f"{theme}.ipynb", installed_kernelspec, *LEFT)
    page.set_viewport_size({"width": 1200, "height": 800})
    notebook = LabNotebook(page, server, f"{theme}.ipynb")
    notebook.menu("Settings", "Theme", f"JupyterLab {theme.capitalize()}")
    expect(page.locator(f'body[data-jp-theme-light="{str(theme == "light").lower()}"]')).to_have_count(1)
    notebook.run_all()
    expect(notebook.cell(3)).to_contain_text("_ is reserved")
    summary = notebook.cell(2).locator("summary")
    summary.click()
    row = notebook.cell(2).locator("tr").filter(has_text="tick() (3 times)")
    expect(row).to_contain_text("%stop task")
    shown = "node => { const style = getComputedStyle(node); return [style.color, style.backgroundColor] }"
    text, _ = summary.evaluate(shown)
    _, ground = page.locator(".jp-Notebook").first.evaluate(shown)
    assert contrast(text, ground) >= 4.5, "as the guidelines for accessible pages ask"
    ARTIFACTS.mkdir(exist_ok=True)
    page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").screenshot(
        path=ARTIFACTS / f"receipt_{theme}.png"
    )


def contrast(*colours: str) -> float:
    """The contrast of two colours, `rgb(…)`, as WCAG defines it."""

    def luminance(colour: str) -> float:
        parts = [int(one) / 255 for one in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (one / 12.92 if one <= 0.04 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted(map(luminance, colours))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_receipt_can_be_read_in_exported_html(
    page: Page, server: LabServer, installed_kernelspec: str, kernel_env: dict[str, str]
) -> None:
    """Its artefact is `docs/images/receipt_html.png`."""
    server.write_notebook("exported.ipynb", installed_kernelspec, *LEFT)
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "exported.ipynb"]
    subprocess.run(command, env=kernel_env, cwd=server.files, check=True, capture_output=True, timeout=120)
    page.set_viewport_size({"width": 1000, "height": 800})
    page.goto((server.files / "exported.html").as_uri())
    summary = page.locator("summary").filter(has_text="3 tasks still ran")
    summary.click()
    expect(page.locator("tr").filter(has_text="tick() (3 times)")).to_contain_text("line 1")
    ARTIFACTS.mkdir(exist_ok=True)
    page.locator("main").screenshot(path=ARTIFACTS / "receipt_html.png")


SLEEPS = [
    *("time.sleep(600)", "await asyncio.sleep(600)"),
    "busy = lambda: any(_ for _ in iter(int, 1)); asyncio.get_running_loop().call_later(.1, busy); "
    "await asyncio.sleep(600)",
]


@pytest.mark.parametrize("sleep", SLEEPS, ids=["plain", "awaiting", "held up by its callback"])
def test_stop_ends_a_sleeping_cell_and_the_next_one_runs(
    sleep: str, page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    code = f"import asyncio, time; print('ready'); {sleep}"
    name = f"stop_{sleep.split()[0].partition('.')[0]}.ipynb"
    server.write_notebook(name, installed_kernelspec, code, "6 * 7")
    notebook = LabNotebook(page, server, name)
    notebook.menu("Run", "Run Selected Cell")
    expect(notebook.cell(0)).to_contain_text("ready")
    expect(notebook.prompt(0)).to_have_text("[*]:")
    notebook.stop()
    expect(notebook.cell(0)).to_contain_text("KeyboardInterrupt")
    expect(notebook.prompt(0)).to_have_text("[1]:")
    notebook.menu("Run", "Run Selected Cell")
    expect(notebook.outputs(1)).to_contain_text("42")


def test_restart_gives_a_new_kernel_with_an_empty_namespace(
    page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    server.write_notebook(
        "restart.ipynb", installed_kernelspec, "import os; print('pid', os.getpid(), 'x' in globals()); x = 1"
    )
    notebook = LabNotebook(page, server, "restart.ipynb")
    notebook.run_all()
    first = notebook.outputs(0)
    expect(first).to_contain_text("False")
    before = first.inner_text()
    notebook.restart()
    notebook.expect_kernel_status("Idle")
    notebook.run_all()
    expect(notebook.outputs(0)).to_contain_text("False")
    expect(notebook.outputs(0)).not_to_have_text(before)
    expect(notebook.prompt(0)).to_have_text("[1]:")


def test_restart_ends_a_sleeping_cell(page: Page, server: LabServer, installed_kernelspec: str) -> None:
    server.write_notebook("restart_busy.ipynb", installed_kernelspec, "import time; time.sleep(600)", "6 * 7")
    notebook = LabNotebook(page, server, "restart_busy.ipynb")
    notebook.menu("Run", "Run Selected Cell")
    expect(notebook.prompt(0)).to_have_text("[*]:")
    notebook.restart()
    notebook.expect_kernel_status("Idle")
    notebook.menu("Run", "Run Selected Cell")
    expect(notebook.outputs(1)).to_contain_text("42")


def test_a_background_task_s_output_appears_under_its_cell_while_another_sleeps(
    page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    server.write_notebook(
        "task.ipynb",
        installed_kernelspec,
        "import asyncio, threading, time; go = threading.Event()",
        "async def report():\n"
        "    for n in range(3): print('from the task', n); await asyncio.sleep(.1)\n"
        "    go.set()\n"
        "task = asyncio.create_task(report())",
        "print('waited', go.wait(60))",
    )
    notebook = LabNotebook(page, server, "task.ipynb")
    notebook.run_all()
    expect(notebook.cell(2)).to_contain_text("waited True")
    expect(notebook.cell(1)).to_contain_text("from the task 2")
    expect(notebook.cell(2)).not_to_contain_text("from the task")


def test_a_slider_that_is_moved_while_a_cell_sleeps_reaches_it(
    page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    server.write_notebook(
        "slider.ipynb",
        installed_kernelspec,
        "import ipywidgets, time; s = ipywidgets.IntSlider(); s",
        "while s.value < 2: time.sleep(.05)\nprint('moved to', s.value >= 2)",
    )
    notebook = LabNotebook(page, server, "slider.ipynb")
    notebook.run_all()
    slider = notebook.cell(0).get_by_role("slider")
    expect(slider).to_be_visible()
    expect(notebook.prompt(1)).to_have_text("[*]:")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    expect(notebook.cell(1)).to_contain_text("moved to True")


def test_completion_works_while_a_cell_sleeps(
    page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    server.write_notebook(
        "completion.ipynb",
        installed_kernelspec,
        "import time; a_very_long_name = 1; time.sleep(600)",
        "a_very_l",
    )
    notebook = LabNotebook(page, server, "completion.ipynb")
    notebook.menu("Run", "Run Selected Cell")
    expect(notebook.prompt(0)).to_have_text("[*]:")
    editor = notebook.cell(1).locator(".cm-content")
    editor.click()
    page.keyboard.press("End")
    # JupyterLab gives an answer one second and forgets the question then; on a loaded machine one asks again.
    for _ in range(10):
        page.keyboard.press("Tab")
        with contextlib.suppress(AssertionError):
            expect(page.locator(".jp-Completer")).to_contain_text("a_very_long_name", timeout=5000)
            break
    else:
        pytest.fail("no completion while a cell sleeps")
    page.keyboard.press("Enter")
    expect(editor).to_contain_text("a_very_long_name")
    notebook.stop()
    expect(notebook.cell(0)).to_contain_text("KeyboardInterrupt")


def test_a_live_table_of_names_follows_a_cell_that_blocks(
    page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    server.write_notebook(
        "names.ipynb",
        installed_kernelspec,
        "%namespace --live",
        "import time\nfor step in range(10**9): time.sleep(.1)",
    )
    notebook = LabNotebook(page, server, "names.ipynb")
    notebook.run_all()
    row = notebook.outputs(0).locator("tr").filter(has_text="step")
    expect(row).to_contain_text("running")
    before = row.inner_text()
    expect(row).not_to_have_text(before, use_inner_text=True)
    expect(notebook.outputs(0)).to_have_count(1)
    notebook.stop()
    expect(row).not_to_contain_text("running")
    expect(notebook.outputs(0)).to_have_count(1)


def test_the_example_trains_in_one_cell_and_plots_in_the_next_meanwhile(
    page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    example = json.loads((ROOT / "examples" / "side_by_side.ipynb").read_text())
    example["metadata"]["kernelspec"] = {
        "name": installed_kernelspec,
        "display_name": "",
        "language": "python",
    }
    (server.files / "side_by_side.ipynb").write_text(json.dumps(example))
    page.set_viewport_size({"width": 1000, "height": 1300})
    notebook = LabNotebook(page, server, "side_by_side.ipynb")
    notebook.run_all()
    training, plot = notebook.cell(1), notebook.cell(2)
    expect(plot.locator(".jp-OutputArea-output img")).to_be_visible()
    for cell, said in ((training, "training"), (plot, "plotted")):
        bar = cell.locator(".widget-hprogress, .jupyter-widgets.widget-hbox").first
        expect(bar).to_be_visible()
        expect(cell).to_contain_text(said)
    # Both at once: each bar has begun and none has ended.
    expect(plot).to_contain_text(re.compile(r"(?:[2-5]\d)/60"))
    assert notebook.prompt(1).inner_text() == notebook.prompt(2).inner_text() == "[*]:"
    plot.scroll_into_view_if_needed()
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "side_by_side_meanwhile.png")
    expect(training).to_contain_text("the last loss is 0.0")
    expect(plot).to_contain_text("60/60")
    expect(notebook.prompt(4)).to_have_text("[5]:")


PLOTTING = """\
%config InlineBackend.figure_formats = ['svg']
import time, ipywidgets, matplotlib.pyplot as plt
plt.rcParams['svg.fonttype'] = 'none'
plt.rcParams['figure.figsize'] = 3, 2
def draw(x):
    plt.title(f'moved to {x}')
    plt.plot([0, x], gid='theirs')
"""
SLIDERS = {
    "observed": "s = ipywidgets.IntSlider(); s.observe(lambda change: draw(change.new), 'value'); display(s)",
    "interact": "f = ipywidgets.interactive(draw, x=(0, 9)); s = f.children[0]; s.value = 0; display(f)",
}


@pytest.mark.parametrize("slider", SLIDERS.values(), ids=SLIDERS)
def test_a_slider_that_draws_takes_nothing_of_the_figure_of_a_cell_that_runs(
    slider: str, page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    name = f"figures_{len(slider)}.ipynb"
    server.write_notebook(
        name,
        installed_kernelspec,
        f"{PLOTTING}\n{slider}",
        "plt.title('first')\nwhile s.value < 3: time.sleep(.05)\nplt.plot([1, 2], gid='own');",
    )
    page.set_viewport_size({"width": 1000, "height": 1300})
    notebook = LabNotebook(page, server, name)
    notebook.run_all()
    expect(notebook.prompt(1)).to_have_text("[*]:")
    moved = notebook.cell(0).get_by_role("slider")
    moved.focus()
    for _ in range(3):
        moved.press("ArrowRight")
    expect(notebook.prompt(1)).to_have_text("[2]:")

    def drawn(number: int) -> list[str]:
        """The pictures of a cell, as SVG."""
        script = "images => images.map(image => decodeURIComponent(image.src))"
        found: list[str] = notebook.cell(number).locator(".jp-OutputArea-output img").evaluate_all(script)
        return found

    expect(notebook.cell(0).locator(".jp-OutputArea-output img").last).to_have_attribute(
        "src", re.compile("moved%20to%203")
    )
    (own,) = drawn(1)
    assert all(word in own for word in (">first<", 'id="own"')) and "theirs" not in own
    theirs = drawn(0)
    assert all("theirs" in one and "moved to" in one and "first" not in one for one in theirs)
    assert 'id="own"' not in "".join(theirs)


def test_a_kernel_that_died_is_explained_under_the_next_cell(
    page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    server.write_notebook(
        "died.ipynb",
        installed_kernelspec,
        "import ctypes\ndef read(address):\n    return ctypes.string_at(address)\nread(0)",
        "'alive again'",
    )
    notebook = LabNotebook(page, server, "died.ipynb")
    notebook.menu("Run", "Run Selected Cell")
    page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()  # "it will restart automatically"
    notebook.expect_kernel_status("Idle")
    notebook.cell(1).locator(".cm-content").click()
    notebook.menu("Run", "Run Selected Cell")
    expect(notebook.cell(1)).to_contain_text("alive again")
    expect(notebook.cell(1)).to_contain_text("crashed by a segmentation fault (SIGSEGV) while In [1] ran")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "died.png")


def test_the_names_of_a_kernel_that_died_are_back_and_so_after_a_restart(
    page: Page, server: LabServer, installed_kernelspec: str
) -> None:
    example = json.loads((ROOT / "examples" / "durable.ipynb").read_text())
    example["metadata"]["kernelspec"] = {
        "name": installed_kernelspec,
        "display_name": "",
        "language": "python",
    }
    (server.files / "durable.ipynb").write_text(json.dumps(example))
    page.set_viewport_size({"width": 1000, "height": 1300})
    notebook = LabNotebook(page, server, "durable.ipynb")
    sources = ["".join(cell["source"]) for cell in example["cells"] if cell["cell_type"] == "code"]
    dies, back = (number for number, code in enumerate(sources) if "SIGKILL" in code or code == "%restore")

    def run(number: int) -> None:
        notebook.cell(number).locator(".cm-content").click()
        page.keyboard.press("Control+Enter")

    for number in range(dies):
        run(number)
        expect(notebook.prompt(number)).to_have_text(f"[{number + 1}]:")
    expect(notebook.cell(dies - 1)).to_contain_text("cannot pickle 'generator' object")
    run(dies)
    page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()
    notebook.expect_kernel_status("Idle")
    run(back)
    expect(notebook.cell(back)).to_contain_text("the kernel before this one")
    expect(notebook.cell(back).locator("table")).to_contain_text("not back")
    notebook.cell(back).scroll_into_view_if_needed()
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "durable_restored.png")
    run(back + 1)
    expect(notebook.cell(back + 1)).to_contain_text("True, True, 365")
    notebook.restart()
    notebook.expect_kernel_status("Idle")
    run(back)
    expect(notebook.prompt(back)).to_have_text("[1]:")
    run(back + 1)
    expect(notebook.prompt(back + 1)).to_have_text("[2]:")
    expect(notebook.cell(back + 1)).to_contain_text("True, True, 365")

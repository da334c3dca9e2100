"""Libraries that run the loop of `get_event_loop()` until something on it stops it."""

from __future__ import annotations

from tests.kernel.client import Notebook
from tests.libraries.steps import expect_no_noise, ok, result

SCRAPY = """\
import scrapy
from scrapy.crawler import CrawlerProcess
found = []
class Spider(scrapy.Spider):
    name = "one"
    custom_settings = {{"LOG_ENABLED": False, "TELNETCONSOLE_ENABLED": False}}
    async def start(self):
        for number in range(3): yield scrapy.Request("{url}?" + str(number))
    def parse(self, response): found.append(response.status)
process = CrawlerProcess()
process.crawl(Spider)
process.start()
found"""


def test_scrapy_crawls_in_a_plain_cell_while_a_task_goes_on(
    fresh_notebook: Notebook, web_server: str
) -> None:
    code = """\
import asyncio
n = 0
async def tick():
    global n
    while True: n += 1; await asyncio.sleep(.001)
"""
    ticking = ok(fresh_notebook, code + "task = asyncio.create_task(tick())")
    assert result(fresh_notebook, SCRAPY.format(url=web_server)) == "[200, 200, 200]"
    ok(fresh_notebook, "before = n\nimport time\nwhile n == before: time.sleep(.001)")
    assert result(fresh_notebook, "await asyncio.sleep(0, 42)") == "42"
    expect_no_noise(ticking)


def test_a_bot_that_closes_the_loop_at_its_end_leaves_it_to_the_others(fresh_notebook: Notebook) -> None:
    """As python-telegram-bot's `run_polling`: handlers of signals, and the loop is closed at the end."""
    code = """\
import asyncio, signal
def run_polling():
    loop = asyncio.get_event_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGABRT): loop.add_signal_handler(number, stop)
    try:
        loop.run_until_complete(asyncio.sleep(0))
        print("polls", flush=True)
        loop.run_forever()
    except KeyboardInterrupt:
        print("stopped")
    finally:
        loop.run_until_complete(asyncio.sleep(0))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGABRT): loop.remove_signal_handler(number)
        loop.close()
def stop(): raise KeyboardInterrupt"""
    ok(fresh_notebook, code)
    code = "asyncio.get_event_loop().call_later(.05, asyncio.get_event_loop().stop)\nrun_polling()"
    assert ok(fresh_notebook, code).stdout == "polls\n"
    assert result(fresh_notebook, "await asyncio.sleep(0, 42)") == "42"


def test_stop_ends_a_plain_cell_that_runs_the_loop_for_ever(fresh_notebook: Notebook) -> None:
    cell = fresh_notebook.submit(
        "import asyncio\nprint('begins', flush=True)\nasyncio.get_event_loop().run_forever()"
    )
    cell.wait_for_text("begins")
    fresh_notebook.interrupt("SIGINT")
    cell.wait(10)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    assert result(fresh_notebook, "await asyncio.sleep(0, 42)") == "42"

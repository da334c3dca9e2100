"""What a cell may be at when Stop is pressed: 200 kinds, each some tenths of a second at most."""

from __future__ import annotations

from dataclasses import dataclass

#: What the kinds below use. Run once in each kernel.
PREPARE = """\
import ast, asyncio, base64, bisect, collections, concurrent.futures, contextlib, contextvars, copy
import csv, ctypes, dataclasses, datetime, decimal, difflib, email.message, fractions, functools, gc
import glob, gzip, hashlib, heapq, html, importlib, inspect, io, itertools, json, logging, math, mmap
import operator, os, pathlib, pickle, pprint, queue, random, re, select, selectors, shutil, signal
import socket, sqlite3, statistics, string, struct, subprocess, sys, tarfile, tempfile, textwrap
import threading, time, timeit, tokenize, traceback, types, urllib.parse, uuid, warnings, weakref
import xml.etree.ElementTree as etree, zipfile, zlib
import numpy as np, pandas as pd
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import aclosing, asynccontextmanager, closing, contextmanager, suppress
from IPython.display import HTML, display
from threading import Thread

frame = pd.DataFrame({'a': range(3000), 'b': [i % 7 for i in range(3000)], 'c': ['x', 'y', 'z'] * 1000})
text = 'the quick brown fox jumps over the lazy dog ' * 400
with zipfile.ZipFile(file := io.BytesIO(), 'w', 8) as z: [z.writestr(f'{i}', text) for i in range(20)]
zipped = file.getvalue()
tree = {'name': 'n', 'values': list(range(200)), 'inner': [{'k': i, 'v': str(i)} for i in range(200)]}
def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
def nap(seconds=0.02): time.sleep(seconds); return seconds
def spin(seconds=0.02):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until: pass
def count(n):
    for i in range(n): time.sleep(0.003); yield i
async def anap(seconds=0.02): await asyncio.sleep(seconds); return seconds
async def acount(n):
    for i in range(n): await asyncio.sleep(0.003); yield i
@contextmanager
def held(seconds=0.01):
    try: time.sleep(seconds); yield seconds
    finally: time.sleep(seconds)
@asynccontextmanager
async def aheld(seconds=0.01):
    try: await asyncio.sleep(seconds); yield seconds
    finally: await asyncio.sleep(seconds)
class Itself:
    def __init__(self): self.itself = self
class Ending:
    def __init__(self): self.itself = self
    def __del__(self): sum(range(200))
class Node:
    def __init__(self, depth): self.children = [Node(depth - 1) for _ in range(3)] if depth else []
class Slow:
    def __repr__(self): time.sleep(0.03); return 'slow'
class Key:
    def __init__(self, n): self.n = n
    def __lt__(self, other): return self.n < other.n
    def __hash__(self): return hash(self.n)
    def __eq__(self, other): return self.n == other.n
def again(*names):
    for name in [one for one in sys.modules if one.split('.')[0] in names]: del sys.modules[name]
    for name in names: importlib.import_module(name)
"""

#: What keeps the main thread waiting.
WAITING = {
    "time.sleep": "time.sleep(0.05)",
    "short sleeps": "for _ in range(50): time.sleep(0.001)",
    "lock": "lock = threading.Lock(); lock.acquire(); lock.acquire(timeout=0.05)",
    "rlock": "with threading.RLock(): time.sleep(0.03)",
    "with a lock": "lock = threading.Lock()\nfor _ in range(300):\n    with lock: spin(0.0001)",
    "event": "threading.Event().wait(0.05)",
    "condition": "condition = threading.Condition()\nwith condition: condition.wait(0.05)",
    "semaphore": "threading.Semaphore(0).acquire(timeout=0.05)",
    "barrier": "with suppress(threading.BrokenBarrierError): threading.Barrier(2).wait(0.05)",
    "queue": "with suppress(queue.Empty): queue.Queue().get(timeout=0.05)",
    "simple queue": "with suppress(queue.Empty): queue.SimpleQueue().get(timeout=0.05)",
    "full queue": "q = queue.Queue(1); q.put(1)\nwith suppress(queue.Full): q.put(2, timeout=0.05)",
    "socket": "a, b = socket.socketpair()\nwith a, b, suppress(TimeoutError): a.settimeout(0.05); a.recv(1)",
    "accept": (
        "with socket.create_server(('127.0.0.1', 0)) as s, suppress(TimeoutError):"
        " s.settimeout(0.05); s.accept()"
    ),
    "connected sockets": (
        "with socket.create_server(('127.0.0.1', 0)) as s, socket.create_connection(s.getsockname()) as c:\n"
        # Not accepted: for a moment the descriptor that `accept` gets is nobody's, in any program.
        "    for _ in range(100): c.sendall(b'x' * 100); s.fileno()"
    ),
    "select": "a, b = socket.socketpair()\nwith a, b: select.select([a], [], [], 0.05)",
    "selectors": (
        "a, b = socket.socketpair()\nwith a, b, selectors.DefaultSelector() as s:\n"
        "    s.register(a, selectors.EVENT_READ); s.select(0.05)"
    ),
    "thread": "thread = Thread(target=nap, args=(0.05,)); thread.start(); thread.join()",
    "threads": "ts = [Thread(target=nap) for _ in range(5)]; [t.start() for t in ts]; [t.join() for t in ts]",
    "thread pool": "with ThreadPoolExecutor(3) as pool: list(pool.map(nap, [0.01] * 9))",
    "as_completed": (
        "with ThreadPoolExecutor(2) as p: [f.result() for f in as_completed([p.submit(nap) for _ in '1234'])]"
    ),
    "pool's future": "with ThreadPoolExecutor(1) as pool: pool.submit(nap, 0.05).result(timeout=5)",
    "timer": "timer = threading.Timer(0.03, len, ['x']); timer.start(); timer.join()",
    "sigtimedwait": "signal.sigtimedwait([signal.SIGUSR2], 0.05)",
}

#: Other processes.
PROCESSES = {
    "subprocess.run": "subprocess.run(['sleep', '0.05'])",
    "output of a process": "subprocess.run(['echo', 'x'], capture_output=True, text=True).stdout",
    "Popen": "with subprocess.Popen(['sleep', '0.05']) as process: process.wait()",
    "communicate": (
        "with subprocess.Popen(['cat'], stdin=-1, stdout=-1) as process: process.communicate(b'x' * 100_000)"
    ),
    "pipeline of processes": "subprocess.run('sleep 0.03 | cat', shell=True)",
    "check_output": "subprocess.check_output(['sh', '-c', 'sleep 0.03; echo x'])",
    "os.system": "os.system('sleep 0.05')",
    "os.popen": "with os.popen('sleep 0.03; echo x') as f: f.read()",
    "!": "!sleep 0.05",
    "! with output": "!for i in 1 2 3; do echo $i; done",
    "! assigned": "lines = !sleep 0.02; echo x",
    "%sx": "%sx sleep 0.03",
    "get_ipython().system": "get_ipython().system('sleep 0.03')",
    "getoutput": "get_ipython().getoutput('sleep 0.03; echo x')",
    "%%bash": "%%bash\nsleep 0.05; echo x",
    "%%sh with a loop": "%%sh\nfor i in 1 2 3 4 5; do sleep 0.01; echo $i; done",
}

#: What keeps it computing.
COMPUTING = {
    "a loop": "for i in range(300_000): pass",
    "sum": "sum(range(2_000_000))",
    "calls": "fibonacci(20)",
    "recursion": "[deep(500) for _ in range(100)]",
    "too deep": "with suppress(RecursionError): deep(100_000)",
    "spin": "spin(0.05)",
    "comprehension": "[i * i for i in range(300_000)]; {i: str(i) for i in range(50_000)}",
    "generator": "sum(i for i in range(300_000))",
    "slow generator": "for i in count(15): pass",
    "closed generator": "with closing(count(100)) as g: next(g); next(g)",
    "zip and map": "sum(map(operator.mul, range(300_000), itertools.count()))",
    "permutations": "sum(1 for _ in itertools.permutations(range(8)))",
    "sort": "sorted(range(200_000), key=lambda i: -i)",
    "sort by __lt__": "sorted(Key(i % 977) for i in range(10_000))",
    "keys with __eq__": "len({Key(i % 977): i for i in range(20_000)})",
    "heap": "h = []; [heapq.heappush(h, -i) for i in range(30_000)]; heapq.nsmallest(9, h)",
    "bisect": "l = []; [bisect.insort(l, i * 7919 % 10007) for i in range(10_000)]",
    "big object": "big = [Node(1) for _ in range(5_000)]; del big",
    "tree of objects": "Node(8)",
    "big string": "'x'.join(map(str, range(200_000)))",
    "copy": "copy.deepcopy(tree)",
    "pickle": "pickle.loads(pickle.dumps([tree] * 50))",
    "json": "json.loads(json.dumps([tree] * 30))",
    "json with a hook": (
        "json.loads(json.dumps([tree] * 5), object_hook=lambda d: types.SimpleNamespace(**d))"
    ),
    "regular expression": "re.findall(r'(\\w+)\\s+(\\w+)', text * 3)",
    "slow regular expression": "re.match(r'(a+)+$', 'a' * 18 + 'b')",
    "re.sub with a function": "re.sub(r'\\w+', lambda m: m[0].upper(), text * 3)",
    "garbage": "for _ in range(3000): Itself()",
    "gc.collect": "[Itself() for _ in range(300)]; gc.collect()",
    "gc and weak sets": "known = weakref.WeakSet(Itself() for _ in range(300)); gc.collect()",
    "gc and callbacks": "r = [weakref.ref(Itself(), lambda r: None) for _ in range(300)]; gc.collect()",
    "__del__": "for _ in range(500): Ending()\ngc.collect()",
    "finalize": "for _ in range(200): weakref.finalize(Itself(), sum, range(100))\ngc.collect()",
    "decimal": "decimal.getcontext().prec = 300; decimal.Decimal(2).sqrt() ** 50",
    "fractions": "sum(fractions.Fraction(1, i) for i in range(1, 400))",
    "big numbers": "pow(3, 200_000) % 1_000_007",
    "factorial": "math.factorial(5_000)",
    "hashes": "[hashlib.sha256(text.encode()).hexdigest() for _ in range(100)]",
    "zlib": "zlib.decompress(zlib.compress(text.encode() * 20, 9))",
    "base64": "[base64.b64decode(base64.b64encode(text.encode())) for _ in range(200)]",
    "struct": "[struct.unpack('<IHB', struct.pack('<IHB', i, 1, 2)) for i in range(50_000)]",
    "random": "statistics.median(random.random() for _ in range(50_000))",
    "statistics": "statistics.stdev(range(3_000))",
    "difflib": "difflib.SequenceMatcher(None, text[:400], text[200:600]).ratio()",
    "textwrap": "textwrap.fill(text, 70)",
    "pprint": "pprint.pformat(tree)",
    "ast": "ast.unparse(ast.parse('a = [b + c for b in d]\\n' * 500))",
    "compile": "compile('x = 1 + 2\\n' * 5_000, 'x', 'exec')",
    "exec": "exec('for i in range(100_000): pass', {})",
    "eval": "[eval('1 + 2') for _ in range(3_000)]",
    "tokenize": "list(tokenize.generate_tokens(io.StringIO('a = (b + 1)\\n' * 2_000).readline))",
    "inspect": "inspect.getsource(inspect); inspect.signature(fibonacci)",
    "dataclasses": "[dataclasses.make_dataclass(f'D{i}', ['a', 'b']) for i in range(30)]",
    "lru_cache": "f = functools.lru_cache(None)(lambda n: n if n < 2 else f(n - 1) + f(n - 2)); f(300)",
    "counter": "collections.Counter(text * 5).most_common(3)",
    "datetime": "[datetime.datetime(2020, 1, 1) + datetime.timedelta(i) for i in range(50_000)]",
    "uuid": "[uuid.uuid4() for _ in range(5_000)]",
    "urllib.parse": "[urllib.parse.urlparse(f'http://h{i}/p?q={i}') for i in range(5_000)]",
    "xml": "etree.fromstring('<a>' + '<b c=\"d\">e</b>' * 10_000 + '</a>')",
    "email": "m = email.message.EmailMessage(); m.set_content(text); m.as_string()",
    "numpy": "np.linalg.svd(np.random.rand(120, 120))",
    "numpy loop": "a = np.zeros(1000)\nfor i in range(3000): a[i % 1000] = a.sum() + i",
    "numpy with a function": "np.vectorize(lambda x: x + 1)(np.arange(50_000))",
    "pandas": "frame.groupby('b').agg({'a': ['sum', 'mean']})",
    "pandas apply": "frame.head(1000).apply(lambda row: row['a'] + row['b'], axis=1)",
    "pandas text": "frame['c'].str.upper().value_counts(); frame.to_csv()",
    "pandas merge": "frame.head(300).merge(frame, on='b').sort_values('a_x')",
}

#: Files and databases.
FILES = {
    "files": (
        "with tempfile.TemporaryDirectory() as d:\n"
        "    for i in range(50): pathlib.Path(d, str(i)).write_text(text)"
    ),
    "open files": "for _ in range(300):\n    with open(os.devnull) as f: f.read()",
    "walk": (
        "[len(files) for _, _, files in os.walk(os.path.dirname(json.__file__))]; glob.glob('/usr/lib/*')"
    ),
    "copy of a tree": (
        "with tempfile.TemporaryDirectory() as d: shutil.copytree(os.path.dirname(json.__file__), d + '/x')"
    ),
    "zip": "with zipfile.ZipFile(io.BytesIO(zipped)) as z: [z.read(n) for n in z.namelist()]",
    "tar": "with tarfile.open(fileobj=io.BytesIO(), mode='w:gz') as t: t.add(os.path.dirname(json.__file__))",
    "gzip": "gzip.decompress(gzip.compress(text.encode() * 10))",
    "csv": "list(csv.reader(io.StringIO('a,b,c\\n' * 30_000)))",
    "mmap": "with mmap.mmap(-1, 1_000_000) as m: m.write(b'x' * 900_000); m.find(b'y')",
    "sqlite": (
        "with closing(sqlite3.connect(':memory:')) as db:\n    db.execute('create table t (a, b)')\n"
        "    db.executemany('insert into t values (?, ?)', ((i, str(i)) for i in range(20_000)))\n"
        "    db.execute('select sum(a), b from t group by a % 7').fetchall()"
    ),
    "sqlite, one statement": (
        "with closing(sqlite3.connect(':memory:')) as db: db.execute("
        "'with recursive c(x) as (select 1 union all select x + 1 from"
        " c where x < 100000) select sum(x) from c'"
        ").fetchall()"
    ),
}

#: Exceptions, and code that runs when the Stop comes through.
EXCEPTIONS = {
    "try and except": "for i in range(30_000):\n    try: 1 / (i % 2)\n    except ZeroDivisionError: pass",
    "finally": "try: time.sleep(0.03)\nfinally: time.sleep(0.02)",
    "long finally": "try: spin(0.02)\nfinally: spin(0.03)",
    "nested finally": (
        "try:\n"
        "    try:\n"
        "        try: nap()\n"
        "        finally: nap(0.005)\n"
        "    finally: spin(0.005)\n"
        "finally: nap(0.005)"
    ),
    "except Exception": "try: time.sleep(0.05)\nexcept Exception: print('wrong')",
    "raised again": "try: time.sleep(0.05)\nexcept KeyboardInterrupt: time.sleep(0.01); raise",
    "context manager": "with held(): spin(0.02)",
    "exit stack": "with contextlib.ExitStack() as s: [s.enter_context(held(0.004)) for _ in range(5)]",
    "suppress": "with suppress(ValueError): time.sleep(0.05)",
    "redirected": "with contextlib.redirect_stdout(io.StringIO()): print(text); nap()",
    "traceback": (
        "for _ in range(100):\n"
        "    try: deep(-1 if False else 20) / 0\n"
        "    except ZeroDivisionError: traceback.format_exc()"
    ),
    "exception groups": (
        "for i in range(300):\n"
        "    try: raise ExceptionGroup('x', [ValueError(i)])\n"
        "    except* ValueError: pass"
    ),
    "warnings": (
        "with warnings.catch_warnings():\n"
        "    warnings.simplefilter('ignore')\n"
        "    for _ in range(3_000): warnings.warn('x')"
    ),
    "local imports": (
        "def f():\n    import json, os.path\n    return os.path.join('a', 'b')\nfor _ in range(5_000): f()"
    ),
    "context variables": (
        "v = contextvars.ContextVar('v')\nfor i in range(20_000): contextvars.copy_context().run(v.set, i)"
    ),
}

#: First imports.
IMPORTS = {
    "import xml": "again('xml', 'html')",
    "import email": "again('wave', 'mailbox', 'calendar')",
    "import unittest": "again('unittest', 'doctest')",
    "import http": "again('xmlrpc', 'ftplib', 'imaplib')",
    "import a missing one": "for _ in range(20):\n    try: import not_there\n    except ImportError: pass",
    "reload": "importlib.reload(string); importlib.reload(textwrap)",
}

#: Output.
OUTPUT = {
    "print": "for i in range(2_000): print(i)",
    "print and flush": "for i in range(200): print(i, flush=True)",
    "print big": "for _ in range(20): print(text)",
    "stderr": "for i in range(1_000): print(i, file=sys.stderr)",
    "os.write": "for _ in range(100): os.write(1, b'x\\n')",
    "logging": "log = logging.getLogger('x')\nfor i in range(500): log.warning(i)",
    "display": "for i in range(50): display(i)",
    "display html": "for i in range(30): display(HTML(f'<b>{i}</b>'))",
    "progress": "h = display('0', display_id=True)\nfor i in range(50): h.update(str(i)); time.sleep(0.0005)",
    "slow repr": "display(Slow())",
    "display of a frame": "display(frame); display(frame.describe())",
    "clear_output": (
        "from IPython.display import clear_output\nfor i in range(50): print(i); clear_output(wait=True)"
    ),
}

#: Loops of its own, in a plain cell.
OWN_LOOPS = {
    "asyncio.run": "asyncio.run(anap(0.05))",
    "asyncio.run, busy": "async def busy(): spin(0.03)\nasyncio.run(busy())",
    "asyncio.run of many": (
        "async def many(): await asyncio.gather(*map(anap, [0.01] * 9))\nasyncio.run(many())"
    ),
    "asyncio.run with finally": (
        "async def careful():\n"
        "    try: await asyncio.sleep(0.04)\n"
        "    finally: await asyncio.sleep(0.01)\n"
        "asyncio.run(careful())"
    ),
    "asyncio.run with to_thread": (
        "async def thread(): return await asyncio.to_thread(nap)\nasyncio.run(thread())"
    ),
    "Runner": "with asyncio.Runner() as runner: runner.run(anap()); runner.run(anap())",
    "new loop": "with closing(asyncio.new_event_loop()) as loop: loop.run_until_complete(anap())",
}

#: What awaits.
AWAITING = {
    "await": "await asyncio.sleep(0.05)",
    "short awaits": "for _ in range(300): await asyncio.sleep(0)",
    "await, then busy": "await asyncio.sleep(0.01); spin(0.03)",
    "await, then blocked": "await asyncio.sleep(0.005); time.sleep(0.04)",
    "gather": "await asyncio.gather(*(anap(0.01) for _ in range(50)))",
    "wait": "await asyncio.wait([asyncio.ensure_future(anap()) for _ in range(5)])",
    "as_completed of tasks": "for one in asyncio.as_completed([anap(0.01), anap(0.02)]): await one",
    "TaskGroup": (
        "async with asyncio.TaskGroup() as group:\n    for _ in range(10): group.create_task(anap(0.02))"
    ),
    "timeout": "with suppress(TimeoutError):\n    async with asyncio.timeout(0.03): await asyncio.sleep(1)",
    "wait_for": "with suppress(TimeoutError): await asyncio.wait_for(asyncio.sleep(1), 0.03)",
    "shield": "await asyncio.shield(anap(0.03))",
    "tasks": "tasks = [asyncio.create_task(anap(0.02)) for _ in range(10)]; [await t for t in tasks]",
    "busy task": "async def busy(): spin(0.02)\nawait asyncio.create_task(busy())",
    "async queue": (
        "q = asyncio.Queue()\nfor i in range(300): q.put_nowait(i); await q.get(); await asyncio.sleep(0)"
    ),
    "async event": "e = asyncio.Event(); asyncio.get_running_loop().call_later(0.03, e.set); await e.wait()",
    "async lock": (
        "lock = asyncio.Lock()\n"
        "async def one():\n"
        "    async with lock: await asyncio.sleep(0.004)\n"
        "await asyncio.gather(*(one() for _ in range(8)))"
    ),
    "async semaphore": (
        "s = asyncio.Semaphore(2)\n"
        "async def one():\n"
        "    async with s: await asyncio.sleep(0.005)\n"
        "await asyncio.gather(*(one() for _ in range(8)))"
    ),
    "async generator": "async for i in acount(10): pass",
    "left async generator": "async for i in acount(10):\n    if i == 3: break",
    "aclosing": "async with aclosing(acount(10)) as g: await anext(g)",
    "async with": "async with aheld(): await asyncio.sleep(0.01)",
    "await with finally": "try: await asyncio.sleep(0.03)\nfinally: await asyncio.sleep(0.01)",
    "to_thread": "await asyncio.to_thread(nap, 0.03)",
    "executor": "await asyncio.get_running_loop().run_in_executor(None, nap, 0.03)",
    "streams": (
        "async def answer(r, w): w.write(await r.readline()); await w.drain(); w.close()\n"
        "server = await asyncio.start_server(answer, '127.0.0.1', 0)\nasync with server:\n"
        "    r, w = await asyncio.open_connection(*server.sockets[0].getsockname())\n"
        "    try: w.write(b'x\\n'); await r.read()\n    finally: w.close()"
    ),
    "await and print": "for i in range(100): print(i); await asyncio.sleep(0)",
    "await and gc": "for _ in range(10): [Itself() for _ in range(30)]; gc.collect(); await asyncio.sleep(0)",
    "await and a traceback": (
        "await asyncio.sleep(0.01)\ntry: deep(20) / 0\nexcept ZeroDivisionError: traceback.format_exc()"
    ),
}

#: Processes of asyncio.
ASYNC_PROCESSES = {
    "asyncio.run with a process": (
        "async def process():\n"
        "    p = await asyncio.create_subprocess_exec('sleep', '0.03')\n"
        "    await p.wait()\n"
        ""
        "asyncio.run(process())"
    ),
    "async process": "p = await asyncio.create_subprocess_exec('sleep', '0.03'); await p.wait()",
    "async pipes": (
        "p = await asyncio.create_subprocess_shell('sleep 0.02; echo x', stdout=-1)\n"
        "out, _ = await p.communicate()"
    ),
    "await and !": "await asyncio.sleep(0)\n!sleep 0.03",
}

#: Magics.
MAGICS = {
    "%time": "%time nap(0.03)",
    "%timeit": "%timeit -n 3 -r 3 nap(0.002)",
    "%prun": "%prun -q fibonacci(14)",
    "%%time": "%%time\nspin(0.03)",
    "%%capture": "%%capture captured\nprint(text); nap()",
    "%%timeit": "%%timeit -n 2 -r 2\nnap(0.003)",
    "%who": "%who_ls",
    "%history": "list(get_ipython().history_manager.get_tail(50))",
}

#: What only this kernel knows.
OURS = {
    "%%isolated": "%%isolated\nimport time\ntime.sleep(0.05)",
    "%%isolated, busy": "%%isolated\nsum(range(1_000_000))",
    "%%background": "%%background\ntime.sleep(0.01)\nfor _ in range(30): time.sleep(0.001)",
    "%%background that awaits": "%%background\nawait asyncio.sleep(0.05)",
    "%%sync": "%%sync\ntime.sleep(0.04)",
    "%%async": "%%async\nspin(0.04)",
    "run_until_complete": "asyncio.get_event_loop().run_until_complete(anap(0.04))",
    "tasks of a plain cell": (
        "def start(): return [asyncio.create_task(anap()) for _ in range(3)]\nt = start(); nap(0.03)"
    ),
}

#: What ends in an error of its own, which is shown.
FAILING = {
    "error": ("nap(0.01); 1 / 0", "ZeroDivisionError"),
    "deep error": (
        "nap(0.005)\ndef fall(n): return 1 / 0 if n == 0 else fall(n - 1)\nfall(100)",
        "ZeroDivisionError",
    ),
    "recursion error": ("deep(1_000_000)", "RecursionError"),
    "long chain": (
        "error = None\n"
        "for i in range(20):\n"
        "    try: raise ValueError(i) from error\n"
        "    except ValueError as e: error = e\n"
        ""
        "raise error",
        "ValueError",
    ),
    "error of pandas": ("frame['missing']", "KeyError"),
    "error after await": ("await asyncio.sleep(0.01); {}['x']", "KeyError"),
    "error in a task": (
        "async def fall(): await asyncio.sleep(0.01); 1 / 0\nawait asyncio.create_task(fall())",
        "ZeroDivisionError",
    ),
}

#: What takes the first Stop, and goes on until the second.
SWALLOWING = {
    "swallowed": "try: time.sleep(0.05)\nexcept KeyboardInterrupt: print('swallowed', flush=True)",
    "swallowed in a loop": "try: spin(0.05)\nexcept BaseException: print('swallowed', flush=True)",
    "swallowed in await": (
        "try: await asyncio.sleep(0.05)\nexcept asyncio.CancelledError: print('swallowed', flush=True)"
    ),
}


@dataclass(frozen=True)
class Kind:
    """`code` and how it ends by itself: with `'own end'`, or the error `fails`."""

    code: str
    fails: str = ""
    swallows: bool = False
    ours: bool = False
    #: While Python starts a process, a Stop may leave its pipes and the process itself behind; asyncio, whose
    #: task is cancelled just then, waits for ever until Python 3.12 (CPython's issue 103847).
    starts: bool = False

    def once(self) -> str:
        """It, and the sign that it came to its end."""
        return self.code if self._is_foreign else f"{self.code}\n'own end'"

    @property
    def _is_foreign(self) -> bool:
        """Whether what it runs is no code of this namespace, or its last line is lost."""
        return self.code.startswith(("%%bash", "%%sh", "%%capture", "%%timeit", "%%time"))

    def again(self, seconds: float) -> str:
        """It, again and again for so long."""
        if self._is_foreign or self.fails or self.swallows or self.code.startswith("%%isolated"):
            return ""
        head, line, body = self.code.partition("\n") if self.code.startswith("%%") else ("", "", self.code)
        inner = "\n".join(f"    {one}" for one in body.splitlines())
        loop = f"until = time.monotonic() + {seconds}\nwhile time.monotonic() < until:\n{inner}\n'own end'"
        return f"{head}{line}{loop}"


KINDS = {
    **{
        name: Kind(code)
        for group in (
            WAITING,
            COMPUTING,
            FILES,
            EXCEPTIONS,
            IMPORTS,
            OUTPUT,
            OWN_LOOPS,
            AWAITING,
            MAGICS,
        )
        for name, code in group.items()
    },
    **{
        name: Kind(code, starts=True)
        for group in (PROCESSES, ASYNC_PROCESSES)
        for name, code in group.items()
    },
    **{name: Kind(code, fails=error) for name, (code, error) in FAILING.items()},
    **{name: Kind(code, swallows=True) for name, code in SWALLOWING.items()},
    **{name: Kind(code, ours=True) for name, code in OURS.items()},
}

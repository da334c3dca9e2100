"""Functions, closures, iterators, caches, and what the standard library keeps."""

NOTEBOOKS = {
    "a counter": """
def counter(start=0):
    n = start
    def up(by=1):
        nonlocal n
        n += by
        return n
    def get(): return n
    return up, get
up, get = counter(10)
# %%
up(); up(5)
# %%
other = counter(); other[0]()
# %%
up(), get(), other[1]()
# %%
handlers = {"up": up}; handlers["up"](100), get()
""",
    "globals of functions": """
rate = 0.5; log = []
def cost(v):
    log.append(v)
    return v * rate + extra()
def extra(): return base
base = 1
# %%
cost(4)
# %%
rate = 2
# %%
base += 10; cost(4)
# %%
log, cost.__globals__ is globals(), cost(1)
""",
    "defaults": """
def add(item, bag=[]):
    bag.append(item)
    return bag
# %%
mine = add(1)
# %%
add(2); mine
# %%
add(3) is mine, mine, add.__defaults__
""",
    "decorators": """
import functools
calls = {}
def counted(f):
    @functools.wraps(f)
    def inner(*a):
        calls[f.__name__] = calls.get(f.__name__, 0) + 1
        return f(*a)
    return inner
@counted
def area(w, h): return w * h
# %%
area(2, 3)
# %%
@counted
def volume(*s): return functools.reduce(lambda a, b: a * b, s)
volume(1, 2, 3)
# %%
area(1, 1); calls, area.__name__, area.__wrapped__(5, 5)
""",
    "a cache": """
from functools import lru_cache, partial, singledispatch
@lru_cache(maxsize=100)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
fib(50)
# %%
@singledispatch
def show(v): return "any"
@show.register
def _(v: int): return "int"
# %%
square = partial(pow, exp=2); fib(80)
# %%
@show.register
def _(v: list): return "list of " + ", ".join(map(show, v))
show([1, "a", [2]]), square(5)
# %%
fib(90), show(1)
""",
    "iterators": """
data = [1, 2, 3, 4, 5]; it = iter(data); pairs = zip(data, "abcde")
# %%
first = next(it); next(pairs)
# %%
data.append(6); second = next(it)
# %%
rest = list(it); first, second, rest
# %%
list(pairs), data
""",
    "queues and counters": """
from collections import deque, Counter, defaultdict, OrderedDict, ChainMap
recent = deque(maxlen=3); seen = Counter(); index = defaultdict(lambda: defaultdict(list))
def see(w):
    recent.append(w); seen[w] += 1; index[w[0]][len(w)].append(w)
# %%
for w in "one two three one".split(): see(w)
# %%
order = OrderedDict(sorted(seen.items())); order.move_to_end("one")
# %%
see("six"); list(recent), seen.most_common(1), list(order)
# %%
conf = ChainMap({"a": 1}, dict(index)); conf["t"] is index["t"], dict(index["t"]), index["x"][0]
""",
    "text": """
import re
text = "Call 030-123 or 040-9 by 2024-05-06."; number = re.compile(r"(\\d+)-(\\d+)")
# %%
found = [m.groups() for m in number.finditer(text)]; found
# %%
from datetime import date, timedelta
from decimal import Decimal
when = date.fromisoformat(re.search(r"\\d{4}-\\d\\d-\\d\\d", text)[0]); price = Decimal("1.10")
# %%
when + timedelta(days=30), price * 3, number.pattern
# %%
lines = [f"{a:>5}" for a, _ in found]; print(*lines, sep="|")
""",
    "errors": """
class Bad(ValueError):
    def __init__(self, where, n):
        super().__init__(f"{where}: {n}")
        self.where = where
errors = []
# %%
for i in (1, 0):
    try:
        1 / i; raise Bad("loop", i)
    except Exception as e:
        errors.append(e)
# %%
[type(e).__name__ for e in errors], errors[0].where
# %%
try:
    try: {}["k"]
    except KeyError as e: raise Bad("outer", 2) from e
except Bad as e: last = e
# %%
str(last), type(last.__cause__).__name__, isinstance(errors[0], Bad), type(last) is Bad
""",
    "async": """
import asyncio
results = []
async def work(n):
    await asyncio.sleep(0); results.append(n); return n * 2
# %%
asyncio.run(work(1))
# %%
async def both(): return await asyncio.gather(work(2), work(3))
asyncio.run(both())
# %%
queue = asyncio.Queue(); queue.put_nowait("a"); results
# %%
queue.get_nowait(), queue.empty(), asyncio.run(work(9)), results
""",
    "what cannot be kept": """
import threading, io
lock = threading.Lock(); rows = (i * i for i in range(5)); total = 0
# %%
with lock: total += 1
# %%
buffer = io.StringIO(); buffer.write("ab")
# %%
total, buffer.getvalue()
# %%
buffer.write("c"); total += 1; total, buffer.getvalue()
""",
    "imports": """
import xml.dom.minidom, os.path as p, json as j
from math import tau as circle
import importlib
# %%
doc = xml.dom.minidom.parseString("<a><b/></a>").toxml()
# %%
p.join("a", "b"), j.dumps({"k": [1]}), round(circle, 3)
# %%
import collections.abc
def is_map(v): return isinstance(v, collections.abc.Mapping)
# %%
is_map({}), xml.dom.minidom.parseString(doc).documentElement.tagName
""",
}

"""What belongs to a process, a machine or a connection."""

from __future__ import annotations

from .kinds import Kind

KINDS = (
    Kind("a lock", "import threading\nx = threading.Lock()"),
    Kind(
        "an RLock in an object",
        "import threading\nclass C:\n    def __init__(self): self.l = threading.RLock()\nx = [C()]",
    ),
    Kind("condition, event, semaphore", "import threading\nx = [threading.Condition()]"),
    Kind("a thread", "import threading\nx = threading.Thread(target=print)"),
    Kind("threading.local", "import threading\nx = threading.local()\nx.a = 1"),
    Kind("queue.Queue", "import queue\nx = queue.Queue()\nx.put(1)"),
    Kind("queue.SimpleQueue", "import queue\nx = queue.SimpleQueue()"),
    Kind(
        "ThreadPoolExecutor", "from concurrent.futures import ThreadPoolExecutor\nx = ThreadPoolExecutor(1)"
    ),
    Kind("a future", "from concurrent.futures import Future\nx = Future()"),
    Kind("a file that is read", "x = open(__import__('os').devnull)"),
    Kind(
        "a text file that has content",
        "import tempfile, os\nn = tempfile.mkstemp()[1]\nx = open(n, 'w+')\nx.write('a')\nx.flush()",
    ),
    Kind("a file that is written", "x = open('/dev/null', 'w')"),
    Kind("a binary file", "x = open('/dev/null', 'rb')"),
    Kind("a raw file", "x = open('/dev/null', 'rb', buffering=0)"),
    Kind("a temporary file", "import tempfile\nx = tempfile.NamedTemporaryFile()"),
    Kind("a temporary directory", "import tempfile\nx = tempfile.TemporaryDirectory()"),
    Kind("standard output", "import sys\nx = sys.stdout"),
    Kind("a gzip file", "import gzip, io\nx = gzip.GzipFile(fileobj=io.BytesIO(), mode='w')"),
    Kind("a zip file", "import zipfile, io\nx = zipfile.ZipFile(io.BytesIO(), 'w')"),
    Kind("a compressor", "import zlib\nx = zlib.compressobj()"),
    Kind("a hash", "import hashlib\nx = hashlib.sha256(b'a')"),
    Kind("a socket", "import socket\nx = socket.socket()"),
    Kind("an SSL context", "import ssl\nx = ssl.create_default_context()"),
    Kind("a selector", "import selectors\nx = selectors.DefaultSelector()"),
    Kind("a process", "import subprocess, sys\nx = subprocess.Popen([sys.executable, '-c', ''])\nx.wait()"),
    Kind("a multiprocessing pipe", "import multiprocessing\nx = multiprocessing.Pipe()"),
    Kind("a multiprocessing lock", "import multiprocessing\nx = multiprocessing.Lock()"),
    Kind(
        "shared memory",
        "from multiprocessing.shared_memory import SharedMemory\nx = SharedMemory(create=True, size=10)\nx.unlink()",
    ),
    Kind("a SQLite connection", "import sqlite3\nx = sqlite3.connect(':memory:')"),
    Kind("a SQLite cursor", "import sqlite3\nx = sqlite3.connect(':memory:').execute('select 1')"),
    Kind("an mmap", "import mmap\nx = mmap.mmap(-1, 10)"),
    Kind("an event loop", "import asyncio\nx = asyncio.new_event_loop()"),
    Kind(
        "asyncio.Queue",
        "import asyncio\nx = asyncio.Queue()\nx.put_nowait(1)",
        "x.qsize() == 1 and x.maxsize == 0",
    ),
    Kind("asyncio.Event", "import asyncio\nx = asyncio.Event()\nx.set()", "x.is_set()"),
    Kind("asyncio.Lock", "import asyncio\nx = asyncio.Lock()", "not x.locked()"),
    Kind(
        "an asyncio future",
        "import asyncio\nl = asyncio.new_event_loop()\nx = l.create_future()\nl.close()\ndel l",
    ),
    Kind("a context variable", "import contextvars\nx = contextvars.ContextVar('x', default=1)\nx.set(2)"),
    Kind("a context", "import contextvars\nx = contextvars.copy_context()"),
    Kind("a ctypes pointer", "import ctypes\nx = ctypes.pointer(ctypes.c_int(3))"),
    Kind("a ctypes library", "import ctypes\nx = ctypes.CDLL(None)"),
    Kind(
        "a ctypes structure",
        "import ctypes\nclass P(ctypes.Structure):\n    _fields_ = [('a', ctypes.c_int)]\nx = P(3)",
        "",
    ),
    Kind("a pickler", "import pickle, io\nx = pickle.Pickler(io.BytesIO())"),
    Kind("an iterator of a directory", "import os\nx = os.scandir('/')"),
    Kind(
        "one whose pickling raises", "class C:\n    def __reduce__(self): raise RuntimeError('no')\nx = C()"
    ),
    Kind(
        "one whose pickling raises no Exception",
        "class C:\n    def __reduce__(self): raise KeyboardInterrupt\nx = C()",
    ),
    Kind("one whose pickling gives nonsense", "class C:\n    def __reduce__(self): return 3\nx = C()"),
    Kind("a very deep list", "x = []\nfor _ in range(100_000): x = [x]"),
)

"""The two core classes in a small asyncio program, without Jupyter.

    python examples/embed.py

An AsyncNamespaceManager holds one namespace. An ExecutionContextBridge runs code against it, on the running
event loop or in a thread. An agent's REPL or the debug console of a server can be built on these two.
"""

import asyncio

from namespace_kernel import AsyncNamespaceManager, ExecutionContextBridge


async def main() -> None:
    manager = AsyncNamespaceManager()
    bridge = ExecutionContextBridge(manager)

    print("1. Async code runs on this program's loop and may use await at the top level.")
    value = await bridge.execute_in_async("import asyncio\nawait asyncio.sleep(0)\nx = 41\nx + 1", "one")
    print("   the value of its last expression:", value)
    print("   the name it bound: x =", manager.namespace["x"])

    print("2. Blocking code runs in the thread that calls; it sees the same names.")
    value = await asyncio.to_thread(bridge.execute_in_thread, "y = x * 2\ny", "two")
    print("   y =", value)

    print("3. No loop is running in that thread, so asyncio.run works there.")
    code = "async def double(n):\n    await asyncio.sleep(0)\n    return 2 * n\n\n"
    code += "_result = asyncio.run(double(y))"
    value = await asyncio.to_thread(bridge.execute_in_thread, code, "three")
    print("   code that binds _result returns that:", value)

    print("4. With isolate=True the code runs on a copy, and what it changed is merged back.")
    await asyncio.to_thread(bridge.execute_in_thread, "x = 1\ndel y\nz = 'new'", "four", isolate=True)
    names = manager.namespace
    print(f"   x = {names['x']}, z = {names['z']!r}, y is gone: {'y' not in names}")

    print("5. If it fails on a copy, nothing is merged. The error comes to the caller.")
    try:
        await asyncio.to_thread(bridge.execute_in_thread, "x = 1000\n1 / 0", "five", isolate=True)
    except ZeroDivisionError as error:
        print("   raised:", error)
        print("   the same object in _exception:", manager.namespace["_exception"] is error)
    print("   x is still", manager.namespace["x"])

    print("6. If it fails in the live namespace, what it bound before the failure stays.")
    try:
        await bridge.execute_in_async("x = 2000\nawait asyncio.sleep(0)\nint('six')", "six")
    except ValueError as error:
        print("   raised:", error)
    print("   x is now", manager.namespace["x"])

    print("7. Coroutines that nobody awaited are closed on request.")
    double = manager.namespace["double"]
    manager.update_namespace({"first": double(1), "second": double(2)}, "async")
    print("   closed:", manager.cleanup_coroutines())
    print("   closed by a second call:", manager.cleanup_coroutines())


if __name__ == "__main__":
    asyncio.run(main())

"""The least that a kernel can do: two sockets, `Session`, busy, `exec`, reply, idle. No IPython, no threads.

It is no kernel to use; it shows the distance to the limit.
"""

from __future__ import annotations

import ast
import json
import sys
from typing import Any

import zmq
from jupyter_client.session import Session


def main(path: str) -> None:
    """Serve until the shutdown request."""
    with open(path) as file:
        info = json.load(file)
    session = Session(key=info["key"].encode(), signature_scheme=info["signature_scheme"])
    context = zmq.Context()
    sockets: dict[str, Any] = {}
    for channel, kind in (("shell", zmq.ROUTER), ("control", zmq.ROUTER), ("iopub", zmq.PUB)):
        sockets[channel] = context.socket(kind)
        sockets[channel].linger = 1000
        sockets[channel].bind(f"tcp://127.0.0.1:{info[f'{channel}_port']}")
    poller = zmq.Poller()
    poller.register(sockets["shell"], zmq.POLLIN)
    poller.register(sockets["control"], zmq.POLLIN)
    names: dict[str, Any] = {}
    count = 0
    while True:
        ready = dict(poller.poll())
        for channel in ("shell", "control"):
            if sockets[channel] not in ready:
                continue
            idents, message = session.recv(sockets[channel])
            if message is None:
                continue
            kind = message["header"]["msg_type"]
            session.send(sockets["iopub"], "status", {"execution_state": "busy"}, message)
            reply: dict[str, Any] = {"status": "ok"}
            if kind == "execute_request":
                count += 1
                code = message["content"]["code"]
                session.send(
                    sockets["iopub"], "execute_input", {"code": code, "execution_count": count}, message
                )
                tree = ast.parse(code)
                last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
                exec(compile(tree, "<cell>", "exec"), names)
                if isinstance(last, ast.Expr):
                    value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
                    if value is not None:
                        data = {"text/plain": repr(value)}
                        content = {"data": data, "metadata": {}, "execution_count": count}
                        session.send(sockets["iopub"], "execute_result", content, message)
                reply |= {"execution_count": count, "user_expressions": {}, "payload": []}
            session.send(sockets[channel], kind.replace("_request", "_reply"), reply, message, ident=idents)
            session.send(sockets["iopub"], "status", {"execution_state": "idle"}, message)
            if kind == "shutdown_request":
                return


if __name__ == "__main__":
    main(sys.argv[1])

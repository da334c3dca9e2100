"""The page's side of ipywidgets: what a browser knows of the models, and the messages it sends."""

from __future__ import annotations

import uuid
from typing import Any

from tests.kernel.cells import OUTPUT_TYPES, Cell, Message
from tests.kernel.client import Notebook


class Page:
    """All widgets that a kernel has opened, as a page that is connected to it sees them."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

    def _messages(self, *kinds: str) -> list[Message]:
        """The messages of some kinds in the order in which they came, whatever their parent."""
        every = (m for r in self._notebook.requests.values() for m in r.messages if m["msg_type"] in kinds)
        return sorted(every, key=lambda m: int(m["arrived"]))

    def states(self) -> dict[str, dict[str, Any]]:
        """What each model's state is now, by comm id."""
        models: dict[str, dict[str, Any]] = {}
        for message in self._messages("comm_open", "comm_msg"):
            content = message["content"]
            if message["msg_type"] == "comm_open":
                models[content["comm_id"]] = dict(content["data"]["state"])
            elif content.get("data", {}).get("method") in ("update", "echo_update"):
                models.setdefault(content["comm_id"], {}).update(content["data"]["state"])
        return models

    def _matching(self, model_name: str, state: dict[str, Any]) -> list[str]:
        wanted = {"_model_name": model_name, **state}.items()
        return [
            comm_id
            for comm_id, values in self.states().items()
            if all(values.get(key) == value for key, value in wanted)
        ]

    def find(self, model_name: str, **state: Any) -> Model:
        """The newest model of that name whose state has these values."""
        found = self._matching(model_name, state)
        assert found, f"no {model_name} with {state}"
        return Model(self, self._notebook, found[-1])

    def wait_for(self, model_name: str, **state: Any) -> Model:
        """Until there is such a model."""
        self._notebook.pump(lambda: bool(self._matching(model_name, state)), f"a {model_name} with {state}")
        return self.find(model_name, **state)

    def reload(self) -> dict[str, dict[str, Any]]:
        """Asks for all models, as a page does that is loaded anew; what comes back, by comm id."""
        control = uuid.uuid4().hex
        target = {"comm_id": control, "target_name": "jupyter.widget.control", "data": {"widgets": None}}
        self.send("comm_open", target, {"version": "1.0.0"})
        asked = self.send("comm_msg", {"comm_id": control, "data": {"method": "request_states"}})
        asked.wait_idle()
        answers = [m["content"]["data"] for m in asked.messages if m["msg_type"] == "comm_msg"]
        states: dict[str, dict[str, Any]] = answers[0]["states"]
        self.send("comm_close", {"comm_id": control, "data": {}}).wait_idle()
        return states

    def send(self, kind: str, content: Message, metadata: Message | None = None) -> Event:
        """Sends a comm message on the shell channel, as a client does that knows no subshells."""
        session = self._notebook.client.session
        message = session.msg(kind, content, metadata=metadata)
        event = self._notebook.expect(Event, message["header"]["msg_id"], f"{kind} {content}")
        session.send(self._notebook.sockets["shell"], message)
        return event

    def captured(self, comm_id: str) -> list[Message]:
        """What an Output widget shows: the output whose parent was the model's `msg_id` at the time."""
        captured: list[Message] = []
        msg_id, clears = "", False
        for message in self._messages("comm_msg", *OUTPUT_TYPES):
            content = message["content"]
            if content.get("comm_id") == comm_id:
                msg_id = content["data"].get("state", {}).get("msg_id", msg_id)
            elif message["parent_header"].get("msg_id") != msg_id or message["msg_type"] == "comm_msg":
                continue
            elif message["msg_type"] == "clear_output":
                clears = True
                captured = captured if content["wait"] else []
            else:
                captured = [*([] if clears else captured), message]
                clears = False
        return captured


class Model:
    """One widget model."""

    def __init__(self, page: Page, notebook: Notebook, comm_id: str) -> None:
        self._page = page
        self._notebook = notebook
        self.comm_id = comm_id

    @property
    def state(self) -> dict[str, Any]:
        """What has arrived of its state up to now."""
        return self._page.states()[self.comm_id]

    @property
    def captured(self) -> str:
        """What an Output widget shows by now, as text."""
        shown = Cell(self._notebook, "", "captured")
        shown.messages = self._page.captured(self.comm_id)
        return shown.text

    def set(self, **state: Any) -> Event:
        """Sends new values, as when a user drags or types; does not wait."""
        return self._send({"method": "update", "state": state, "buffer_paths": []})

    def click(self) -> Event:
        """Sends a click, as a button does; does not wait."""
        return self._send({"method": "custom", "content": {"event": "click"}})

    def _send(self, data: Message) -> Event:
        return self._page.send("comm_msg", {"comm_id": self.comm_id, "data": data})


class Event(Cell):
    """A comm message that the page sent, and the output that belongs to it."""

    @property
    def done(self) -> bool:
        """A comm message has no reply, but a busy and an idle of its own."""
        return "idle" in self.states

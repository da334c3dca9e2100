// Search runs in a worker, and browsers start none from the disk. There its script runs in a hidden frame.
// The theme would fetch something like this from the network.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(script) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      this.frame = frame.contentWindow;
      this.ready = new Promise((resolve) => {
        this.frame.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
        const element = frame.contentDocument.createElement("script");
        element.src = script;
        element.onload = resolve;
        frame.contentDocument.body.appendChild(element);
      });
    }
    postMessage(data) {
      this.ready.then(() => this.frame.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {
      this.frame.frameElement.remove();
    }
    set onmessage(listener) {
      this.addEventListener("message", listener);
    }
  };
  window.Worker = window.IFrameWorker;
}

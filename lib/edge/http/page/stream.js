// Server-sent events, read with fetch: EventSource cannot send a token. A stream that breaks is opened again, later and
// later up to 15 s and at random moments, so that the pages of many people do not come back to a server all at once.

const STREAM_SILENCE_MS = 40000; // the server says something every 15 s
const STREAM_MESSAGE_MAX = 64 << 20; // characters of one message
const STREAM_DELAY_MAX_MS = 15000;

/* Cuts text into messages as the HTML standard says. `take(name, data)` gets each. */
class EventParser {
  constructor(take) {
    this.take = take;
    this.rest = ""; // of a line
    this.name = this.data = "";
    this.lastId = null;
  }

  feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n|\r/);
    this.rest = lines.pop();
    if (this.rest.length + this.data.length > STREAM_MESSAGE_MAX) throw new Error("a message without end");
    for (const line of lines) this.line(line);
  }

  line(line) {
    if (line === "") {
      const { name, data } = this;
      this.name = this.data = "";
      if (data) this.take(name || "message", data.slice(0, -1));
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.name = value;
    else if (field === "data") this.data += value + "\n";
    else if (field === "id") this.lastId = value || null;
  }
}

class EventStream {
  /* `on.message(name, value)`, `on.state(word, status)` with "live", "waiting" or "refused". */
  constructor(on) {
    this.on = on;
    this.path = "/v1/events";
    this.lastId = null;
    this.failures = 0;
    this.abort = null;
    this.timer = 0;
  }

  /* Opens it, now; one that is open is closed. */
  open(path = this.path) {
    this.close();
    if (path !== this.path) this.lastId = null;
    this.path = path;
    this.abort = new AbortController();
    this.run(this.abort).catch(() => {});
  }

  close() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
  }

  async run(abort) {
    let status = 0;
    try {
      await this.read(abort);
    } catch (error) {
      status = error instanceof Refused ? error.status : 0;
    }
    if (this.abort !== abort) return; // closed on purpose
    this.failures++;
    const refused = status === 401 || status === 403 || status === 404; // 404: a port that clients are not asked for at
    this.on.state(refused ? "refused" : "waiting", status);
    if (refused) return; // until somebody signs in
    const most = Math.min(STREAM_DELAY_MAX_MS, 500 * 2 ** Math.min(this.failures, 10));
    this.timer = setTimeout(() => this.open(), most * (0.5 + Math.random() / 2));
  }

  async read(abort) {
    const headers = { Accept: "text/event-stream" };
    if (this.lastId) headers["Last-Event-ID"] = this.lastId;
    let alarm = setTimeout(() => abort.abort(), STREAM_SILENCE_MS);
    try {
      const response = await request(this.path, headers, abort.signal);
      const parser = new EventParser((name, data) => this.on.message(name, JSON.parse(data)));
      parser.lastId = this.lastId;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      this.on.state("live", 200);
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        clearTimeout(alarm);
        alarm = setTimeout(() => abort.abort(), STREAM_SILENCE_MS);
        parser.feed(value);
        this.lastId = parser.lastId;
        this.failures = 0;
      }
    } finally {
      clearTimeout(alarm);
    }
  }
}

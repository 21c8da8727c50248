// One room of the chat, followed over a WebSocket: everything that is said there arrives once and in order, and what is
// sent is stored once, whatever the network does in between.
//
//   const room = new Room(roomId, { joined, entry, state, presence, typing });
//   room.open();
//   await room.post("Good morning");

const PATIENCE = 10_000; // ms for the answer to whatever was asked
const LONG_SILENCE = 30_000; // ms after which a page that somebody comes back to makes sure that it is still connected
const FIRST_DELAY = 500; // ms
const BETWEEN = 25; // ms from an answer to the next message: a connection may send 50 in a second
const LONGEST_DELAY = 30_000;
const RESTART = 1012; // the server restarts: others are there at once
// What no further try would change: who may not come in, and who has to sign in anew.
const FINAL = new Set([4001, 4003]);

export class Room {
  #id;
  #tell;
  #url;
  #socket = null;
  #position = null; // { epoch, offset } of the last entry that was told
  #joining = null; // the timer that waits for the answer
  #doubting = null; // the timer that waits for any answer
  #heard_at = 0;
  #pending = new Map(); // client id → what was posted and is not stored yet, in its order
  #under_way = null; // the client id of the one that was sent last and is not stored yet
  #resting = null; // the timer after which it is sent again, or the next one
  #asked = new Map(); // id of a request → the client id, or the two ends of a promise
  #number = 0;
  #failures = 0;
  #closed = false;

  // *tell* is called with: `joined(facts)` whenever the room was entered, where `facts.recovered === false` means that
  // what was shown is to be forgotten; `entry(entry)` for each entry after that; `state(name)`: "connecting", "open",
  // "waiting", "over", "gone"; `presence(facts)` and `typing(facts)`; perhaps `delayed(clientId, refusal)` when a
  // message has to wait for a while.
  constructor(id, tell, url = new URL("/api/v1/chat/socket", location.href)) {
    this.#id = id;
    this.#tell = tell;
    this.#url = new URL(url);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
  }

  open() {
    this.#tell.state("connecting");
    const socket = (this.#socket = new WebSocket(this.#url));
    this.#doubting = setTimeout(() => this.#give_up(), PATIENCE);
    socket.onopen = () => this.#join();
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return; // it was given up
      clearTimeout(this.#doubting);
      this.#doubting = null;
      this.#heard_at = Date.now();
      this.#hear(JSON.parse(data));
    };
    socket.onclose = ({ code }) => socket === this.#socket && this.#lost(code);
  }

  close() {
    this.#closed = true;
    this.#socket?.close(1000);
  }

  // For a page that was asleep: its connection may be gone without a word. The join is answered with what was missed.
  makeSure() {
    if (this.#isIn && Date.now() - this.#heard_at > LONG_SILENCE) this.#join();
  }

  // Resolves when the message is stored, and rejects with the refusal. It is sent again after every break until then.
  post(text, { replyTo = null, audience = "room" } = {}) {
    const message = { type: "post", room: this.#id, client_id: crypto.randomUUID(), text, audience };
    if (replyTo !== null) message.reply_to = replyTo;
    const stored = new Promise((resolve, reject) => this.#pending.set(message.client_id, { message, resolve, reject }));
    this.#send_next();
    return { clientId: message.client_id, stored };
  }

  // Asks for something that is done once, such as `{ type: "react", offset, emoji }`.
  ask(what) {
    return new Promise((resolve, reject) => {
      if (!this.#isIn) return reject({ title: "You are not connected" });
      this.#asked.set(this.#send({ ...what, room: this.#id }), { resolve, reject });
    });
  }

  // Says up to where somebody has read.
  read(offset) {
    this.ask({ type: "read", offset }).catch(() => {}); // the next one says it too
  }

  typing() {
    if (this.#isIn) this.#socket.send(JSON.stringify({ type: "typing", room: this.#id }));
  }

  get #isIn() {
    return this.#socket?.readyState === WebSocket.OPEN && this.#joining === null && this.#position !== null;
  }

  #send(message) {
    this.#socket.send(JSON.stringify({ ...message, id: ++this.#number }));
    this.#doubting ??= setTimeout(() => this.#give_up(), PATIENCE);
    return this.#number;
  }

  // Each when the one before it was answered. So they are stored in the order in which they were posted, also where one
  // is refused for a while; and whoever comes back with many sends no more than a connection may.
  #send_next() {
    const [next] = this.#pending.keys();
    if (next === undefined || !this.#isIn || this.#under_way !== null) return;
    this.#under_way = next;
    this.#asked.set(this.#send(this.#pending.get(next).message), next);
  }

  #go_on_in(delay) {
    this.#resting = setTimeout(() => {
      this.#under_way = null;
      this.#send_next();
    }, delay);
  }

  // A server that is gone does not answer the farewell either, and a browser waits long for it.
  #give_up() {
    const socket = this.#socket;
    this.#socket = null;
    socket.close();
    this.#lost();
  }

  #join() {
    clearTimeout(this.#joining);
    this.#joining = setTimeout(() => this.#give_up(), PATIENCE);
    this.#asked.set(this.#send({ type: "join", room: this.#id, ...this.#position }), "join");
  }

  #hear(message) {
    switch (message.type) {
      case "joined":
        return this.#entered(message);
      case "stored":
      case "done":
        return this.#answered(message, (end) => end.resolve(message));
      case "refused":
        return this.#refused(message);
      case "presence":
      case "typing":
        return this.#tell[message.type](message);
      case "reset": // the log is another one
        this.#position = null;
        return this.#join();
      case "gone":
        return this.#end("gone");
      default:
        return this.#follow(message);
    }
  }

  #entered(facts) {
    clearTimeout(this.#joining);
    this.#joining = null;
    this.#failures = 0;
    const before = facts.recovered ? this.#position.offset : 0;
    this.#position = { epoch: facts.epoch, offset: facts.offset };
    this.#tell.joined({ ...facts, entries: facts.entries.filter((entry) => entry.offset > before) });
    this.#tell.state("open");
    this.#send_next();
  }

  #follow(entry) {
    if (this.#joining !== null || entry.offset <= this.#position.offset) return;
    if (entry.offset > this.#position.offset + 1) return this.#join(); // something is missing
    this.#position.offset = entry.offset;
    this.#tell.entry(entry);
  }

  #answered({ id }, settle) {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    const end = typeof asked === "string" ? this.#pending.get(asked) : asked;
    this.#pending.delete(asked);
    if (asked === this.#under_way) this.#go_on_in(BETWEEN);
    if (end) settle(end);
  }

  #refused(refusal) {
    const asked = this.#asked.get(refusal.id);
    const later = refusal.status >= 500 || refusal.status === 429;
    if (asked === "join" && later) return this.#socket.close(); // it comes back after a while
    if (asked === "join") return this.#end(refusal.status === 404 || refusal.status === 403 ? "gone" : "over");
    if (this.#pending.has(asked) && later) {
      this.#asked.delete(refusal.id); // not now: the same message a little later
      this.#tell.delayed?.(asked, refusal);
      this.#go_on_in(1000 * (refusal.retry_after ?? 1));
    } else {
      this.#answered(refusal, (end) => end.reject(refusal));
    }
  }

  #lost(code) {
    clearTimeout(this.#joining);
    clearTimeout(this.#resting);
    clearTimeout(this.#doubting);
    this.#joining = this.#under_way = this.#doubting = null;
    for (const asked of this.#asked.values()) asked.reject?.({ title: "The connection broke" });
    this.#asked.clear();
    if (this.#closed || FINAL.has(code)) return this.#end("over");
    this.#tell.state("waiting");
    const delay = code === RESTART ? FIRST_DELAY : Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures++);
    setTimeout(() => this.#closed || this.open(), delay * (0.5 + Math.random()));
  }

  #end(state) {
    this.#closed = true;
    clearTimeout(this.#doubting);
    const socket = this.#socket;
    this.#socket = null; // its end is no news any more
    socket?.close(1000);
    for (const { reject } of this.#pending.values()) reject({ title: "You are not in this room any more" });
    this.#pending.clear();
    this.#tell.state(state);
  }
}

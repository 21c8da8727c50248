// Follows a room in a program of its own: says each line that comes in, and puts out each entry that it shows.
//
//   node following.mjs MODULE WHICH URL TOKEN ROOM
//     WHICH  "page" for the module of our pages, "document" for the class of docs/chat.md
//
// Here is no page: whoever calls is told by a header in place of the cookie, and without TLS.

import { createInterface } from "node:readline";

const [module, which, url, token, roomId] = process.argv.slice(2);
const Plain = globalThis.WebSocket;
globalThis.location = { host: new URL(url).host };
globalThis.WebSocket = class extends Plain {
  constructor(address) {
    super(String(address).replace("wss:", "ws:"), { headers: { Authorization: `Bearer ${token}` } });
    this.addEventListener("close", ({ code }) => show({ type: "closed", code }));
  }
};

const show = (what) => console.log(JSON.stringify(what));
const { Room } = await import(module);

function onPage() {
  const ignore = () => {};
  const joined = ({ entries }) => entries.forEach(show);
  const room = new Room(roomId, { joined, entry: show, state: ignore, presence: ignore, typing: ignore }, new URL("/api/v1/chat/socket", url));
  room.open();
  return (text) => room.post(text).stored.then(({ offset }) => show({ type: "was stored", at: offset }), show);
}

function inDocument() {
  const room = new Room(roomId, show);
  return (text) => room.say(text);
}

createInterface({ input: process.stdin }).on("line", which === "page" ? onPage() : inDocument());

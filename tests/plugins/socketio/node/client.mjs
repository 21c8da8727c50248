// The client of Socket.IO as it comes from its makers. It does what the lines of its input say, and tells what happens.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const { url, options } = JSON.parse(process.argv[2]);
const tell = (kind, members) => process.stdout.write(JSON.stringify({ kind, ...members }) + "\n");

const socket = io(url, {
  path: "/api/v1/socketio",
  transports: ["websocket"],
  reconnectionDelay: 100,
  reconnectionDelayMax: 200,
  ...options,
});
socket.on("connect", () => tell("connect", { recovered: socket.recovered }));
socket.on("connect_error", (error) => tell("connect_error", { message: error.message, data: error.data ?? null }));
socket.on("disconnect", (reason, details) => tell("disconnect", { reason, code: details?.context?.code ?? null }));
socket.onAny((event, body) => tell("event", { event, body }));

const actions = {
  emit: ({ number, event, body }) => socket.emit(event, body, (answer) => tell("ack", { number, answer: answer ?? null })),
  send: ({ event, body }) => socket.emit(event, body), // without an acknowledgement
  break: () => socket.io.engine.close(),
  auth: ({ auth }) => (socket.auth = auth),
  connect: () => socket.connect(),
  disconnect: () => socket.disconnect(),
};
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const asked = JSON.parse(line);
  actions[asked.do](asked);
});
lines.on("close", () => process.exit(0));

// How many notifications are unread, in the head of every page: now, and whenever it changes.

const link = document.querySelector("[data-unread]");
const longest = 60_000; // milliseconds between two attempts
let pause = 1000;

function show({ count, more }) {
  link.hidden = count === 0;
  link.querySelector("[data-count]").textContent = more ? `${count}+` : `${count}`;
}

function listen() {
  const address = new URL("/api/v1/notifications/socket", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  socket.onmessage = (event) => {
    pause = 1000;
    show(JSON.parse(event.data));
  };
  socket.onclose = () => {
    setTimeout(listen, pause * (0.5 + Math.random()));
    pause = Math.min(2 * pause, longest);
  };
}

listen();

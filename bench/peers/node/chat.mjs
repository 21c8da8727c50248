// Peer: Socket.IO with its Redis adapter and a Redis List as history, as its documentation has it.
import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import { createAdapter } from '@socket.io/redis-adapter';
import { Server } from 'socket.io';

const { PORT, BENCH_REDIS } = process.env;
const pub = new Redis(BENCH_REDIS), sub = pub.duplicate(), store = pub.duplicate();
const http = createServer((req, res) => res.end('{"ok":true}'));
const io = new Server(http, {
  transports: ['websocket'],
  adapter: createAdapter(pub, sub),
  serveClient: false,
  perMessageDeflate: false,
});

io.on('connection', (socket) => {
  socket.on('join', async (room, ack) => {
    await socket.join(room);
    if (ack) ack(await store.lrange('hist:' + room, 0, 49));
  });
  socket.on('msg', async (room, text) => {
    const message = { room, text, at: Date.now(), from: socket.id };
    await store.multi().lpush('hist:' + room, JSON.stringify(message)).ltrim('hist:' + room, 0, 99).exec();
    io.to(room).emit('msg', message);
  });
});

http.listen(+PORT, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));

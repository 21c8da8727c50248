// wsload: how fast messages reach everybody in a room; one thread, epoll. Build: gcc -O2 -o wsload wsload.c
//
//   wsload PORT N PROTOCOL ROOMS MODE ARG SECONDS PADDING
//     PROTOCOL  lyceum - `/api/v1/chat/socket`; $BENCH_TOKENS and $BENCH_ROOMS name files with a token, and a room, a line
//               sio    - Engine.IO 4 and Socket.IO over WebSocket, for peers/node/chat.mjs
//     MODE      win W  - closed loop: W messages under way over all rooms; the next goes out when one has reached its room
//               rate R - open loop: R messages a second, evenly spaced
//               idle 0 - connect and join only, say "ready", and stay for SECONDS
//
// A message's text is "@<when it was sent, ns>@" and PADDING bytes. Everybody in the room must get it; the latency is that
// of each receiver. Prints one JSON line. It never sleeps while it measures: a receiver that sleeps makes the sender's
// write pay for waking it, which a remote client would not.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 65536, BUCKETS = 2000000 /* of 1 us */ };
enum state { SHAKING, JOINING, JOINED };
typedef struct { int fd, room; enum state state; uint32_t have; char *buffer; } conn;

static conn *conns;
static char **tokens, **room_names;
static int clients, rooms, port, socket_io, poller, joined, measuring, padding;
static uint64_t delivered, sent, bytes_in;
static uint32_t *latencies;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void die(const char *why, const char *what) {
  fprintf(stderr, "%s: %s\n", why, what);
  exit(1);
}

static char **lines(const char *variable, int wanted) {
  const char *name = getenv(variable);
  FILE *file = name ? fopen(name, "r") : NULL;
  if (!file) die("cannot read the file that is named by", variable);
  char **found = calloc(wanted, sizeof *found);
  for (int i = 0; i < wanted; i++) {
    size_t size = 0;
    ssize_t n = getline(&found[i], &size, file);
    if (n <= 0) die("too few lines in", name);
    found[i][strcspn(found[i], "\n")] = 0;
  }
  fclose(file);
  return found;
}

static int people_in(int room) { return clients / rooms + (room < clients % rooms); }

static void send_all(conn *c, const char *p, size_t n) {
  while (n) {
    ssize_t k = write(c->fd, p, n);
    if (k < 0 && errno == EAGAIN) continue;
    if (k < 0) die("write", strerror(errno));
    p += k;
    n -= k;
  }
}

// Masked with zeros: legal, and no work.
static void send_frame(conn *c, int opcode, const char *p, size_t n) {
  char out[BUFFER];
  int head = 2;
  out[0] = (char)(0x80 | opcode);
  if (n < 126) out[1] = (char)(0x80 | n);
  else { out[1] = (char)(0x80 | 126); out[2] = n >> 8; out[3] = n; head = 4; }
  memset(out + head, 0, 4);
  memcpy(out + head + 4, p, n);
  send_all(c, out, head + 4 + n);
}

static void join(conn *c) {
  char b[256];
  int n = socket_io ? snprintf(b, sizeof b, "42[\"join\",\"r%d\"]", c->room)
                    : snprintf(b, sizeof b, "{\"type\":\"join\",\"id\":1,\"room\":\"%s\"}", room_names[c->room]);
  send_frame(c, 1, b, n);
}

static void say(int who, uint64_t at) {
  char b[BUFFER], x[BUFFER / 2];
  conn *c = &conns[who % clients];
  unsigned long long stamp = at;
  memset(x, 'x', padding);
  x[padding] = 0;
  int n = socket_io
    ? snprintf(b, sizeof b, "42[\"msg\",\"r%d\",\"@%llu@%s\"]", c->room, stamp, x)
    : snprintf(b, sizeof b, "{\"type\":\"post\",\"id\":2,\"room\":\"%s\",\"client_id\":\"%d-%llu\",\"text\":\"@%llu@%s\"}",
               room_names[c->room], who, stamp, stamp, x);
  send_frame(c, 1, b, n);
  sent++;
}

static void is_in(conn *c) { c->state = JOINED; joined++; }

static void receive(conn *c, int opcode, char *p, size_t n) {
  if (opcode == 9) { send_frame(c, 10, p, n); return; }
  if (opcode == 8) die("closed by the server", n > 2 ? p + 2 : "");
  if (socket_io) {
    if (p[0] == '0') { send_frame(c, 1, "40", 2); return; }
    if (p[0] == '2') { send_frame(c, 1, "3", 1); return; }
    if (p[0] == '4' && p[1] == '0') { join(c); is_in(c); return; }
  } else {
    if (c->state == JOINING && memmem(p, n < 64 ? n : 64, "\"joined\"", 8)) { is_in(c); return; }
    if (memmem(p, n < 64 ? n : 64, "\"refused\"", 9)) { p[n - 1] = 0; die("refused", p); }
  }
  char *stamp = memchr(p, '@', n);
  if (!stamp) return;
  delivered++;
  if (!measuring) return;
  uint64_t late = (now() - strtoull(stamp + 1, 0, 10)) / 1000;
  latencies[late < BUCKETS ? late : BUCKETS - 1]++;
}

static char *shaken(conn *c) {
  c->buffer[c->have] = 0;
  char *end = strstr(c->buffer, "\r\n\r\n");
  if (!end) return NULL;
  if (strncmp(c->buffer, "HTTP/1.1 101", 12)) die("no WebSocket", c->buffer);
  c->state = JOINING;
  if (!socket_io) join(c);
  return end + 4;
}

static void readable(conn *c) {
  for (;;) {
    ssize_t k = read(c->fd, c->buffer + c->have, BUFFER - c->have - 1);
    if (k < 0 && errno == EAGAIN) return;
    if (k <= 0) die("the connection ended", k ? strerror(errno) : "by the server");
    bytes_in += k;
    c->have += k;
    int full = c->have == BUFFER - 1;
    char *p = c->buffer, *end = c->buffer + c->have;
    if (c->state == SHAKING && !(p = shaken(c))) return;
    while (end - p >= 2) {
      unsigned char *u = (unsigned char *)p;
      size_t n = u[1] & 127, head = 2;
      if (n == 127) die("a frame", "of more than 64 KB");
      if (n == 126) {
        if (end - p < 4) break;
        n = u[2] << 8 | u[3];
        head = 4;
      }
      if ((size_t)(end - p) < head + n) break;
      receive(c, u[0] & 15, p + head, n);
      p += head + n;
    }
    c->have = end - p;
    memmove(c->buffer, p, c->have);
    if (!full) return;
  }
}

static void pump(int milliseconds) {
  struct epoll_event events[1024];
  sched_yield();
  int n = epoll_wait(poller, events, 1024, milliseconds);
  for (int i = 0; i < n; i++) readable(&conns[events[i].data.u32]);
}

static void connect_one(int i) {
  conn *c = &conns[i];
  char b[2048], bearer[1536] = "";
  int on = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  c->buffer = malloc(BUFFER);
  c->room = i % rooms;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (void *)&to, sizeof to)) die("connect", strerror(errno));
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
  if (!socket_io) snprintf(bearer, sizeof bearer, "Authorization: Bearer %s\r\n", tokens[i]);
  int n = snprintf(b, sizeof b,
    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
    socket_io ? "/socket.io/?EIO=4&transport=websocket" : "/api/v1/chat/socket", port, bearer);
  send_all(c, b, n);
}

static uint64_t quantile(double q, uint64_t total) {
  uint64_t seen = 0;
  for (int i = 0; i < BUCKETS; i++)
    if ((seen += latencies[i]) >= q * total) return i;
  return BUCKETS;
}

static double cpu_seconds(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void stay(double seconds) {
  uint64_t begun = now();
  while (now() - begun < seconds * 1e9) pump(50);
}

int main(int count, char **arguments) {
  if (count != 9) die("usage", "wsload PORT N PROTOCOL ROOMS MODE ARG SECONDS PADDING");
  port = atoi(arguments[1]);
  clients = atoi(arguments[2]);
  socket_io = !strcmp(arguments[3], "sio");
  rooms = atoi(arguments[4]);
  char mode = arguments[5][0];
  double arg = atof(arguments[6]), seconds = atof(arguments[7]);
  padding = atoi(arguments[8]);
  if (!socket_io) tokens = lines("BENCH_TOKENS", clients), room_names = lines("BENCH_ROOMS", rooms);
  conns = calloc(clients, sizeof *conns);
  latencies = calloc(BUCKETS + 1, sizeof *latencies);
  poller = epoll_create1(0);
  for (int i = 0; i < clients; i++) {
    connect_one(i);
    while (i - joined > 100) pump(100);
  }
  while (joined < clients) pump(100);
  stay(1);
  if (mode == 'i') {
    printf("ready\n");
    fflush(stdout);
    stay(seconds);
    return 0;
  }

  int who = 0, warm = 1;
  uint64_t begun = now(), measured = 0, end = 0, next = begun, owed = 0, before = 0, sent_before = 0;
  double cpu = 0;
  for (;;) {
    uint64_t t = now();
    if (warm && t - begun > 1500000000ull) {
      warm = 0, measuring = 1, measured = t, end = t + seconds * 1e9;
      before = delivered, sent_before = sent, bytes_in = 0, cpu = cpu_seconds();
    }
    if (!warm && t >= end) break;
    if (mode == 'w') {
      while (owed < delivered + (uint64_t)arg * people_in(0) - people_in(0) / 2) owed += people_in(who % rooms), say(who++, now());
    } else {
      for (; next <= t; next += 1e9 / arg) owed += people_in(who % rooms), say(who++, next);
    }
    pump(0);
  }
  double took = (now() - measured) / 1e9;
  uint64_t deliveries = delivered - before, total = 0;
  for (int i = 0; i < BUCKETS; i++) total += latencies[i];
  printf("{\"sent\":%llu,\"deliveries\":%llu,\"rate\":%.0f,\"p50\":%.3f,\"p99\":%.3f,\"bytes\":%.0f,\"driver\":%.2f,\"owed\":%lld}\n",
    (unsigned long long)(sent - sent_before), (unsigned long long)deliveries, deliveries / took,
    quantile(.5, total) / 1e3, quantile(.99, total) / 1e3, deliveries ? (double)bytes_in / deliveries : 0,
    (cpu_seconds() - cpu) / took, (long long)(owed - delivered));
  return 0;
}

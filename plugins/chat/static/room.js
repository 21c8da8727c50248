// The page of one room.

import { Room } from "./client.js";

const page = document.querySelector("[data-room]");
const { room: roomId, me } = page.dataset;
const log = page.querySelector("[role=log]");
const form = page.querySelector("form");
const text = form.elements.text;
const answering = page.querySelector(".answering");
const earlier = page.querySelector(".earlier");
const shape = document.getElementById("message").content.firstElementChild;

const NAMES = { connecting: "Connecting…", open: "", waiting: "The connection is lost. It comes back by itself.", over: "Sign in again to go on.", gone: "You are not in this room any more." };
const FATES = { waiting: "It appears when it is approved.", refused: "It was not approved." };
const THUMB = "👍";
const HELD_ASKED_EVERY = 20_000; // ms
const TYPED_EVERY = 3000;
const TYPING_FOR = 5000;

const say = (selector, words) => { page.querySelector(selector).textContent = words; };
const found = (offset) => document.getElementById(`m${offset}`);
const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 80;
const scrollToEnd = () => { log.scrollTop = log.scrollHeight; };
let replyTo = null;
let oldest = null; // the cursor of what came before, null when nothing did
const rewritten = new Map(); // offset → what is said now in a message that is not shown: it may be on its way

function drawn(message) {
  const item = shape.cloneNode(true);
  const at = new Date(message.at);
  item.dataset.sender = message.sender.id;
  item.dataset.client = message.client_id;
  item.dataset.own = JSON.stringify(message.own_reactions ?? []);
  item.classList.toggle("mine", message.sender.id === me);
  item.querySelector(".sender").textContent = message.sender.name || "Somebody";
  item.querySelector("time").dateTime = at.toISOString();
  item.querySelector("time").textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  item.querySelector(".remove").hidden = message.sender.id !== me;
  if (message.audience === "staff") item.querySelector(".aside").hidden = false;
  if (message.offset) number(item, message.offset);
  write(item, message.text, message.edited_at);
  press(item);
  if (message.reply_to) quote(item, message.reply_to);
  for (const [emoji, count] of Object.entries(message.reactions ?? {})) sign(item, emoji, count);
  return item;
}

function number(item, offset) {
  item.id = `m${offset}`;
  item.dataset.offset = offset;
  item.classList.remove("pending");
  item.querySelector(".fate").textContent = "";
}

function write(item, words, editedAt) {
  item.querySelector(".text").textContent = words ?? "This message was removed.";
  item.classList.toggle("removed", words == null);
  item.querySelector(".edited").hidden = !editedAt;
}

function quote(item, offset) {
  const link = item.querySelector(".quoted");
  link.hidden = false;
  link.href = `#m${offset}`;
  link.textContent = excerpt(offset);
}

function excerpt(offset) {
  return found(offset)?.querySelector(".text").textContent.slice(0, 80) ?? "an earlier message";
}

// Also where others quote it.
function rewrite(offset, words, editedAt) {
  const item = found(offset);
  if (!item) return rewritten.set(offset, [words, editedAt]);
  write(item, words, editedAt);
  requote(offset);
}

function requote(offset) {
  for (const link of log.querySelectorAll(`.quoted[href="#m${offset}"]`)) link.textContent = excerpt(offset);
}

const own = (item) => new Set(JSON.parse(item.dataset.own));

function press(item) {
  item.querySelector(".like").setAttribute("aria-pressed", own(item).has(THUMB));
}

function reacted({ target, sender, emoji, on }) {
  const item = found(target);
  if (!item) return;
  if (sender.id === me) {
    const signs = own(item);
    if (signs.has(emoji) === on) return; // it was in the history already
    on ? signs.add(emoji) : signs.delete(emoji);
    item.dataset.own = JSON.stringify([...signs]);
    press(item);
  }
  sign(item, emoji, on ? 1 : -1);
}

function sign(item, emoji, by) {
  const signs = item.querySelector(".signs");
  const known = [...signs.children].find((one) => one.dataset.emoji === emoji);
  const count = Number(known?.dataset.count ?? 0) + by;
  known?.remove();
  if (count < 1) return;
  const one = document.createElement("li");
  Object.assign(one.dataset, { emoji, count });
  one.textContent = `${emoji} ${count}`;
  signs.append(one);
}

// Among those that are shown, in the order of the log: what waits to be stored comes behind all.
function place(item) {
  const offset = Number(item.dataset.offset ?? Infinity);
  let before = log.lastElementChild;
  while (before && (before === item || Number(before.dataset.offset ?? Infinity) > offset)) before = before.previousElementSibling;
  const next = before ? before.nextElementSibling : log.firstElementChild;
  if (next !== item) log.insertBefore(item, next);
  requote(offset);
}

function add(item) {
  const follow = atEnd();
  place(item);
  if (follow) scrollToEnd();
}

const entries = {
  message(entry) {
    const sent = entry.sender.id === me ? log.querySelector(`[data-client="${CSS.escape(entry.client_id)}"]`) : null;
    if (sent?.dataset.offset) return;
    if (sent) {
      number(sent, entry.offset);
      write(sent, entry.text, entry.edited_at); // filters may have left less of it
      add(sent);
    } else if (!found(entry.offset)) add(drawn(entry));
    if (sent || atEnd()) markRead();
    typists.delete(entry.sender.id);
    showTypists();
  },
  edited(entry) { rewrite(entry.target, entry.text, entry.at); },
  removed(entry) { rewrite(entry.target, null); },
  reacted,
  room(entry) {
    form.hidden = entry.state === "closed";
    say(".rules", rules(entry));
  },
  hidden() {},
};

function rules({ state, slow_mode: slow, approval }) {
  if (state === "closed") return "This room is closed: everything can be read, and nothing said.";
  return [slow && `One message every ${slow} seconds.`, approval && "Messages appear when they are approved."].filter(Boolean).join(" ");
}

const typists = new Map();

function showTypists() {
  const names = [...typists.values()].map(({ name }) => name || "Somebody");
  say(".typing", names.length === 0 ? "" : names.length === 1 ? `${names[0]} is writing…` : `${names.length} people are writing…`);
}

const room = new Room(roomId, {
  joined({ recovered, entries: missed, people, read }) {
    readTo = Math.max(readTo, read);
    if (recovered !== true) start(missed);
    else missed.forEach((entry) => entries[entry.type](entry));
    showPeople(people);
  },
  delayed(clientId, { title, detail }) {
    const item = log.querySelector(`.pending[data-client="${CSS.escape(clientId)}"]`);
    if (item) item.querySelector(".fate").textContent = `Not sent yet: ${[title, detail].filter(Boolean).join(". ")}`;
  },
  entry(entry) { entries[entry.type](entry); },
  state(name) {
    say(".state", NAMES[name]);
    page.dataset.state = name;
    if (name === "gone" || name === "over") form.hidden = true;
    if (name === "gone") leave();
  },
  presence({ people }) { showPeople(people); },
  typing({ user_id: id, name }) {
    if (id === me) return;
    clearTimeout(typists.get(id)?.timer);
    typists.set(id, { name, timer: setTimeout(() => { typists.delete(id); showTypists(); }, TYPING_FOR) });
    showTypists();
  },
});

// Who was put out, or has no access any more, sees nothing more of it.
function leave() {
  log.replaceChildren();
  earlier.hidden = true;
  clearTimeout(asking);
  for (const part of [".people", ".rules", ".typing"]) say(part, "");
}

// Only what somebody can have seen: this page in front, scrolled to its end.
let readTo = 0;

function markRead() {
  const last = Math.max(0, ...[...log.children].slice(-20).map((item) => Number(item.dataset.offset ?? 0)));
  if (last <= readTo || document.visibilityState !== "visible" || !atEnd()) return;
  readTo = last;
  room.read(last);
}

// What is shown is forgotten, but for what waits to be stored. The history has the signs that were put to messages too.
async function start(missed) {
  const waiting = [...log.querySelectorAll(".pending, .failed")];
  log.replaceChildren();
  oldest = null;
  rewritten.clear();
  await showEarlier();
  missed.forEach((entry) => entry.type === "message" && entry.text != null && entries.message(entry));
  waiting.forEach((item) => log.querySelector(`[data-client="${CSS.escape(item.dataset.client)}"]`) ?? add(item));
  await showHeld();
  scrollToEnd();
  markRead();
}

// What of one's own waits for approval, also from an earlier visit; and of what waited here, whether it was refused.
// What is approved comes like any other message.
let asking = null;

async function showHeld() {
  const answer = await fetch(`/api/v1/chat/rooms/${roomId}/held/own?limit=50`);
  if (!answer.ok) return;
  const { items } = await answer.json();
  for (const message of items.reverse()) {
    let item = log.querySelector(`[data-client="${CSS.escape(message.client_id)}"]`);
    if (!item && message.state === "waiting") {
      item = drawn({ ...message, offset: null, sender: { id: me, name: page.dataset.name } });
      item.classList.add("pending");
      add(item);
    }
    if (item?.matches(".pending")) tellFate(item, message.state);
  }
  askAgain();
}

function tellFate(item, state) {
  item.classList.toggle("held", state === "waiting");
  item.querySelector(".fate").textContent = FATES[state] ?? "";
  if (state === "refused") item.classList.replace("pending", "failed");
}

const isHeld = () => log.querySelector(".held.pending") !== null;

function askAgain() {
  clearTimeout(asking);
  if (isHeld()) asking = setTimeout(showHeld, HELD_ASKED_EVERY);
}

async function showEarlier() {
  const url = oldest ?? `/api/v1/chat/rooms/${roomId}/messages?limit=50`;
  const answer = await fetch(url);
  if (!answer.ok) return say(".state", "What was said earlier can not be read now.");
  const { items } = await answer.json();
  oldest = /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("Link") ?? "")?.[1] ?? null;
  earlier.hidden = oldest === null;
  const height = log.scrollHeight;
  for (const message of items) {
    if (found(message.offset)) continue;
    place(drawn({ ...message, sender: { id: message.sender, name: message.name } }));
    if (rewritten.has(message.offset)) rewrite(message.offset, ...rewritten.get(message.offset));
  }
  log.scrollTop += log.scrollHeight - height;
}

function comeBack() {
  room.makeSure();
  markRead();
  if (isHeld()) showHeld();
}

function showPeople(people) {
  say(".people", people === 1 ? "1 person here" : `${people} people here`);
}

async function send(words) {
  const { clientId, stored } = room.post(words, { replyTo });
  const item = drawn({ sender: { id: me, name: page.dataset.name }, client_id: clientId, at: Date.now(), text: words, reply_to: replyTo });
  item.classList.add("pending");
  add(item);
  scrollToEnd();
  answer(null);
  try {
    const { state } = await stored;
    if (state === "held") tellFate(item, "waiting");
    askAgain();
  } catch (refusal) {
    item.classList.replace("pending", "failed");
    item.querySelector(".fate").textContent = [refusal.title, refusal.detail].filter(Boolean).join(". ");
  }
}

function answer(item) {
  replyTo = item ? Number(item.dataset.offset) : null;
  answering.hidden = !item;
  if (item) answering.querySelector("span").textContent = `Answering ${item.querySelector(".sender").textContent}`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = text.value.trim();
  if (words) send(words);
  text.value = "";
  text.focus();
});

text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
  if (event.key === "Escape") answer(null);
});

let typed = 0;
text.addEventListener("input", () => {
  if (Date.now() - typed > TYPED_EVERY) {
    typed = Date.now();
    room.typing();
  }
});

log.addEventListener("click", (event) => {
  const item = event.target.closest("li[data-offset]");
  const button = event.target.closest("button");
  if (!item || !button) return;
  const offset = Number(item.dataset.offset);
  const failed = (refusal) => { item.querySelector(".fate").textContent = refusal.title; };
  if (button.matches(".reply")) { answer(item); text.focus(); }
  if (button.matches(".like")) room.ask({ type: "react", offset, emoji: THUMB, on: !own(item).has(THUMB) }).catch(failed);
  if (button.matches(".remove")) room.ask({ type: "remove", offset }).catch(failed);
});

earlier.addEventListener("click", showEarlier);
answering.querySelector("button").addEventListener("click", () => { answer(null); text.focus(); });
log.addEventListener("scroll", markRead, { passive: true });
for (const event of ["online", "focus"]) addEventListener(event, comeBack);
document.addEventListener("visibilitychange", comeBack);
addEventListener("pagehide", () => room.close());
addEventListener("pageshow", (event) => event.persisted && location.reload());
room.open();

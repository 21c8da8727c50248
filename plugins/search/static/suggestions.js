// Suggestions while somebody types. Without this script the form works as well.

const field = document.getElementById("q");
const list = document.getElementById("suggestions");
const PAUSE = 150; // ms after the last key
let waiting = null;
let asked = 0;

async function suggest() {
  const number = ++asked;
  const text = field.value.trim();
  if (text.length < 2) return list.replaceChildren();
  const answer = await fetch(`/api/v1/search/suggestions?${new URLSearchParams({ q: field.value })}`);
  if (!answer.ok || number !== asked) return; // slower than what was typed since
  const titles = new Set((await answer.json()).map(({ title }) => title));
  list.replaceChildren(...[...titles].map((title) => Object.assign(document.createElement("option"), { value: title })));
}

field.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(suggest, PAUSE);
});

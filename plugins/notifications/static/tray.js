// What was shown is read; and each choice of mails is kept at once.

const API = "/api/v1/notifications";
const state = document.getElementById("state");
const newest = document.querySelector(".tray")?.dataset.newest;

let asked = null; // for the token of this session, once

function token() {
  asked ??= fetch("/api/v1/auth/csrf").then((answer) => answer.json()).then((answer) => answer.csrf_token);
  return asked;
}

async function ask(method, path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": await token() };
  const answer = await fetch(`${API}${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${answer.status}`);
}

if (newest) ask("POST", `/${newest}/read-up-to`).catch(() => {}); // they stay new, and are shown so again

for (const box of document.querySelectorAll(".wanted input")) {
  box.addEventListener("change", async () => {
    try {
      await ask("PUT", `/preferences/${box.name}`, { mail: box.checked });
      state.textContent = "Kept.";
    } catch {
      box.checked = !box.checked;
      state.textContent = "That could not be kept. Try again.";
    }
  });
}

// What was shown is read; and what somebody wants is kept.

import { ask } from "./asking.js";

const newest = document.querySelector(".tray")?.dataset.newest;

async function keep(state, method, path, body) {
  try {
    await ask(method, path, body);
    state.textContent = "Kept.";
    return true;
  } catch (error) {
    state.textContent = error.message;
    return false;
  }
}

if (newest) ask("POST", `/${newest}/read-up-to`).catch(() => {}); // they stay new, and are shown so again

for (const list of document.querySelectorAll(".kind select")) {
  let before = list.value;
  list.addEventListener("change", async () => {
    const state = document.getElementById("state");
    const kept = await keep(state, "PUT", `/preferences/${list.name}`, { frequency: list.value });
    if (kept) before = list.value;
    else list.value = before;
  });
}

function minutes(time) {
  const [hours, rest] = time.split(":").map(Number);
  return time ? 60 * hours + rest : 0; // both at midnight: no quiet hours
}

const schedule = document.getElementById("schedule");
schedule.addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = new FormData(schedule);
  keep(document.getElementById("kept"), "PUT", "/schedule", {
    hour: Number(fields.get("hour")),
    weekday: Number(fields.get("weekday")),
    quiet_from: minutes(fields.get("quiet_from")),
    quiet_until: minutes(fields.get("quiet_until")),
    time_zone: fields.get("time_zone").trim() || null,
  });
});

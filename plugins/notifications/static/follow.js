// The button that follows somebody, or does so no more.

import { ask } from "./asking.js";

const button = document.querySelector("[data-follow]");
const topic = button.dataset.follow;

function show(follows) {
  button.setAttribute("aria-pressed", follows);
  button.textContent = follows ? "Following" : "Follow";
  button.hidden = false;
}

button.addEventListener("click", async () => {
  const follows = button.getAttribute("aria-pressed") !== "true";
  button.disabled = true;
  try {
    await ask(follows ? "PUT" : "DELETE", `/following/${topic}`);
    show(follows);
  } catch (error) {
    button.textContent = error.message;
  }
  button.disabled = false;
});

fetch(`/api/v1/notifications/following/${topic}`)
  .then((answer) => answer.json())
  .then((answer) => show(answer.follows));

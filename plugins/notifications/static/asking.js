// Asks the API to change something, with the token of this session.

const API = "/api/v1/notifications";

let asked = null; // for the token, once

function token() {
  asked ??= fetch("/api/v1/auth/csrf").then((answer) => answer.json()).then((answer) => answer.csrf_token);
  return asked;
}

// Throws an error that says, for people, what was wrong.
export async function ask(method, path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": await token() };
  const answer = await fetch(`${API}${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (answer.ok) return;
  const problem = await answer.json().catch(() => ({}));
  const faults = (problem.errors ?? []).map((error) => `${error.field.replace("body.", "")} ${error.message}`);
  throw new Error(faults.join("; ") || "That could not be kept. Try again.");
}

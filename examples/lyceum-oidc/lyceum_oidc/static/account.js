// Links and unlinks sign-ins: each change bears the token that only a page of this site can read.
const API = "/api/v1";

async function change(method, path, body) {
  const { csrf_token: token } = await (await fetch(`${API}/auth/csrf`)).json();
  const headers = { "X-CSRF-Token": token, "Content-Type": "application/json" };
  const answer = await fetch(`${API}/oidc${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) {
    const problem = await answer.json();
    throw new Error(problem.detail || problem.title);
  }
  return answer.status === 204 ? null : answer.json();
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    document.getElementById("outcome").textContent = error.message;
  }
}

for (const button of document.querySelectorAll("[data-unlink]")) {
  button.addEventListener("click", () => attempt(async () => {
    await change("DELETE", `/links/${button.dataset.unlink}`);
    location.reload();
  }));
}

for (const button of document.querySelectorAll("[data-link]")) {
  button.addEventListener("click", () => attempt(async () => {
    location.assign((await change("POST", "/links", { provider: button.dataset.link })).url);
  }));
}

// Ends what the link of a mail names. Nobody has to be signed in, and it does not matter who is: no cookie goes along.

const button = document.getElementById("end");
const state = document.getElementById("state");

button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    const options = { method: "POST", credentials: "omit" };
    const answer = await fetch(`/api/v1/notifications/unsubscribe/${button.dataset.token}`, options);
    if (!answer.ok) throw new Error(`${answer.status}`);
    state.textContent = "Done. You get no more of it.";
    button.hidden = true;
  } catch {
    button.disabled = false;
    state.textContent = "That did not work. Try again.";
  }
});

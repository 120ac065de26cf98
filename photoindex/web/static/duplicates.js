// Duplicates: a group is called none, and that is undone.

import { api, load, readOnly, toast } from "./app.js";

async function refresh() {
  await load(location.href, ["live"], { again: true }).catch(() => {});
  arrange();
}

function arrange() {
  if (!readOnly) for (const button of document.querySelectorAll("#live button:disabled")) button.disabled = false;
}

async function decide(ids, distinct) {
  try {
    await api("duplicates/decide", { method: "POST", body: { ids, distinct } });
    toast(distinct ? "Kept apart" : "Together again", { undo: () => decide(ids, !distinct) });
  } catch (error) {
    toast(error.message, { bad: true });
  }
  await refresh();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-distinct]");
  if (!button) return;
  button.disabled = true;
  decide(button.dataset.ids.split(",").map(Number), button.dataset.distinct === "true");
});

arrange();

// Duplicates: a group is called none, and that is undone.

import { api, load, onKey, readOnly, remember, toast, undo } from "./app.js";

const asked = new WeakSet(); // buttons whose answer is on its way; disabled they would lose the focus
const refresh = () => load(location.href, ["counted", "live"], { again: true, arrange }).catch(() => {});

function arrange() {
  if (!readOnly) for (const button of document.querySelectorAll("#live button:disabled")) button.disabled = false;
}

async function decide(ids, distinct) {
  try {
    const { changed } = await api("duplicates/decide", { method: "POST", body: { ids, distinct } });
    const undoing = { path: "duplicates/decide", body: { ids, distinct: !distinct } };
    if (changed) remember(undoing);
    toast(distinct ? "Kept apart" : "Together again", { undo: changed ? () => undo(undoing, refresh) : null });
  } catch (error) {
    toast(error.message, { bad: true });
  }
  await refresh();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-distinct]");
  if (!button || asked.has(button)) return;
  asked.add(button);
  decide(button.dataset.ids.split(",").map(Number), button.dataset.distinct === "true").then(() => asked.delete(button));
});

onKey("reload", refresh);
arrange();

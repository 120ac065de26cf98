// Failures and jobs: buttons that ask the API for something, and a page that keeps up.

import { api, load, localise, onChange, onKey, readOnly, toast } from "./app.js";

async function refresh() {
  await load(location.href, ["live"]).catch(() => {});
  arrange();
}

function arrange() {
  const live = document.getElementById("live");
  localise(live);
  if (!readOnly) for (const button of live.querySelectorAll("button:disabled")) button.disabled = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button) return;
  const { post, ids, action } = button.dataset;
  button.disabled = true;
  try {
    const body = ids ? { ids: ids.split(",").map(Number) } : { action };
    const { changed } = await api(post, { method: "POST", body });
    toast(ids ? `${changed} ${post.endsWith("retry") ? "queued: the next index or watch takes them" : "ignored"}` : "Done");
  } catch (error) {
    toast(error.message, { bad: true });
  }
  await refresh();
});

onKey("reload", refresh);
onChange(refresh);
arrange();

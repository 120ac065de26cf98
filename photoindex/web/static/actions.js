// Failures and jobs: buttons that ask the API for something, and a page that keeps up.

import { api, load, localise, make, onChange, onKey, readOnly, toast } from "./app.js";

const refresh = () => load(location.href, ["live"], { again: true, arrange }).catch(() => {});

function arrange() {
  const live = document.getElementById("live");
  localise(live);
  if (!readOnly) for (const button of live.querySelectorAll("button:disabled")) button.disabled = false;
}

const asked = new WeakSet(); // buttons whose answer is on its way; disabled they would lose the focus

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button || asked.has(button)) return;
  const { post, ids, action } = button.dataset;
  asked.add(button);
  try {
    const body = ids ? { ids: ids.split(",").map(Number) } : { action };
    const { changed } = await api(post, { method: "POST", body });
    toast(ids ? `${changed} ${post.endsWith("retry") ? "queued: the next index or watch takes them" : "ignored"}` : "Done");
  } catch (error) {
    toast(error.message, { bad: true });
  }
  await refresh();
  asked.delete(button);
});

// ---- a batch: first the plan, then the queue

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "batch") return;
  event.preventDefault();
  const { what, query } = event.target.elements;
  const body = { what: what.value, query: what.value === "failed" ? "" : query.value };
  const place = document.getElementById("plan");
  try {
    const plan = await api("jobs/plan", { method: "POST", body });
    const minutes = plan.seconds === null ? "" : `, some ${Math.max(1, Math.round(plan.seconds / 60)).toLocaleString()} minutes by the last batch’s speed`;
    place.replaceChildren(`${plan.photos.toLocaleString()} photos${minutes}. Old captions are found until new ones replace them. `);
    if (plan.photos) place.append(make("button", { type: "button", class: "button", click: () => queue(body) }, "Queue them"));
  } catch (error) {
    place.textContent = error.message;
  }
});

async function queue(body) {
  try {
    const { photos } = await api("jobs", { method: "POST", body });
    toast(`${photos.toLocaleString()} queued: a watch, or the next index or reindex, works them off`);
    const form = document.getElementById("batch"), plan = document.getElementById("plan");
    form.reset();
    if (plan.contains(document.activeElement)) form.querySelector("button").focus();
    plan.replaceChildren();
  } catch (error) {
    toast(error.message, { bad: true });
  }
  await refresh();
}

onKey("reload", refresh);
onChange(refresh);
arrange();

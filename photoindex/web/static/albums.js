// Albums: rename, delete and bring back; the page keeps up with changes.

import { letChoose, mark } from "./choose.js";
import { api, load, localise, onChange, readOnly, root, toast } from "./app.js";

const live = () => document.getElementById("live");
const gone = new AbortController(); // the album was deleted: what is still on its way must not show it again

const refresh = () => load(location.href, ["live"], { signal: gone.signal, again: true, arrange }).catch(() => {});

function arrange() {
  localise(live());
  if (!readOnly) for (const button of live().querySelectorAll("button:disabled")) button.disabled = false;
  mark();
}

async function remove() {
  try {
    const kept = await api(`albums/${live().dataset.id}/delete`, { method: "POST", body: {} });
    const body = kept.query === null ? { name: kept.name, ids: kept.ids } : { name: kept.name, query: kept.query };
    gone.abort();
    live().replaceChildren();
    toast(`The album “${kept.name}” is gone; its photos stay`, {
      undo: async () => {
        const made = await api("albums", { method: "POST", body });
        location.replace(`${root}/album/${made.id}`);
      },
      done: () => location.replace(`${root}/albums`),
    });
  } catch (error) {
    toast(error.message, { bad: true });
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (!button) return;
  if (button.dataset.do === "delete") remove();
  if (button.dataset.do === "rename") {
    const form = document.getElementById("renamer");
    form.hidden = !form.hidden;
    if (form.hidden) return;
    document.getElementById("newname").focus();
    document.getElementById("newname").select();
  }
});

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "renamer") return;
  event.preventDefault();
  try {
    const name = document.getElementById("newname").value.trim();
    await api(`albums/${live().dataset.id}`, { method: "POST", body: { name } });
    toast("Renamed");
    const form = document.getElementById("renamer");
    if (form.contains(document.activeElement)) document.querySelector("[data-do=rename]").focus();
    form.hidden = true;
    await refresh();
  } catch (error) {
    toast(error.message, { bad: true });
  }
});

onChange(() => { if (scrollY < 200 && live().children.length) refresh(); });
letChoose(refresh);
arrange();

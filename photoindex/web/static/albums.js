// Albums: rename, delete and bring back; the page keeps up with changes.

import { letChoose, letWalk, mark } from "./choose.js";
import { api, load, localise, onChange, onKey, readOnly, remember, root, toast, undo } from "./app.js";

const NO_ALBUM = 409; // the status of the page of one that is not there any more
const live = () => document.getElementById("live");
let removing = false; // the album, by this page, which offers to bring it back
const gone = new AbortController(); // the album was deleted: what is still on its way must not show it again

const refresh = () => load(location.href, ["live"], { signal: gone.signal, again: true, arrange }).catch(({ status }) => {
  if (status !== NO_ALBUM || removing || gone.signal.aborted) return;
  gone.abort();
  location.replace(`${root}/albums`);
});

function arrange() {
  localise(live());
  if (!readOnly) for (const button of live().querySelectorAll("button:disabled")) button.disabled = false;
  mark();
}

async function remove() {
  removing = true;
  try {
    const kept = await api(`albums/${live().dataset.id}/delete`, { method: "POST", body: {} });
    const body = kept.query === null ? { name: kept.name, ids: kept.ids } : { name: kept.name, query: kept.query };
    gone.abort();
    live().inert = true; // what it showed stays on the screen, also when it cannot be brought back
    document.getElementById("main").focus({ preventScroll: true });
    const undoing = { path: "albums", body };
    const back = (made) => location.replace(`${root}/album/${made.id}`);
    remember(undoing);
    onKey("reload", back);
    toast(`The album “${kept.name}” is gone; its photos stay`, {
      undo: () => undo(undoing, back),
      done: () => location.replace(`${root}/albums`),
    });
  } catch (error) {
    removing = false;
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
    const path = `albums/${live().dataset.id}`, before = live().dataset.name;
    if (name !== before) {
      const undoing = { path, body: { name: before } };
      await api(path, { method: "POST", body: { name } });
      remember(undoing);
      toast("Renamed", { undo: () => undo(undoing, refresh) });
    }
    const form = document.getElementById("renamer");
    if (form.contains(document.activeElement)) document.querySelector("[data-do=rename]").focus();
    form.hidden = true;
    await refresh();
  } catch (error) {
    toast(error.message, { bad: true });
  }
});

onChange(() => { if (scrollY < 200 && !gone.signal.aborted) refresh(); });
onKey("reload", refresh);
letWalk();
letChoose({ reload: refresh });
arrange();

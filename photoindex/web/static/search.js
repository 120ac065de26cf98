// Search as you type: the newest query wins, older ones are aborted, and the address is the query.

import { letChoose, mark } from "./choose.js";
import { api, edit, load, localise, make, onChange, onKey, readOnly, root, toast } from "./app.js";

const PAUSE = 60; // milliseconds for a next letter, while the results of the one before are still on their way
const box = document.getElementById("q");
let running = null;
let timer = 0;

function address(query) {
  const url = new URL(`${root}/search`, location.href);
  url.searchParams.set("q", query);
  for (const name of ["view", "sort"]) {
    const kept = new URL(location.href).searchParams.get(name);
    if (kept) url.searchParams.set(name, kept);
  }
  return url;
}

async function showAt(url, { push = true, focus = false, typing = false, unasked = false } = {}) {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  document.body.classList.add("searching");
  try {
    const asked = new URL(url, location.href);
    if (typing) asked.searchParams.set("typing", "1"); // other spellings of half a word are not wanted
    await load(asked, ["results"], { signal: mine.signal, unasked });
    if (push) history.replaceState(null, "", url);
    arrange();
    if (focus) document.querySelector("#results h1")?.focus({ preventScroll: true });
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message, { bad: true });
  } finally {
    if (running === mine) {
      running = null;
      document.body.classList.remove("searching");
    }
  }
}

function arrange() {
  localise(document.getElementById("results"));
  for (const name of ["tagging", "keeping"]) {
    const opener = document.getElementById(name);
    if (opener && !readOnly) opener.hidden = false;
  }
  mark();
}

box.addEventListener("input", () => {
  clearTimeout(timer);
  const query = box.value.trim();
  timer = setTimeout(() => { if (query) showAt(address(query), { typing: true }); }, running ? PAUSE : 0);
});

box.form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  const query = box.value.trim();
  if (!query) return;
  const url = address(query);
  history.pushState(null, "", url);
  showAt(url, { push: false, focus: true });
});

// Links within the results change them in place.
document.getElementById("main").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const url = new URL(link.href);
  if (url.pathname !== `${root}/search`) return;
  event.preventDefault();
  box.value = url.searchParams.get("q") ?? "";
  history.pushState(null, "", url);
  showAt(url, { push: false, focus: true }).then(() => { if (url.searchParams.has("from")) scrollTo(0, 0); });
});

addEventListener("popstate", () => {
  box.value = new URL(location.href).searchParams.get("q") ?? "";
  showAt(location.href, { push: false });
});

async function keepAsAlbum(name, how) {
  const { set, query } = document.getElementById("results").dataset;
  const search = how === "search";
  try {
    const made = await api(search ? "albums" : "albums/fill", { method: "POST", body: search ? { name, query } : { name, set } });
    const link = make("a", { href: `${root}/album/${made.id}` }, name);
    toast(search ? "Saved as " : `${made.changed.toLocaleString()} added to `, { link });
  } catch (error) {
    toast(error.message, { bad: true });
  }
}

document.getElementById("main").addEventListener("submit", (event) => {
  const opener = event.target.closest("details.pop");
  if (opener) {
    opener.open = false;
    opener.querySelector("summary").focus();
  }
  if (event.target.id === "keep") {
    event.preventDefault();
    const name = event.target.elements.name.value.trim();
    if (name) keepAsAlbum(name, event.submitter?.value ?? "search");
  }
  if (event.target.id !== "tagall") return;
  event.preventDefault();
  const tag = event.target.elements.tag.value.trim();
  const { set } = document.getElementById("results").dataset;
  if (tag && set) {
    toast(`Tagging all photos “${tag}”…`);
    edit({ set, tags: [tag] }, (changed) => `Tagged ${changed.toLocaleString()} photos “${tag}”`, reload);
  }
});

function reload({ unasked = false } = {}) {
  const url = new URL(location.href);
  url.searchParams.delete("set");
  return showAt(url, { push: false, unasked });
}

onKey("reload", () => reload());
let known = null;
onChange(({ revision }) => {
  if (known !== null && known !== revision && scrollY < 200) reload({ unasked: true });
  known = revision;
});

// j and k, and the arrows, go from photo to photo.
function step(by) {
  const links = [...document.querySelectorAll(".hit .picture")];
  const at = links.indexOf(document.activeElement?.closest?.(".hit")?.querySelector(".picture"));
  links[Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
}
onKey("j", () => step(1));
onKey("k", () => step(-1));
onKey("ArrowRight", () => step(1));
onKey("ArrowLeft", () => step(-1));

letChoose(reload);
arrange();
if (!box.value) box.focus();

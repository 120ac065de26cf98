// Search as you type: the newest query wins, older ones are aborted, and the address is the query.

import { letChoose, letWalk, mark } from "./choose.js";
import { api, edit, intoAlbum, load, localise, make, onChange, onKey, readOnly, remember, revisionOf, root, toast, undo } from "./app.js";

const PAUSE = 60; // milliseconds for a next letter, while the results of the one before are still on their way
const REST = 350; // milliseconds without a letter, after which the results that no window holds are loaded as well
const box = document.getElementById("q");
let running = null;
let timer = 0;
let rest = 0;
let typed = ""; // what stands in the box and was not sent off: its last word may be half of one

function address(query) {
  const url = new URL(`${root}/search`, location.href);
  url.searchParams.set("q", query);
  for (const name of ["view", "sort"]) {
    const kept = new URL(location.href).searchParams.get(name);
    if (kept) url.searchParams.set(name, kept);
  }
  return url;
}

/** The address of what is shown: half a word stands for all that begins so, which is asked for by another query. */
function withFound(url) {
  const shown = new URL(url, location.href);
  const { query } = document.getElementById("results").dataset;
  if (query) shown.searchParams.set("q", query);
  return shown;
}

async function showAt(url, { push = true, focus = false, typing = "", again = false } = {}) {
  running?.abort();
  clearTimeout(rest);
  const mine = new AbortController();
  running = mine;
  document.body.classList.add("searching");
  try {
    const asked = new URL(url, location.href);
    // While a word is typed, what begins so is wanted and other spellings are not; first as much as is seen.
    if (typing) asked.searchParams.set("typing", typing);
    await load(asked, ["results"], { signal: mine.signal, again, arrange });
    if (push) history.replaceState(null, "", withFound(url));
    if (focus) document.querySelector("#results h1")?.focus({ preventScroll: true });
    if (typing === "first") rest = setTimeout(() => showAt(url, { typing: "all", again: true }).then(announce), REST);
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message, { bad: true });
  } finally {
    if (running === mine) {
      running = null;
      document.body.classList.remove("searching");
    }
  }
}

const opened = new Set(); // titles of what narrows a search, where it has room for one list at a time
const isNarrow = matchMedia("(max-width: 720px)");

/** Close the lists that narrow a search where they would lie before the results, but for those that someone opened. */
function arrangeFacets() {
  for (const list of document.querySelectorAll(".facets details")) {
    list.open = !isNarrow.matches || opened.has(list.querySelector("summary").textContent);
  }
}

document.getElementById("main").addEventListener("click", (event) => {
  const title = event.target.closest(".facets summary");
  if (!title || !isNarrow.matches) return;
  if (!title.parentElement.open) opened.add(title.textContent);
  else opened.delete(title.textContent);
});
isNarrow.addEventListener("change", arrangeFacets);

/** Have a screen reader say what was found, when who typed it rests. */
function announce() {
  const heading = document.querySelector("#results h1");
  document.getElementById("found-count").textContent = heading.textContent.trim();
}

function arrange() {
  localise(document.getElementById("results"));
  if (isNarrow.matches) arrangeFacets();
  for (const name of ["tagging", "keeping"]) {
    const opener = document.getElementById(name);
    if (opener && !readOnly) opener.hidden = false;
  }
  mark();
}

box.addEventListener("input", () => {
  const query = box.value.trim();
  if (query === typed) return; // a space changes nothing
  clearTimeout(timer);
  typed = query;
  timer = setTimeout(() => { if (query) showAt(address(query), { typing: "first" }); }, running ? PAUSE : 0);
});

box.form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  typed = "";
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
  const opener = link.closest("details.pop"); // what was chosen in it is done
  if (opener) opener.open = false;
  box.value = url.searchParams.get("q") ?? "";
  typed = "";
  history.pushState(null, "", url);
  showAt(url, { push: false, focus: true }).then(() => { if (url.searchParams.has("from")) scrollTo(0, 0); });
});

addEventListener("popstate", () => {
  box.value = new URL(location.href).searchParams.get("q") ?? "";
  typed = "";
  showAt(location.href, { push: false });
});

async function keepAsAlbum(name, how) {
  const { set, query } = document.getElementById("results").dataset;
  try {
    if (how === "search") {
      const { id } = await api("albums", { method: "POST", body: { name, query } });
      const undoing = { path: `albums/${id}/delete`, body: {} };
      remember(undoing);
      toast("Saved as “", { link: [make("a", { href: `${root}/album/${id}`, dir: "auto" }, name), "”"], undo: () => undo(undoing, reload) });
    } else await intoAlbum(name, { set }, reload);
    document.getElementById("keep")?.reset();
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
    edit({ set, tags: [tag] }, (changed) => `Tagged ${changed.toLocaleString()} photos “${tag}”`, reload, {
      stored: () => document.getElementById("tagall")?.reset(),
    });
  }
});

function reload() {
  const url = new URL(location.href);
  url.searchParams.delete("set");
  return showAt(url, { push: false, again: true, typing: typed && url.searchParams.get("q") === typed ? "all" : "" });
}

onKey("reload", reload);
onChange((state) => {
  if (revisionOf(state) !== document.getElementById("results").dataset.revision && scrollY < 200) reload();
});

letWalk();
letChoose({ reload });
arrange();
if (!box.value) box.focus();

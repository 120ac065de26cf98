// What every page shares: requests, messages with undo, keys, completions, and one stream of events for all tabs.

import { hold } from "./focus.js";

export const page = document.documentElement.dataset.page;
export const root = document.documentElement.dataset.root;
export const readOnly = "readOnly" in document.documentElement.dataset;
const UNDO_SECONDS = 8;
const NO_SESSION = "login"; // the code of what is refused to who is not signed in

/** Make an element: a name, attributes, and what is in it. */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Ask the API. Throws an Error with the server's message. */
export async function api(path, { method = "GET", body, signal } = {}) {
  const answer = await fetch(`${root}/api/v1/${path}`, {
    method,
    signal,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch((error) => { throw error.name === "AbortError" ? error : new Error("the server does not answer"); });
  const found = await answer.json().catch((error) => { // what stands between may answer for the server, with a page
    throw error.name === "AbortError" ? error : new Error(`the server does not answer (status ${answer.status})`);
  });
  if (!answer.ok) {
    const { message, advice, code } = found.error;
    throw Object.assign(new Error(advice ? `${message}: ${advice}` : message), { code, status: answer.status });
  }
  return found;
}

/** What a line says, with what someone wrote, between its quotes, in a direction of its own. */
function isolated(text) {
  const [, before, written, after] = /^(.*?“)(.+)(”.*)$/s.exec(text) ?? [];
  return written ? [before, make("bdi", {}, written), after] : [text];
}

let takeAway = () => {};

/** Show a message for some seconds; `undo` gives it a button, `done` is called when nobody pressed it. */
export function toast(text, { undo = null, bad = false, done = null, link = [] } = {}) {
  const shown = make("div", { class: bad ? "toast bad" : "toast" }, make("span", {}, ...isolated(text), ...link));
  let came = null; // what had the focus before the message's button
  shown.addEventListener("focusin", (event) => { came ??= event.relatedTarget; });
  const remove = () => {
    const had = shown.contains(document.activeElement);
    shown.remove();
    if (had) (came?.isConnected ? came : document.getElementById("main")).focus({ preventScroll: true });
  };
  if (undo) {
    shown.append(make("button", { type: "button", click: () => { remove(); clearTimeout(timer); undo(); } }, "Undo"));
  }
  takeAway();
  takeAway = remove;
  document.getElementById("toasts").append(shown);
  const timer = setTimeout(() => { remove(); done?.(); }, (undo ? UNDO_SECONDS : 5) * 1000);
}

let last = sessionStorage.getItem("last-change"); // as JSON: what undoes the last change

/** Have the key for it undo a change: by asking `path` for `body`. */
export function remember(undoing) {
  last = JSON.stringify(undoing);
  sessionStorage.setItem("last-change", last);
}

let turn = Promise.resolve();

/** Do something when what was asked for before it is done and shown, as it goes by what is shown. */
export function inTurn(act) {
  turn = turn.then(act).catch((error) => toast(error.message, { bad: true }));
  return turn;
}

/** What undoes an edit of this name. */
export const ofEdit = (name) => ({ path: "edits/undo", body: { edit: name } });

/**
 * Say something of photos; `done` is called when it is stored or refused, and after it was undone. What was so already
 * is no change: the key for it undoes what was done before.
 *
 * `stored` is called before it where the server has it, to take away what was typed; `refused` where it has not, with why.
 */
export async function edit(change, text, done, { stored = null, refused = null } = {}) {
  try {
    const made = await api("photos", { method: "PATCH", body: change });
    stored?.();
    if (made.changed) {
      const undoing = ofEdit(made.edit);
      remember(undoing);
      toast(typeof text === "function" ? text(made.changed) : text, { undo: () => undo(undoing, done) });
    } else toast("Nothing to change: it is so already");
    await done?.();
    return made;
  } catch (error) {
    toast(error.message, { bad: true });
    refused?.(error);
    await done?.();
    return null;
  }
}

/** Undo a change; `done` is given the answer. What fails can be tried again. */
export async function undo(undoing, done) {
  if (last === JSON.stringify(undoing)) {
    last = null; // a key that is held down asks once
    sessionStorage.removeItem("last-change");
  }
  try {
    const undone = await api(undoing.path, { method: "POST", body: undoing.body });
    toast(undone.changed === 0 ? "Nothing to undo: it was changed again since" : "Undone");
    if (done) await done(undone);
    else location.reload();
  } catch (error) {
    if (!last) remember(undoing);
    toast(error.message, { bad: true, undo: () => undo(undoing, done) });
  }
}

/**
 * Put photos, by `ids` or the `set` of a search, into the album of a name. Undone, those are taken out that were not in
 * it before; then `done` is called. Throws what the server says against it.
 */
export async function intoAlbum(name, photos, done) {
  const lone = photos.ids?.length === 1;
  const { id, changed, added_at } = await api("albums/fill", { method: "POST", body: { name, ...photos } });
  if (!changed) {
    toast(lone ? `It is in “${name}” already` : `All of them are in “${name}” already`);
    return;
  }
  const undoing = { path: `albums/${id}`, body: { added_at } };
  remember(undoing);
  const link = make("a", { href: `${root}/album/${id}`, dir: "auto" }, name);
  toast(lone ? "Added to “" : `${changed.toLocaleString()} added to “`, { link: [link, "”"], undo: () => undo(undoing, done) });
}

/**
 * Load another state of this page. The parts of it with these ids take the places of those that are shown.
 *
 * What someone typed, opened or chose while it was loaded stays, and so does the focus; `arrange` is called before the
 * focus is given back, to show what takes it. `keep` is called before the parts are replaced, and what it returns when
 * they are. With `again`, where it is the
 * same page as before, all of it stays that the page did not come with, and so do the elements with `data-kept`: what
 * is stored by now is taken away by who asked for it. Nothing is replaced by a page of which `isShown` says so.
 */
export function load(url, ids, { signal, again = false, arrange = null, keep = null, isShown = () => false } = {}) {
  const before = new Map(ids.map((id) => [id, again ? null : stateOf(document.getElementById(id))]));
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    const show = () => {
      if (!request.responseXML || request.status >= 400) throw refusal(request);
      if (isShown(request.responseXML)) return request.responseXML;
      let giveBack = () => {};
      const showKept = keep?.();
      for (const id of ids) {
        const [old, fresh] = [document.getElementById(id), request.responseXML.getElementById(id)];
        if (!old || !fresh) continue;
        if (old.contains(document.activeElement)) {
          const give = hold(old);
          giveBack = () => give(fresh);
        }
        replace(old, document.adoptNode(fresh), before.get(id));
      }
      showKept?.();
      arrange?.();
      giveBack();
      document.title = request.responseXML.title;
      return request.responseXML;
    };
    request.onload = () => {
      try {
        resolve(show());
      } catch (error) {
        reject(error);
      }
    };
    request.onerror = () => reject(new Error("the server does not answer"));
    signal?.addEventListener("abort", () => { request.abort(); reject(new DOMException("aborted", "AbortError")); });
    request.send();
  });
}

/** Why a page is not there, as the page in its place says. */
function refusal({ status, responseXML: said }) {
  const text = said?.querySelector("[data-problem]")?.dataset.problem;
  return Object.assign(new Error(text || `the page could not be loaded (status ${status})`), { status });
}

// What a person can change in a part of a page, each under a name that it has in the part's next state as well.
function changeable(part) {
  const named = new Map();
  for (const element of part?.querySelectorAll("input, textarea, select, form, details") ?? []) {
    const name = element.id || element.name || element.querySelector("summary")?.textContent;
    const place = [element.closest("[data-id]")?.dataset.id, element.form?.id, element.localName, name];
    if (name) named.set([...place, element.type === "radio" && element.value].join(" "), element);
  }
  return named;
}

// Text is as typed, a box as ticked, a form as shown, details as opened.
const state = (element) => [element.value, element.checked, element.hidden, element.open];
const stateOf = (part) => new Map([...changeable(part)].map(([name, element]) => [name, state(element)]));

/** Have the results that stay keep their pictures, which would be drawn again. */
function keepPictures(old, fresh) {
  const drawn = new Map([...old.querySelectorAll(".hit img")].map((image) => [image.getAttribute("src"), image]));
  for (const image of fresh.querySelectorAll(".hit img")) {
    const kept = drawn.get(image.getAttribute("src"));
    if (!kept?.naturalWidth) continue;
    kept.alt = image.alt;
    image.replaceWith(kept);
  }
}

function replace(old, fresh, before) {
  const had = changeable(old), has = changeable(fresh);
  if (!before) {
    for (const kept of old.querySelectorAll("[data-kept]")) fresh.querySelector(`#${kept.id}`)?.replaceWith(kept);
  }
  keepPictures(old, fresh);
  old.replaceWith(fresh);
  for (const [name, element] of had) {
    const next = has.get(name), was = before ? before.get(name) : [element.defaultValue, element.defaultChecked];
    if (!next || !was) continue;
    const now = state(element);
    if (now[0] !== was[0] && "value" in next) next.value = now[0];
    if (now[1] !== was[1] && "checked" in next) next.checked = now[1];
    if (!before || now[2] !== was[2]) next.hidden = now[2];
    // What hangs over the page is open as long as someone wants it to be.
    if ("open" in next && (!before || now[3] !== was[3] || element.matches(".pop"))) next.open = now[3];
  }
}

// Made once: making one takes longer than all that it then writes on a page.
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY = { weekday: "long", day: "numeric", month: "long" };
const [THIS_YEARS_DAY, YEARS_DAY] = [new Intl.DateTimeFormat(undefined, DAY), new Intl.DateTimeFormat(undefined, { ...DAY, year: "numeric" })];

/** Dates in the reader's own language. */
export function localise(within = document) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const text = time.getAttribute("datetime");
    const day = text.length === 10;
    const date = new Date(day ? `${text}T12:00:00` : text);
    if (Number.isNaN(date.valueOf())) continue;
    if (day) time.textContent = dayName(text);
    else if (time.closest(".when")) time.textContent = DATE.format(date);
    else time.textContent = MOMENT.format(date);
  }
}

/** A day as a heading. */
export function dayName(day) {
  if (!day) return "Without a date";
  const date = new Date(`${day}T12:00:00`);
  return (date.getFullYear() === new Date().getFullYear() ? THIS_YEARS_DAY : YEARS_DAY).format(date);
}

// ---- keys

const keys = new Map();

/** Have a key do something on this page, when nobody is writing. */
export function onKey(key, act) {
  keys.set(key, act);
}

// From when another page was asked for until it is there keys do nothing: they would change the photo that is left, while
// who presses them looks for the next one; and one that is held down would ask again and again.
let leaving = false;

/** Go to another page of the gallery; with `instead`, as if this one had not been. */
export function leave(address, { instead = false } = {}) {
  leaving = true;
  if (instead) location.replace(address);
  else location.href = address;
}

// Someone is here still, or again: the page was kept whole, or the other one is not waited for.
addEventListener("pageshow", () => { leaving = false; });
addEventListener("pointerdown", () => { leaving = false; });

let waitsForSecond = false;
const places = { t: "", m: "about", r: "review", f: "failures", j: "jobs", d: "duplicates", s: "stats", a: "albums", p: "map" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (leaving) {
    leaving = event.key !== "Escape"; // it stops the browser
    return;
  }
  const target = event.target;
  const writes = target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (event.key === "Escape") {
    const opened = [...document.querySelectorAll("details.word[open], details.pop[open]")];
    for (const open of opened) {
      open.open = false;
      if (open.contains(target)) open.querySelector("summary").focus();
    }
    if (opened.length) return;
    if (writes) target.blur();
    else keys.get("Escape")?.(event);
    return;
  }
  if (writes || document.querySelector("dialog[open]")) return;
  if (waitsForSecond) {
    waitsForSecond = false;
    if (event.key in places) {
      event.preventDefault();
      leave(`${root}/${places[event.key]}`);
    }
    return;
  }
  if (event.key === "g") {
    waitsForSecond = true;
    setTimeout(() => { waitsForSecond = false; }, 1200);
  } else if (event.key === "/") {
    event.preventDefault();
    const box = document.getElementById("q");
    box.focus();
    box.select();
  } else if (event.key === "?") {
    document.getElementById("help").showModal();
  } else if (event.key === "u" && !readOnly) {
    inTurn(() => last && undo(JSON.parse(last), keys.get("reload") ?? null));
  } else if (keys.has(event.key)) {
    keys.get(event.key)(event);
  }
});

document.addEventListener("click", (event) => {
  // What was clicked may be gone by now: a part of the page that another state of it has taken the place of.
  for (const open of event.target.isConnected ? document.querySelectorAll("details.word[open], details.pop[open]") : []) {
    if (!open.contains(event.target)) open.open = false;
  }
});

// A field that was asked for by its button is where one writes next. It has the focus before the next key is pressed, as until
// then letters are shortcuts; a browser says that a sheet has opened ("toggle") only after a while.
document.addEventListener("click", (event) => {
  const sheet = event.target.closest?.("details.pop > summary")?.parentElement;
  if (!sheet || sheet.open || event.defaultPrevented) return;
  event.preventDefault();
  sheet.open = true;
  sheet.querySelector("input, select")?.focus();
});

const helpButton = document.getElementById("help-button");
if (helpButton) {
  helpButton.hidden = false;
  helpButton.addEventListener("click", () => document.getElementById("help").showModal());
}

// Where the links to the pages have no room beside each other, the one to this page is in sight.
const here = document.querySelector(".rail [aria-current]");
if (here) here.closest(".rail").scrollLeft = here.offsetLeft + here.offsetWidth / 2 - innerWidth / 2;

// ---- signing out

let signsOut = false;
const signOut = document.getElementById("sign-out");
if (signOut) {
  signOut.hidden = false;
  signOut.addEventListener("click", async () => {
    if (signsOut) return;
    signsOut = true;
    try {
      await api("logout", { method: "POST", body: {} });
    } catch (error) {
      if (error.code !== NO_SESSION) {
        signsOut = false;
        toast(error.message, { bad: true });
        return;
      }
    }
    leave(`${root}/login`, { instead: true });
  });
}

addEventListener("pageshow", () => { signsOut = false; }); // a page that the browser kept whole

/** Whether there is text on the page that the server does not have. */
const isWriting = () => [...document.querySelectorAll("textarea, input:not(#q)")]
  .some((field) => field.value !== field.defaultValue && !field.closest("[hidden]"));

let saidEnd = false;

/** Lead to the page to sign in on when the session has ended, as another tab signed out. What someone writes is kept. */
function endSession() {
  if (signsOut) return;
  if (!isWriting()) location.reload();
  else if (!saidEnd) toast("You are not signed in any more: sign in by another tab to save what you write", { bad: true });
  saidEnd = true;
}

// ---- completions

const box = document.getElementById("q");
const HESITATION = 120; // milliseconds; what is found goes before what the word could become
let completing = null;
let hesitates = 0;

function complete() {
  completing = new AbortController();
  api(`complete?q=${encodeURIComponent(box.value)}`, { signal: completing.signal })
    .then(({ items }) => {
      document.getElementById("completions").replaceChildren(...items.map((value) => make("option", { value })));
    })
    .catch(() => {});
}

box?.addEventListener("input", () => {
  completing?.abort();
  clearTimeout(hesitates);
  if (box.value.length >= 2) hesitates = setTimeout(complete, HESITATION);
});

// ---- events: one tab holds the stream and tells the others, as browsers open six connections to a host, and what
// is asked for waits while all of them are streams

const listeners = new Set();
const channel = "BroadcastChannel" in window ? new BroadcastChannel("photoindex-events") : null;

const ENDED = "the session has ended"; // of all tabs
const ASKS = "which state?"; // of the tab that has the stream, by one that came later
let latest = null;
let listens = false; // to the stream

/**
 * Call something with {revision, total, catalogue, opened} of the library: as it is when this is known, and whenever it
 * has changed. `revision` is of what a timeline shows, `catalogue` of all that is known of photos; `opened`: the stream was just opened, also after the server was away.
 */
export function onChange(listener) {
  listeners.add(listener);
  if (latest) listener(latest); // the stream was open before this script was there
}

/**
 * What `data-revision` says of a state of the library: a timeline, which lists go by as well, follows the catalogue a
 * moment later.
 */
export const revisionOf = ({ catalogue, revision }) => `${catalogue}.${revision}`;

/**
 * Have a part of a page keep up: when the library has another state than the one in its `data-revision`, `follow` is
 * called, one call at a time, once the tab is looked at, and never between the keys of one character.
 */
export function keepUp(part, follow) {
  let busy = false;
  let newest = null; // nothing was heard yet
  const check = async () => {
    if (busy || leaving || composes || document.hidden) return;
    busy = true;
    try {
      while (!leaving && !composes && newest !== null && newest !== (part()?.dataset.revision ?? newest)) {
        const asked = newest;
        await follow();
        if (asked === newest) break; // what was read meanwhile may be no newer, as where the server is away
      }
    } finally {
      busy = false;
    }
  };
  onChange((state) => { newest = revisionOf(state); check(); });
  addEventListener("visibilitychange", check);
  addEventListener("compositionend", () => setTimeout(check)); // when what was composed is in its field
}

let composes = false; // a character is put together, as of Chinese: its field must stay the one that it is
addEventListener("compositionstart", () => { composes = true; });
addEventListener("compositionend", () => { composes = false; });

function tell(state) {
  latest = state;
  saidEnd = false;
  document.documentElement.dataset.revision = revisionOf(state); // of the library, as this page knows it
  for (const listener of listeners) listener(state);
}

if (channel) channel.onmessage = ({ data }) => {
  if (data === ENDED) endSession();
  else if (data !== ASKS) tell(data);
  else if (listens && latest) channel.postMessage(latest);
};

const AGAIN = 3; // seconds until a stream that was refused is asked for again

/** Listen to the stream; what is returned ends that. */
function listen() {
  let source = null, timer = 0;
  const open = () => {
    source = new EventSource(`${root}/api/v1/events`);
    source.addEventListener("changed", heard);
    source.addEventListener("hello", heard);
    // A browser connects again to a server that was away, but not after an answer: of who stands between, or to who is
    // not signed in any more.
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, AGAIN * 1000);
      api("complete?q=").catch(({ code }) => { if (code === NO_SESSION) ended(); });
    });
    source.addEventListener("ended", ended);
  };
  const heard = (event) => {
    const state = { ...JSON.parse(event.data), opened: event.type === "hello" };
    tell(state);
    channel?.postMessage(state);
  };
  const ended = () => {
    channel?.postMessage(ENDED);
    endSession();
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

function listenAlone() {
  if (navigator.locks) {
    channel?.postMessage(ASKS);
    navigator.locks.request("photoindex-events", () => {
      const end = listen();
      listens = true;
      return new Promise((release) => {
        addEventListener("pagehide", () => { listens = false; end(); release(); }, { once: true });
      });
    });
  } else listenWhileSeen();
}

/** Over plain HTTP tabs cannot agree on one of them: those listen that are looked at, and tell the others. */
function listenWhileSeen() {
  let end = null;
  const follow = () => {
    const isSeen = document.visibilityState === "visible";
    if (isSeen) end ??= listen();
    else end = end?.() ?? null;
  };
  follow();
  addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => {
    removeEventListener("visibilitychange", follow);
    end?.();
  }, { once: true });
}

if (document.querySelector(".rail")) {
  listenAlone();
  // A page that the browser kept whole while another was looked at: the stream was closed.
  addEventListener("pageshow", (event) => { if (event.persisted) listenAlone(); });
}

if (document.getElementById("empty")) onChange(({ total }) => { if (total) location.reload(); });

localise();

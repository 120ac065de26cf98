// Where the focus goes when another state of a part of a page takes its place: to the same control, or near it.

const CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex]";

/** A link's address. A search's own name for what it found is another each time. */
function addressOf(link) {
  const url = new URL(link.href);
  url.searchParams.delete("set");
  return url.pathname + url.search + url.hash;
}

/** What a control has in the next state of its part as well. Captions and counts change: they come last. */
function nameOf(control) {
  const hit = control.closest(".hit");
  const opener = control.localName === "summary" && control.parentElement.id;
  const own = control.id || control.name || opener || (hit && control.className) || control.getAttribute("aria-label");
  const said = control.matches("a[href]") ? addressOf(control) : JSON.stringify(control.dataset) + control.textContent;
  return [hit?.dataset.id, control.localName, own || said, ["radio", "submit"].includes(control.type) && control.value].join(" ");
}

// What does the same to something else.
const kindOf = (control) => [control.localName, control.className, control.dataset.action, ...Object.keys(control.dataset)].join(" ");

const titleOf = (section) => section.getAttribute("aria-label") ?? section.querySelector("h2")?.firstChild?.textContent.trim();

/** Remember where the focus is in a part; what is returned gives it to what took the part's place. */
export function hold(part) {
  const focused = document.activeElement;
  if (!part.contains(focused)) return () => {};
  const controls = [...part.querySelectorAll(CONTROLS)];
  const at = controls.indexOf(focused), kind = kindOf(focused);
  const alike = (some) => some.filter((each) => kindOf(each) === kind).map(nameOf);
  // The next one of its kind, or else the one before.
  const names = [nameOf(focused), ...alike(controls.slice(at + 1)), ...alike(controls.slice(0, Math.max(at, 0)).reverse())];
  const selection = typeof focused.selectionStart === "number" ? [focused.selectionStart, focused.selectionEnd] : null;
  const section = focused.closest("section"), title = section && titleOf(section);
  return (fresh) => {
    const there = new Map([...fresh.querySelectorAll(CONTROLS)].reverse().map((each) => [nameOf(each), each]));
    const take = (control) => {
      control.focus({ preventScroll: true });
      return document.activeElement === control; // what is hidden takes none
    };
    const next = names.map((name) => there.get(name)).find((control) => control && take(control));
    if (next && selection && nameOf(next) === names[0]) next.setSelectionRange(...selection);
    if (next) return;
    const same = title && [...fresh.querySelectorAll("section")].find((each) => titleOf(each) === title);
    const heading = same?.querySelector("h1, h2") ?? fresh.querySelector("h1") ?? document.querySelector("#main h1");
    heading?.setAttribute("tabindex", "-1");
    take(heading ?? document.getElementById("main"));
  };
}

/* Find studies as one types. Without this script the page is an ordinary form with links.

   The address holds the whole state. Typing replaces it, so that one step back leaves a search and not a letter;
   sorting and turning pages push it. Only the newest answer is shown: an older request is given up. */

const PATIENCE = 180; // milliseconds without a key before the archive is asked
const form = document.getElementById("find");
const box = document.getElementById("q");
const results = document.getElementById("results");
const announce = document.getElementById("announce");

let running = null;
let waiting = 0;
let typing = false; // whether the address at the top of the history is one that typing made

document.documentElement.classList.add("scripted");

function addressOfForm() {
  const address = new URL(form.action);
  for (const [name, value] of new FormData(form)) {
    if (value.trim() && !(name === "order" && value === "-date")) address.searchParams.set(name, value.trim());
  }
  return address;
}

function here() {
  return location.href.split("#")[0];
}

function fillForm(address) {
  const values = new URL(address, location.href).searchParams;
  for (const field of form.elements) {
    if (!field.name) continue;
    const value = values.get(field.name) ?? (field.name === "order" ? "-date" : "");
    if (field.value !== value) choose(field, value);
  }
  markDates();
}

function choose(field, value) {
  if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) {
    field.add(new Option(value || "As chosen", value));
  }
  field.value = value;
}

function remember(address, how) {
  if (how === "push") history.pushState(null, "", address);
  if (how === "replace") history.replaceState(null, "", address);
  document.title = [box.value.trim(), "Find studies", "Filmroom"].filter(Boolean).join(" – ");
}

async function load(address) {
  clearTimeout(waiting);
  running?.abort();
  const mine = (running = new AbortController());
  const slow = setTimeout(() => results.setAttribute("aria-busy", "true"), 150);
  try {
    const answer = await fetch(address, { headers: { "X-Part": "results" }, signal: mine.signal });
    const text = await answer.text();
    if (mine.signal.aborted) return false;
    if (!(answer.headers.get("Content-Type") ?? "").startsWith("text/html")) throw new TypeError("not a page");
    show(text);
    return answer.ok;
  } catch (error) {
    if (error.name === "AbortError") return false;
    fail(address);
    return false;
  } finally {
    clearTimeout(slow);
    if (running === mine) {
      running = null;
      results.removeAttribute("aria-busy");
    }
  }
}

function show(text) {
  const key = results.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const page = new DOMParser().parseFromString(text, "text/html");
  results.replaceChildren(...page.body.childNodes);
  announce.textContent = results.querySelector("[data-count]")?.dataset.count ?? "";
  if (key !== null) restore(key);
}

/* The heading or button that was used is another element now; where it is gone, its like takes the focus. */
function restore(key) {
  const find = (name) => results.querySelector(`[data-key="${CSS.escape(name ?? "")}"]`);
  const other = key?.endsWith("next") ? key.replace(/next$/, "prev") : key?.replace(/prev$/, "next");
  (find(key) ?? find(other) ?? results.querySelector("a") ?? box).focus({ preventScroll: true });
}

function fail(address) {
  const notice = document.createElement("div");
  notice.className = "notice";
  notice.dataset.kind = "danger";
  notice.setAttribute("role", "alert");
  const words = document.createElement("p");
  words.textContent = "The archive does not answer. ";
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = "Try again";
  again.addEventListener("click", () => load(address));
  notice.append(words, again);
  results.replaceChildren(notice);
}

function go(address, how = "push") {
  typing = false;
  remember(address, how);
  return load(address);
}

function typed() {
  const address = addressOfForm();
  if (address.href === here()) return;
  remember(address, typing ? "replace" : "push");
  typing = true;
  clearTimeout(waiting);
  waiting = setTimeout(() => load(address), PATIENCE);
}

form.addEventListener("input", (event) => {
  markDates();
  if (event.target.matches("select, [type=date]")) {
    const address = addressOfForm();
    if (address.href !== here()) go(address);
  } else if (event.target.name) {
    typed();
  }
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const address = addressOfForm();
  const good = await go(address, address.href === here() ? "" : typing ? "replace" : "push");
  const only = results.querySelector("[data-only]");
  if (good && only && address.search) location.assign(only.dataset.only);
});

function isoDay(date) {
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function range(days) {
  const today = new Date();
  const first = new Date(today.getFullYear(), today.getMonth(), today.getDate() - days + 1);
  return [isoDay(first), isoDay(today)];
}

function markDates() {
  for (const link of form.querySelectorAll("[data-days]")) {
    const [first, last] = range(Number(link.dataset.days));
    const chosen = form.elements.from.value === first && form.elements.to.value === last;
    if (chosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function plainClick(event) {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

form.addEventListener("click", (event) => {
  const link = event.target.closest("[data-days]");
  if (!link || !plainClick(event)) return;
  event.preventDefault();
  const again = link.hasAttribute("aria-current");
  [form.elements.from.value, form.elements.to.value] = again ? ["", ""] : range(Number(link.dataset.days));
  markDates();
  go(addressOfForm());
});

results.addEventListener("click", async (event) => {
  if (!plainClick(event)) return;
  const link = event.target.closest("a");
  if (link?.matches("[data-order], [data-turn], [data-clear], [rel=prev], [rel=next]")) {
    event.preventDefault();
    fillForm(link.href);
    await go(link.href);
    if (link.matches("[data-clear]")) box.focus();
    if (link.matches("[rel=prev], [rel=next]") && results.getBoundingClientRect().top < 0) results.scrollIntoView();
  } else if (!event.target.closest("a, button") && getSelection().isCollapsed) {
    event.target.closest("tbody tr")?.querySelector("a.name").click();
  }
});

/* Keys: / goes to the box, arrows go from the box to the list and along it. */
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, select, textarea");
  if (event.key === "/" && !field) {
    event.preventDefault();
    box.focus();
    box.select();
    return;
  }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const names = [...results.querySelectorAll("a.name")];
  const at = names.indexOf(document.activeElement);
  if (event.target !== box && at < 0) return;
  const next = event.key === "ArrowDown" ? names[at + 1] : at > 0 ? names[at - 1] : at === 0 ? box : null;
  if (next) {
    event.preventDefault();
    next.focus();
  }
});

addEventListener("popstate", () => {
  typing = false;
  fillForm(location.href);
  load(here());
});

fillForm(location.href);

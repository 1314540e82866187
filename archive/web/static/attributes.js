/* The search on the attributes page, as one types.

   A page that holds every attribute is filtered here. One that holds a part of them, or has been searched by the
   server, asks the server for what it should show, by the very address that a search without a script has. */

import { copyButtons } from "./copy.js";

const MOST_MARKED = 500;
const PATIENCE = { here: 60, there: 250 }; // ms after the last key

const form = document.querySelector(".attr-search");
const box = document.getElementById("q");
const counted = document.getElementById("counted");
let area = document.getElementById("attributes");
let rows = null; // of the page as it stands, when first searched
let timer = 0;
let asking = null;

copyButtons(document.getElementById("said"));
form.querySelector("button").hidden = true;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
box.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, isHere() ? PATIENCE.here : PATIENCE.there);
});

function isHere() {
  return area.dataset.complete === "yes";
}

function search() {
  clearTimeout(timer);
  const text = box.value.trim();
  const address = new URL(location.href);
  address.searchParams.delete("from");
  if (text) address.searchParams.set("q", text);
  else address.searchParams.delete("q");
  history.replaceState(null, "", address);
  if (isHere()) filter(text.toLowerCase().split(/\s+/).filter(Boolean));
  else ask(address);
}

async function ask(address) {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  area.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { signal, headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`the archive answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (signal.aborted) return;
    const found = page.getElementById("attributes");
    area.replaceWith(found);
    area = found;
    rows = null;
    counted.textContent = page.getElementById("counted").textContent;
  } catch (error) {
    if (signal.aborted) return;
    area.removeAttribute("aria-busy");
    counted.textContent = `The search did not work: ${error.message}`;
  }
}

/** Read the rows once: their own text, and the row that each is in. */
function readRows() {
  const known = new Map();
  return [...area.querySelectorAll("li.attr")].map((item) => {
    const details = item.querySelector(":scope > details");
    const cells = details ? details.firstElementChild : item;
    const part = (name) => cells.querySelector(`:scope > .${name}`)?.textContent ?? "";
    const tag = part("tag");
    const text = [tag, tag.replace(/[(),]/g, ""), item.dataset.keyword ?? "", part("name"), part("value")].join(" ").toLowerCase();
    const row = { item, details, cells, text, outer: known.get(item.parentElement.closest("li.attr")) ?? null };
    known.set(item, row);
    return row;
  });
}

function filter(words) {
  rows ??= readRows();
  unmark();
  let found = 0;
  for (const row of rows) {
    row.found = words.every((word) => row.text.includes(word));
    row.shown = row.found || Boolean(row.outer?.shown); // what a sequence that was found holds is shown with it
    row.holds = false;
    found += row.found;
  }
  for (const row of [...rows].reverse()) {
    if (row.outer && (row.found || row.holds)) row.outer.holds = true;
  }
  for (const row of rows) {
    row.item.hidden = !(row.shown || row.holds);
    if (row.details) row.details.open = words.length > 0 && row.holds;
  }
  for (const item of area.querySelectorAll(".item")) {
    item.hidden = words.length > 0 && !item.querySelector(":scope > ul > li:not([hidden])");
  }
  if (words.length) {
    const hits = rows.filter((row) => row.found);
    for (const row of hits.slice(0, MOST_MARKED)) mark(row.cells, words);
  }
  const total = Number(area.dataset.total).toLocaleString("en-US");
  counted.textContent = words.length ? `${found.toLocaleString("en-US")} of ${total} attributes` : area.dataset.counted;
}

function mark(cells, words) {
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`(${escaped.sort((a, b) => b.length - a.length).join("|")})`, "giu");
  for (const part of cells.querySelectorAll(":scope > .tag, :scope > .name, :scope > .value")) {
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) {
      const pieces = text.data.split(pattern);
      if (pieces.length < 2) continue;
      text.replaceWith(
        ...pieces.map((piece, index) => {
          if (index % 2 === 0) return piece;
          const marked = document.createElement("mark");
          marked.textContent = piece;
          return marked;
        }),
      );
    }
  }
}

function unmark() {
  for (const marked of area.querySelectorAll("mark")) {
    const outer = marked.parentNode;
    marked.replaceWith(marked.textContent);
    outer.normalize();
  }
}

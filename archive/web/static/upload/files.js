/* The list of files with what became of each: problems first, a hundred at a time however many there are. */

import * as words from "./words.js";

const SOME = 100;
const ORDER = ["failed", "refused", "warned", "sending", "cancelled", "skipped", "already", "stored", "waiting"];
export const STATES = {
  failed: ["danger", "Failed"],
  refused: ["danger", "Refused"],
  warned: ["warning", "Stored with warning"],
  skipped: ["", "Skipped"],
  already: ["good", "Already here"],
  stored: ["good", "Stored"],
  cancelled: ["warning", "Cancelled"],
  sending: ["", "Being sent"],
  waiting: ["", "Waiting"],
};

export class Files {
  constructor(parts, queue, studyUrl) {
    Object.assign(this, parts); // list, show, more
    this.queue = queue;
    this.studyUrl = studyUrl;
    this.limit = SOME;
    this.rows = new Map();
    this.chosen = "";
    this.show.addEventListener("change", () => this.#choose());
    this.more.addEventListener("click", () => {
      const next = this.limit;
      this.limit += SOME;
      this.render();
      this.list.children[next]?.focus();
    });
    this.list.addEventListener("click", (event) => this.#retry(event));
  }

  render() {
    this.#options();
    const states = this.chosen ? [this.chosen] : ORDER;
    const total = states.reduce((sum, state) => sum + this.queue.count(state), 0);
    const wanted = [];
    for (const state of states) {
      for (const entry of this.queue.byState.get(state)) {
        if (wanted.length >= this.limit) break;
        wanted.push(entry);
      }
    }
    wanted.forEach((entry, index) => {
      const row = this.#row(entry);
      if (this.list.children[index] !== row) this.list.insertBefore(row, this.list.children[index] ?? null);
    });
    while (this.list.children.length > wanted.length) this.list.lastChild.remove();
    const kept = new Set(wanted);
    for (const entry of this.rows.keys()) if (!kept.has(entry)) this.rows.delete(entry);
    this.more.hidden = total <= wanted.length;
    this.more.textContent = `Show more (${words.number(total - wanted.length)} left)`;
  }

  #choose() {
    this.chosen = this.show.value;
    this.limit = SOME;
    this.render();
  }

  /** Offer each state that there is, with how many files are in it. */
  #options() {
    const there = ORDER.filter((state) => this.queue.count(state) || state === this.chosen);
    const wanted = ["", ...there];
    const texts = wanted.map((state) =>
      state ? `${STATES[state][1]} (${words.number(this.queue.count(state))})` : `All (${words.number(this.queue.entries.length)})`,
    );
    if (document.activeElement === this.show && this.show.options.length === wanted.length) {
      texts.forEach((text, index) => (this.show.options[index].textContent = text));
      return;
    }
    this.show.replaceChildren(...wanted.map((state, index) => new Option(texts[index], state, false, state === this.chosen)));
  }

  #row(entry) {
    let row = this.rows.get(entry);
    if (!row) {
      row = document.createElement("li");
      row.tabIndex = -1;
      row.entry = entry;
      this.rows.set(entry, row);
    }
    const now = `${entry.state} ${entry.text}`;
    if (row.dataset.now !== now) {
      row.dataset.now = now;
      row.replaceChildren(...this.#cells(entry));
    }
    return row;
  }

  #cells(entry) {
    const [tone, name] = STATES[entry.state];
    const state = element("span", "state", name);
    if (tone) state.dataset.state = tone;
    else state.classList.add("soft");
    const path = element("bdi", "path", entry.path);
    const side = element("span", "side");
    side.append(element("span", "soft", words.size(entry.size)));
    if (entry.study) {
      const link = element("a", "", "Study");
      link.href = this.studyUrl(entry.study);
      side.append(link);
    }
    if (entry.state === "failed" || entry.state === "cancelled") {
      const button = element("button", "compact", "Retry");
      button.type = "button";
      button.setAttribute("aria-label", `Retry ${entry.path}`);
      side.append(button);
    }
    return entry.text ? [state, path, side, element("span", "why", entry.text)] : [state, path, side];
  }

  #retry(event) {
    if (!event.target.closest("button")) return;
    const row = event.target.closest("li");
    row.focus();
    this.queue.retry([row.entry]);
  }
}

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

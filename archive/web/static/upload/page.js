/* The state of an upload on the page: how far it is, what is being sent, and how it ended. */

import { element, STATES } from "./files.js";
import { ENDS } from "./queue.js";
import { Rate } from "./rate.js";
import * as words from "./words.js";

const EVERY = 250; // ms between two looks at the queue
const SAY_EVERY = 15_000; // ms between two sentences for those who listen

export class Progress {
  constructor(root, queue, lists) {
    const part = (id) => root.querySelector(`#${id}`);
    this.root = root;
    this.queue = queue;
    this.lists = lists;
    this.parts = Object.fromEntries(
      ["run", "headline", "bar", "figures", "counts", "wait", "wait-text", "now", "again", "cancel", "said"].map((id) => [id, part(id)]),
    );
    this.active = { section: part("active"), list: part("active-list"), rows: new Map() };
    this.sections = { files: part("files"), studies: part("studies") };
    this.rate = new Rate();
    this.timer = 0;
    this.saidAt = 0;
    this.title = document.title;
    queue.addEventListener("change", () => this.#soon());
    queue.addEventListener("finish", () => this.#end());
    this.parts.cancel.addEventListener("click", () => {
      queue.cancel();
      this.parts.headline.focus();
    });
    this.parts.again.addEventListener("click", () => {
      this.parts.headline.focus();
      queue.retry();
    });
    this.parts.now.addEventListener("click", () => {
      this.parts.headline.focus();
      queue.resume();
    });
  }

  /** Say something to those who cannot see it. */
  say(text) {
    this.parts.said.textContent = text;
    this.saidAt = Date.now();
  }

  #soon() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.#render();
      if (this.queue.running) this.#soon(); // times go on where nothing changes
    }, EVERY);
  }

  #render() {
    const { queue, parts } = this;
    const running = queue.running;
    this.root.toggleAttribute("data-running", running);
    parts.run.hidden = !queue.entries.length;
    parts.cancel.hidden = !running;
    const again = queue.count("failed") + queue.count("cancelled");
    parts.again.hidden = !again;
    parts.again.textContent = again === 1 ? "Retry 1 file" : `Retry all ${words.number(again)} files`;
    this.#bar(running);
    this.#counts();
    this.#waiting();
    this.#sending();
    this.sections.files.hidden = !queue.entries.length;
    this.lists.files.render();
    this.lists.studies.show();
    this.sections.studies.hidden = !this.lists.studies.counts.size;
  }

  #bar(running) {
    const { queue, parts } = this;
    const all = queue.entries.length;
    this.rate.note(queue.sentBytes, queue.done);
    const share = running ? Math.min(1, (queue.sentBytes + 1000 * queue.done) / (queue.bytes + 1000 * all || 1)) : 1;
    const percent = Math.floor(share * 100);
    parts.bar.value = percent;
    parts.bar.setAttribute("aria-valuetext", `${percent} percent, ${words.number(queue.done)} of ${words.files(all)}`);
    parts.bar.toggleAttribute("data-end", false);
    if (!running) {
      const problems = queue.count("failed") + queue.count("refused") + queue.count("cancelled");
      parts.bar.dataset.end = problems ? "warning" : "good";
      parts.figures.textContent = `${words.files(all)}, ${words.size(queue.bytes)}`;
      document.title = this.title;
      return;
    }
    parts.headline.textContent = `Uploading ${words.files(all)}`;
    const estimate = queue.pause ? null : this.rate.estimate(queue.bytes, all);
    const figures = [`${words.number(queue.done)} of ${words.files(all)}`, `${words.size(queue.sentBytes)} of ${words.size(queue.bytes)}`];
    if (estimate) figures.push(`${words.size(estimate.bytesPerSecond)}/s`, `about ${words.duration(estimate.secondsLeft)} left`);
    parts.figures.textContent = figures.join(" · ");
    document.title = `${percent}% – ${this.title}`;
    if (Date.now() - this.saidAt > SAY_EVERY) {
      const left = estimate ? `, about ${words.duration(estimate.secondsLeft)} left` : "";
      this.say(`${percent} percent, ${words.number(queue.done)} of ${words.files(all)}${left}`);
    }
  }

  #counts() {
    const lines = ENDS.filter((state) => this.queue.count(state)).map((state) => {
      const [tone, name] = STATES[state];
      const line = element("li", "state", `${words.number(this.queue.count(state))} ${name.toLowerCase()}`);
      if (tone) line.dataset.state = tone;
      return line;
    });
    this.parts.counts.replaceChildren(...lines);
  }

  #waiting() {
    const { pause } = this.queue;
    const { wait } = this.parts;
    const text = this.parts["wait-text"];
    if (pause && wait.hidden) this.say(`${pause.why} It is tried again by itself.`);
    wait.hidden = !pause;
    if (!pause) return;
    const seconds = Math.max(0, Math.ceil((pause.until - Date.now()) / 1000));
    text.textContent = `${pause.why} Trying again in ${seconds} s.`;
  }

  /** The requests under way, a line each. */
  #sending() {
    const { section, list, rows } = this.active;
    section.hidden = !this.queue.running || (Boolean(this.queue.pause) && !this.queue.active.size);
    for (const request of this.queue.active) {
      if (rows.has(request)) continue;
      const [first] = request.entries;
      const more = request.entries.length - 1;
      const line = element("li");
      const name = element("bdi", "", more ? `${first.path} and ${words.number(more)} more` : first.path);
      const bar = element("progress");
      bar.max = 100;
      bar.setAttribute("aria-label", name.textContent);
      const percent = element("span", "soft number");
      line.append(name, bar, percent);
      rows.set(request, { line, bar, percent });
      list.append(line);
    }
    for (const [request, row] of rows) {
      if (!this.queue.active.has(request)) {
        row.line.remove();
        rows.delete(request);
        continue;
      }
      const percent = Math.floor(request.fraction * 100);
      row.bar.value = percent;
      row.percent.textContent = percent < 100 ? `${percent} %` : "storing";
    }
  }

  #end() {
    const { queue, parts } = this;
    const problems = queue.count("failed") + queue.count("refused") + queue.count("cancelled");
    const stored = queue.count("stored") + queue.count("warned") + queue.count("already");
    const what = `${words.number(stored)} of ${words.files(queue.entries.length)} in the archive`;
    if (problems) parts.headline.textContent = `Ended with problems: ${what}`;
    else parts.headline.textContent = stored ? `Done: ${what}` : "Ended: there was no DICOM file to send";
    const counts = ENDS.filter((state) => queue.count(state)).map((state) => `${words.number(queue.count(state))} ${STATES[state][1].toLowerCase()}`);
    this.say(`${parts.headline.textContent}. ${counts.join(", ")}.`);
    this.#render();
  }
}

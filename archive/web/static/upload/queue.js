/* Which file goes when: four requests at a time, small files together, and patience with an archive that is away.

   A file is an entry {path, file, size, state, text, study, again, tries, sent}. Its states:
   waiting, sending; then stored, warned, already, refused, skipped, failed, cancelled. */

import { whyNot } from "./look.js";
import { read, send } from "./send.js";

const AT_ONCE = 4;
const SMALL = 2 ** 20; // bytes; a longer file has a request of its own
const TOGETHER = { files: 50, bytes: 2 ** 23 };
const TRIES = 8; // of one file, and of the archive while it answers nothing: about a minute
const FIRST_WAIT = 500; // ms, twice as long each time
const LONGEST_WAIT = 30_000;

export const ENDS = ["failed", "refused", "warned", "skipped", "already", "stored", "cancelled"];
const RETRIED = new Set(["failed", "cancelled"]);

export class Queue extends EventTarget {
  /** `storeUrl` is where files go; `reportOf` gives the address of a request's report. */
  constructor(storeUrl, reportOf) {
    super();
    this.storeUrl = storeUrl;
    this.reportOf = reportOf;
    this.entries = [];
    this.byState = new Map(["waiting", "sending", ...ENDS].map((state) => [state, new Set()]));
    this.active = new Set(); // {entries, fraction, size} of requests under way
    this.bytes = 0;
    this.doneBytes = 0;
    this.pause = null; // {until, why} while the archive is given time
    this.troubles = 0; // in a row
    this.abort = new AbortController();
    this.workers = 0;
  }

  get running() {
    return this.workers > 0;
  }

  get done() {
    return this.entries.length - this.count("waiting") - this.count("sending");
  }

  count(state) {
    return this.byState.get(state).size;
  }

  /** Bytes that have left, those of requests under way included. */
  get sentBytes() {
    let under = 0;
    for (const each of this.active) under += each.fraction * each.size;
    return this.doneBytes + under;
  }

  add(path, file) {
    const entry = { path, file, size: file.size, state: "waiting", text: "", study: "", again: false, tries: 0 };
    this.entries.push(entry);
    this.byState.get("waiting").add(entry);
    this.bytes += entry.size;
    this.#start();
  }

  /** Take note of what could not even be opened. */
  addBroken(path, error) {
    const entry = { path, file: null, size: 0, state: "refused", text: unreadable(error), study: "", again: false };
    this.entries.push(entry);
    this.byState.get("refused").add(entry);
    this.#changed();
  }

  /** Send once more what failed or was cancelled: one entry, or all. */
  retry(entries = [...this.byState.get("failed"), ...this.byState.get("cancelled")]) {
    for (const entry of entries) {
      if (!RETRIED.has(entry.state)) continue;
      this.doneBytes -= entry.size;
      entry.tries = 0;
      this.#move(entry, "waiting", "");
    }
    this.troubles = 0;
    this.resume();
    this.#start();
  }

  /** Stop: what waits is not sent, what is under way is broken off. */
  cancel() {
    for (const entry of [...this.byState.get("waiting")]) this.#finish(entry, "cancelled", "Not sent");
    this.abort.abort();
    this.abort = new AbortController();
    this.resume();
  }

  /** End the pause, if there is one. */
  resume() {
    this.pause = null;
    this.dispatchEvent(new Event("resume"));
    this.#changed();
  }

  #start() {
    while (this.workers < AT_ONCE && this.workers < this.count("waiting")) {
      this.workers += 1;
      this.#work().finally(() => {
        this.workers -= 1;
        this.#changed();
        if (!this.workers) this.dispatchEvent(new Event("finish"));
      });
    }
    this.#changed();
  }

  async #work() {
    await null; // let whoever adds many files add some before the first request is made up
    for (;;) {
      await this.#patience();
      const { signal } = this.abort;
      const batch = await this.#take();
      if (!batch) return;
      try {
        if (batch.length) await this.#send(batch, signal);
      } catch (error) {
        console.error(error); // a fault of this page: no file may seem to be under way for ever
        for (const entry of batch) if (entry.state === "sending") this.#finish(entry, "failed", `The page failed: ${error.message}`);
      }
    }
  }

  /** Wait while the archive is given time, or until someone is impatient. */
  async #patience() {
    while (this.pause) {
      const left = this.pause.until - Date.now();
      if (left <= 0) {
        this.resume();
        return;
      }
      await new Promise((done) => {
        const timer = setTimeout(done, left);
        this.addEventListener("resume", () => (clearTimeout(timer), done()), { once: true });
      });
    }
  }

  /** Take the next files that go together; null: none is waiting. May be empty where none is DICOM. */
  async #take() {
    const waiting = this.byState.get("waiting");
    if (!waiting.size) return null;
    const share = Math.max(1, Math.min(TOGETHER.files, Math.ceil(waiting.size / AT_ONCE)));
    const taken = [];
    let bytes = 0;
    for (const entry of waiting) {
      const alone = entry.size > SMALL || entry.tries > 1 || entry.apart;
      if (taken.length && (alone || taken.length >= share || bytes + entry.size > TOGETHER.bytes)) break;
      taken.push(entry);
      bytes += entry.size;
      if (alone) break;
    }
    for (const entry of taken) this.#move(entry, "sending", "");
    const looked = await Promise.all(taken.map((entry) => this.#look(entry)));
    return taken.filter((_, index) => looked[index]);
  }

  async #look(entry) {
    try {
      const why = await whyNot(entry.file);
      if (why) this.#finish(entry, "skipped", why);
      return !why;
    } catch (error) {
      this.#finish(entry, "refused", unreadable(error));
      return false;
    }
  }

  async #send(batch, signal) {
    if (signal.aborted) {
      for (const entry of batch) this.#finish(entry, "cancelled", "Not sent");
      return;
    }
    const request = { entries: batch, fraction: 0, size: batch.reduce((sum, entry) => sum + entry.size, 0) };
    this.active.add(request);
    const onProgress = (fraction) => {
      request.fraction = fraction;
      this.#changed();
    };
    const answer = await send(this.storeUrl, batch.map((entry) => entry.file), { onProgress, signal });
    const meaning = signal.aborted ? null : await read(answer, batch.length, this.reportOf);
    this.active.delete(request);
    if (!meaning) {
      for (const entry of batch) this.#finish(entry, "cancelled", "Broken off; it may have been stored all the same");
    } else if (meaning.results) {
      this.troubles = 0;
      batch.forEach((entry, index) => this.#settle(entry, meaning.results[index]));
    } else if (meaning.apart) {
      for (const entry of batch) {
        entry.apart = true;
        this.#move(entry, "waiting", "");
      }
    } else {
      this.#trouble(batch, meaning);
    }
  }

  #settle(entry, result) {
    if (result.again && entry.tries + 1 < TRIES) {
      this.#trouble([entry], { again: result.text, after: 0 });
      return;
    }
    entry.study = result.study ?? "";
    this.#finish(entry, result.state, result.text);
    if (entry.study) this.dispatchEvent(new CustomEvent("stored", { detail: entry.study }));
  }

  /** The archive, or the way to it, has trouble: wait, then send the same once more; in the end give up. */
  #trouble(batch, { again, after }) {
    if (!this.pause) {
      this.troubles += 1;
      const wait = Math.min(FIRST_WAIT * 2 ** (this.troubles - 1), LONGEST_WAIT);
      this.pause = { until: Date.now() + Math.max(wait, Math.min(after * 1000, LONGEST_WAIT * 2)), why: again };
    }
    for (const entry of batch) {
      entry.tries += 1;
      if (entry.tries >= TRIES) this.#finish(entry, "failed", again);
      else this.#move(entry, "waiting", again);
    }
    if (this.troubles >= TRIES) {
      for (const entry of [...this.byState.get("waiting")]) this.#finish(entry, "failed", again);
      this.resume();
    }
  }

  #finish(entry, state, text) {
    this.doneBytes += entry.size;
    this.#move(entry, state, text);
  }

  #move(entry, state, text) {
    this.byState.get(entry.state).delete(entry);
    entry.state = state;
    entry.text = text;
    this.byState.get(state).add(entry);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

function unreadable(error) {
  return `The file cannot be read: ${error?.message || error?.name || "no reason given"}`;
}

/* The studies that files went into: a line each, with what is known of the patient, and a link. */

import * as words from "./words.js";

const SHOWN = 50;

export class Studies {
  constructor(list, more, root) {
    this.list = list;
    this.more = more;
    this.dicomweb = root.dataset.dicomweb;
    this.address = (uid) => replaceLast(root.dataset.study, root.dataset.anyStudy, uid);
    this.counts = new Map();
    this.lines = new Map();
    this.unknown = new Set();
    this.asking = false;
  }

  /** Count a file that is in the archive now. */
  add(uid) {
    this.counts.set(uid, (this.counts.get(uid) ?? 0) + 1);
  }

  show() {
    for (const [uid, count] of this.counts) {
      if (!this.lines.has(uid)) {
        if (this.lines.size >= SHOWN) break;
        this.#line(uid);
      }
      const line = this.lines.get(uid);
      if (line.count !== count) line.number.textContent = words.files((line.count = count));
    }
    const left = this.counts.size - this.lines.size;
    this.more.hidden = !left;
    this.more.textContent = `and ${words.number(left)} more ${left === 1 ? "study" : "studies"}`;
    this.#ask();
  }

  #line(uid) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = this.address(uid);
    const about = document.createElement("bdi");
    link.replaceChildren(about);
    about.textContent = `Study ${uid}`;
    const number = document.createElement("span");
    number.className = "soft nowrap";
    item.append(link, number);
    this.list.append(item);
    this.lines.set(uid, { about, number, count: 0 });
    this.unknown.add(uid);
  }

  /** Ask the archive what the new studies are called, one question for all of them. */
  async #ask() {
    if (this.asking || !this.unknown.size) return;
    this.asking = true;
    const uids = [...this.unknown].slice(0, SHOWN);
    for (const uid of uids) this.unknown.delete(uid);
    try {
      const query = new URLSearchParams({ StudyInstanceUID: uids.join("\\"), includefield: "StudyDescription", limit: SHOWN });
      const answer = await fetch(`${this.dicomweb}/studies?${query}`, { headers: { Accept: "application/dicom+json" } });
      for (const study of answer.ok ? await answer.json() : []) {
        this.lines.get(study["0020000D"].Value[0]).about.textContent = headingOf(study);
      }
    } catch {
      // The UID stays as the name; a study is found by it as well.
    } finally {
      this.asking = false;
    }
  }
}

function headingOf(study) {
  const value = (tag) => study[tag]?.Value?.[0];
  const parts = [
    words.person(value("00100010")) || "No name",
    value("00100020"),
    words.day(value("00080020")),
    (study["00080061"]?.Value ?? []).join(", "),
    value("00081030"),
  ];
  return parts.filter(Boolean).join(" · ");
}

function replaceLast(text, what, by) {
  const at = text.lastIndexOf(what);
  return text.slice(0, at) + by + text.slice(at + what.length);
}

// Pictures of images: fetched a few at a time, decoded before they are given out, and kept within a bound.

import { Trouble, ask } from "./archive.js";

const BUDGET = 256 * 2 ** 20; // bytes of decoded pixels
const TOGETHER = 4; // requests under way; browsers have six for a host

export class Pictures {
  constructor() {
    this.kept = new Map(); // url: {image, size}, the one used longest ago first
    this.size = 0;
    this.underWay = new Map(); // url: promise
    this.waiting = []; // urls to have ready, the soonest first
    this.stop = new AbortController();
  }

  /** A picture that is here already, or undefined. */
  peek(url) {
    const found = this.kept.get(url);
    if (found) {
      this.kept.delete(url);
      this.kept.set(url, found);
    }
    return found?.image;
  }

  /** Give a decoded picture; throw Trouble. */
  get(url) {
    const here = this.peek(url);
    if (here) return Promise.resolve(here);
    let promise = this.underWay.get(url);
    if (!promise) {
      promise = this.#fetch(url, this.stop.signal).finally(() => {
        if (this.underWay.get(url) === promise) this.underWay.delete(url);
        this.#next();
      });
      this.underWay.set(url, promise);
    }
    return promise;
  }

  /** Have these ready, the first ones first; what was waiting before is forgotten. */
  prepare(urls) {
    this.waiting = urls.filter((url) => !this.kept.has(url) && !this.underWay.has(url));
    this.#next();
  }

  /** Forget everything, under way or here: another series is shown. */
  clear() {
    this.stop.abort();
    this.stop = new AbortController();
    this.waiting = [];
    this.underWay.clear();
    for (const url of [...this.kept.keys()]) this.#drop(url);
  }

  #next() {
    while (this.waiting.length && this.underWay.size < TOGETHER) {
      // Whether a neighbour could be had is told when it is looked at.
      this.get(this.waiting.shift()).catch(() => {});
    }
  }

  async #fetch(url, signal) {
    const answer = await ask(url, { accept: "image/jpeg, image/png;q=0.9", signal });
    const image = new Image();
    image.src = URL.createObjectURL(await answer.blob());
    try {
      await image.decode();
    } catch {
      URL.revokeObjectURL(image.src);
      throw new Trouble("What the archive sent is no picture that this browser can show.");
    }
    if (signal.aborted) {
      URL.revokeObjectURL(image.src);
      throw signal.reason;
    }
    this.#keep(url, image);
    return image;
  }

  #keep(url, image) {
    const size = image.naturalWidth * image.naturalHeight * 4;
    this.kept.set(url, { image, size });
    this.size += size;
    for (const oldest of [...this.kept.keys()]) {
      if (this.size <= BUDGET || this.kept.size <= 2) break;
      if (!this.kept.get(oldest).image.isConnected) this.#drop(oldest);
    }
  }

  #drop(url) {
    const { image, size } = this.kept.get(url);
    this.kept.delete(url);
    this.size -= size;
    URL.revokeObjectURL(image.src);
  }
}

// Playing: one image after the other, as fast as asked for where the pictures come that fast.

export class Cine {
  /** `step()` goes on by one image and tells whether there was one; `ready()` whether the last is shown. */
  constructor({ step, ready, changed }) {
    Object.assign(this, { step, ready, changed });
    this.rate = 10; // images a second
    this.playing = false;
  }

  toggle() {
    if (this.playing) this.stop();
    else this.start();
  }

  start() {
    this.playing = true;
    this.due = performance.now();
    this.changed();
    this.#tick();
  }

  stop() {
    if (!this.playing) return;
    this.playing = false;
    clearTimeout(this.timer);
    this.changed();
  }

  #tick() {
    if (!this.playing) return;
    const now = performance.now();
    if (now >= this.due && this.ready()) {
      if (!this.step()) {
        this.stop();
        return;
      }
      // What came late is not made up for by a burst.
      this.due = Math.max(this.due + 1000 / this.rate, now);
    }
    this.timer = setTimeout(() => this.#tick(), Math.max(Math.min(this.due - now, 1000), 4));
  }
}

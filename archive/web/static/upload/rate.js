/* How fast an upload goes and how long it will go on, from its last seconds. */

const WINDOW = 10_000; // ms
const OF_A_FILE = 20_000; // bytes that a file costs beside its own, so that many small ones are not underrated

export class Rate {
  constructor() {
    this.samples = []; // {at, bytes, work}
  }

  /** Take note of what has left until now. */
  note(bytes, filesDone) {
    const at = Date.now();
    this.samples.push({ at, bytes, work: bytes + filesDone * OF_A_FILE });
    while (this.samples.length > 2 && at - this.samples[1].at > WINDOW) this.samples.shift();
  }

  /** Return {bytesPerSecond, secondsLeft} for what there is in all; null until something is known. */
  estimate(bytes, files) {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    const seconds = first ? (last.at - first.at) / 1000 : 0;
    const work = last ? last.work - first.work : 0;
    if (seconds < 1 || work <= 0) return null;
    const left = bytes + files * OF_A_FILE - last.work;
    return { bytesPerSecond: (last.bytes - first.bytes) / seconds, secondsLeft: (left * seconds) / work };
  }
}

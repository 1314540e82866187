// What the archive knows of a series: its images in order, and where each one is asked for.

const TAGS = {
  sopClass: "00080016", uid: "00080018", syntax: "00083002", samples: "00280002", photometric: "00280004",
  frames: "00280008", rows: "00280010", columns: "00280011", signed: "00280103", stored: "00280101",
  centre: "00281050", width: "00281051", explanation: "00281055", voi: "00281056", intercept: "00281052",
  slope: "00281053", number: "00200013", location: "00201041", frameTime: "00181063", cineRate: "00180040",
  displayRate: "00082144", comments: "00204000",
};
const PAGE = 500;
const VIDEO = /^1\.2\.840\.10008\.1\.2\.4\.10[0-8](\.1)?$/; // MPEG-2, MPEG-4, HEVC
const SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6";

/** What went wrong, in words for people; `retry` where asking again may help. */
export class Trouble extends Error {
  constructor(words, { retry = false } = {}) {
    super(words);
    this.retry = retry;
  }
}

/** Ask the archive; throw Trouble with its words for whatever is no success. */
export async function ask(url, { accept, signal } = {}) {
  let answer;
  try {
    answer = await fetch(url, { headers: { Accept: accept }, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("The archive cannot be reached.", { retry: true });
  }
  if (answer.ok) return answer;
  let words = "";
  try {
    words = (await answer.json()).error ?? "";
  } catch {
    // Something between the archive and this page has answered; its number must do.
  }
  const sentence = words ? words[0].toUpperCase() + words.slice(1) : `The answer was ${answer.status}`;
  throw new Trouble(`${sentence}.`, { retry: answer.status >= 500 });
}

const all = (item, name) => item[TAGS[name]]?.Value ?? [];
const one = (item, name) => all(item, name)[0];
const number = (value) => (value === undefined || value === null || value === "" ? null : Number(value));

function instance(item, base) {
  const uid = one(item, "uid");
  const rows = number(one(item, "rows"));
  const syntax = one(item, "syntax") ?? "";
  const frames = Math.max(1, number(one(item, "frames")) ?? 1);
  const kind = rows === null ? "document" : VIDEO.test(syntax) ? "video" : "image";
  return {
    uid,
    url: `${base}/instances/${uid}`,
    sopClass: one(item, "sopClass") ?? "",
    number: number(one(item, "number")),
    location: number(one(item, "location")),
    rows,
    columns: number(one(item, "columns")),
    kind,
    frames: kind === "image" ? frames : 1,
    videoFrames: frames,
    isGrey: (number(one(item, "samples")) ?? 1) === 1 && one(item, "photometric") !== "PALETTE COLOR",
    isSlide: one(item, "sopClass") === SLIDE,
    windows: windows(item),
    frameWindows: null, // of an enhanced image, when they have been read
    voi: (one(item, "voi") ?? "LINEAR").toLowerCase().replace("_", "-"),
    range: range(item),
    rate: rate(item),
  };
}

/** The windows that the image itself names, in its order (PS3.3 C.11.2.1.2). */
function windows(item) {
  const widths = all(item, "width").map(Number);
  const names = all(item, "explanation");
  return all(item, "centre").map(Number)
    .map((centre, at) => ({ centre, width: widths[at], name: names[at] ?? "" }))
    .filter((each) => Number.isFinite(each.centre) && each.width > 0);
}

/** A window over all values that the bits allow: where dragging begins when the image names none. */
function range(item) {
  const bits = number(one(item, "stored")) ?? 8;
  const slope = number(one(item, "slope")) ?? 1;
  const intercept = number(one(item, "intercept")) ?? 0;
  const width = 2 ** bits * Math.abs(slope);
  const lowest = (number(one(item, "signed")) === 1 ? -(2 ** (bits - 1)) : 0) * slope + intercept;
  return { centre: Math.round(lowest + (width / 2) * Math.sign(slope || 1)), width: Math.max(1, Math.round(width)) };
}

/** Images a second that the image asks for (PS3.3 C.7.6.5), or null. */
function rate(item) {
  const time = number(one(item, "frameTime"));
  return number(one(item, "displayRate")) ?? number(one(item, "cineRate")) ?? (time > 0 ? 1000 / time : null);
}

/**
 * Read the windows of an enhanced multi-frame image, which stand in its functional groups (PS3.3 C.7.6.16.2.10
 * and .9), frame by frame or for all.
 */
export async function readGroups(image, signal) {
  const answer = await ask(`${image.url}/metadata`, { accept: "application/dicom+json", signal });
  const [item] = await answer.json();
  const shared = item["52009229"]?.Value?.[0] ?? {};
  const each = item["52009230"]?.Value ?? [];
  const inside = (group, name) => group?.[name]?.Value?.[0];
  const voi = (group) => windows(inside(group, "00289132") ?? {});
  image.frameWindows = each.map((group) => (voi(group).length ? voi(group) : voi(shared)));
  const transformation = inside(each[0], "00289145") ?? inside(shared, "00289145");
  if (transformation) image.range = range({ ...item, ...transformation });
}

/** The images of a series. A frame is an image; what has no pixels is one thing to look at. */
export class Series {
  constructor(url) {
    this.url = url;
    this.instances = [];
    this.length = 0;
    this.starts = [];
  }

  /** Read the list, page by page; call `grown` after each, when the images so far are in order. */
  async read(signal, grown) {
    const url = `${this.url}/instances?limit=${PAGE}&includefield=${Object.values(TAGS).join(",")}`;
    for (let cursor = ""; ;) {
      const answer = await ask(cursor ? `${url}&cursor=${cursor}` : url, { accept: "application/dicom+json", signal });
      this.instances.push(...(await answer.json()).map((item) => instance(item, this.url)));
      this.order();
      // Only the cursor of the link: its address is the public one, which this page may not have been opened at.
      cursor = /[?&]cursor=([^&>;]+)[^>]*>; *rel="?next/.exec(answer.headers.get("Link") ?? "")?.[1];
      grown(!cursor);
      if (!cursor) return;
    }
  }

  order() {
    const bySize = (each) => (each.isSlide ? each.frames : 0); // of a slide the overview first
    const last = Number.MAX_SAFE_INTEGER;
    this.instances.sort((a, b) =>
      bySize(a) - bySize(b) || (a.number ?? last) - (b.number ?? last) || (a.location ?? 0) - (b.location ?? 0)
      || (a.uid < b.uid ? -1 : 1));
    this.length = 0;
    this.starts = this.instances.map((each) => (this.length += each.frames) - each.frames);
  }

  /** Take a video, which the browser cannot play, for its frames. */
  takeApart(video) {
    Object.assign(video, { kind: "image", frames: video.videoFrames });
    this.order();
  }

  /** The image at an index from 0: its instance and its frame from 1. */
  at(index) {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.starts[middle] <= index) low = middle;
      else high = middle - 1;
    }
    return { instance: this.instances[low], frame: index - this.starts[low] + 1, index };
  }

  /** The index of the first frame of an instance, or -1. */
  find(uid) {
    const at = this.instances.findIndex((each) => each.uid === uid);
    return at < 0 ? -1 : this.starts[at];
  }
}

/** The windows that a frame has by itself, the one that it is shown with first. */
export function windowsOf({ instance: { windows: common, frameWindows }, frame }) {
  return frameWindows?.[frame - 1] ?? common;
}

/** Where a picture is: the frame, windowed, no larger than `side` needs. */
export function pictureUrl({ instance, frame }, window, side) {
  const query = [];
  if (window && instance.isGrey) query.push(`window=${window.centre},${window.width},${instance.voi}`);
  if (side && Math.max(instance.rows, instance.columns) > side) query.push(`viewport=${side},${side}`);
  const of = instance.kind === "image" ? `/frames/${frame}` : "";
  return `${instance.url}${of}/rendered${query.length ? "?" : ""}${query.join("&")}`;
}

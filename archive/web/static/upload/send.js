/* One request of STOW-RS, and what its answer says of each file.

   A single file is the body as it is; several small ones are joined to a multipart body of references to them, so
   that the browser reads each from the disk while it sends, and none into memory. */

const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);
const PASSING_REASONS = new Set([0xa700, 0x0110]); // out of resources, processing failure (PS3.18 Table I.2-2)
const SILENCE = 120_000; // ms in which nothing of a body leaves
const STORING = 1_800_000; // ms that the archive may take with the whole body

/** Send files. Resolves to {status, headers, body}; status 0 means that there was no answer. */
export function send(url, files, { onProgress, signal }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const boundary = `filmroom-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
    let silence = 0;
    const end = (status, why = "") => {
      clearTimeout(silence);
      signal.removeEventListener("abort", abort);
      const header = (name) => (status ? request.getResponseHeader(name) : null);
      resolve({ status, why, header, body: status ? request.responseText : "" });
    };
    const listen = (patience) => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        request.abort();
        end(0, "The archive fell silent.");
      }, patience);
    };
    const abort = () => {
      request.abort();
      end(0, "Cancelled.");
    };
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/dicom+json");
    const single = files.length === 1;
    const multipart = `multipart/related; type="application/dicom"; boundary=${boundary}`;
    request.setRequestHeader("Content-Type", single ? "application/dicom" : multipart);
    request.upload.onprogress = (event) => {
      listen(SILENCE);
      onProgress(event.total ? event.loaded / event.total : 0);
    };
    request.upload.onload = () => listen(STORING);
    request.onload = () => end(request.status);
    request.onerror = () => end(0, "The archive cannot be reached, or the connection broke.");
    signal.addEventListener("abort", abort);
    listen(SILENCE);
    request.send(single ? files[0] : joined(files, boundary));
  });
}

function joined(files, boundary) {
  const head = `\r\n--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`;
  return new Blob([...files.flatMap((file) => [head, file]), `\r\n--${boundary}--\r\n`]);
}

/** Say what an answer means.

    {again: why, after: seconds}   nothing is known or done; send the same once more
    {apart: true}                  the answer cannot be split among the files; send each by itself
    {results: [{state, text, study, again}]}   one a file; `again`: it may work another time */
export async function read(answer, count, reportOf) {
  if (!answer.status || PASSING.has(answer.status)) {
    const after = Number(answer.header("Retry-After"));
    const why = answer.status ? messageOf(answer) : answer.why;
    return { again: why, after: Number.isFinite(after) ? after : 0 };
  }
  if (![200, 202, 409].includes(answer.status)) {
    if (count > 1) return { apart: true };
    const again = answer.status === 507;
    return { results: [{ state: again ? "failed" : "refused", text: messageOf(answer), again }] };
  }
  const dataset = datasetOf(answer);
  if (!dataset) return { again: "Something between here and the archive answered in its place.", after: 0 };
  const told = await messagesOf(answer, count, reportOf);
  return told ? { results: resultsOf(answer, dataset, count, told) } : { apart: true };
}

/** Return [{part, kind, reason, message}]; null where they are not known part by part. */
async function messagesOf(answer, count, reportOf) {
  const warning = answer.header("Warning");
  if (!warning && answer.status === 200) return [];
  try {
    const report = await fetch(reportOf(answer.header("X-Request-ID")), { cache: "no-store" });
    if (report.ok) return (await report.json()).messages;
  } catch {
    // No network just now: the header says enough of a single file, and several are sent again by themselves.
  }
  if (count > 1) return null;
  const message = sentenceOf(warning) || "The archive gave no reason";
  return [{ part: 1, kind: answer.status === 409 ? "failure" : "warning", message }];
}

/** Return the data set of an answer; null where a proxy or a log-in page has answered. */
function datasetOf(answer) {
  try {
    const dataset = JSON.parse(answer.body);
    return typeof dataset === "object" ? dataset : null;
  } catch {
    return null;
  }
}

function resultsOf(answer, dataset, count, told) {
  const notes = new Map();
  for (const each of told) notes.set(each.part, [...(notes.get(each.part) ?? []), each]);
  const already = partsOf(answer.header("X-Already-Stored"));
  const stored = dataset["00081199"]?.Value ?? [];
  const only = studyOf(dataset); // of all of them, where they are of one
  const parts = Array.from({ length: count }, (_, index) => index + 1);
  const kept = parts.filter((part) => !(notes.get(part) ?? []).some((each) => each.kind === "failure"));
  const studies = new Map(); // of parts, where none stands twice in the request
  if (kept.length === stored.length) kept.forEach((part, index) => studies.set(part, studyOf(stored[index])));
  return parts.map((part) => {
    const own = notes.get(part) ?? [];
    const text = own.map((each) => sentence(each.message)).join(" ");
    const failure = own.find((each) => each.kind === "failure");
    if (failure) {
      const again = PASSING_REASONS.has(failure.reason);
      return { state: again ? "failed" : "refused", text, again };
    }
    const state = own.length ? "warned" : already.has(part) ? "already" : "stored";
    return { state, text, study: studies.get(part) ?? only };
  });
}

/** Read 1-3,7. */
function partsOf(text) {
  const parts = new Set();
  for (const range of (text ?? "").split(",").filter(Boolean)) {
    const [first, last = first] = range.split("-").map(Number);
    for (let part = first; part <= last; part += 1) parts.add(part);
  }
  return parts;
}

/** Return the study in a Retrieve URL. */
function studyOf(item) {
  return /\/studies\/([0-9.]+)/.exec(item["00081190"]?.Value?.[0] ?? "")?.[1] ?? "";
}

function messageOf(answer) {
  try {
    return sentence(JSON.parse(answer.body).error);
  } catch {
    return `The archive, or something before it, answered ${answer.status}.`; // a proxy's own page
  }
}

/** Take the text out of a Warning header: 299 agent "text". */
function sentenceOf(warning) {
  return sentence(/"((?:[^"\\]|\\.)*)"/.exec(warning ?? "")?.[1].replace(/\\(.)/g, "$1") ?? "");
}

function sentence(text) {
  const whole = String(text ?? "").trim();
  return whole && `${whole[0].toUpperCase()}${whole.slice(1)}${/[.!?]$/.test(whole) ? "" : "."}`;
}

/* The upload page: what is dropped or chosen goes into a queue, and the page shows what becomes of it. */

import { entriesOf, pathOf, walk } from "./upload/collect.js";
import { Files } from "./upload/files.js";
import { Progress } from "./upload/page.js";
import { Queue } from "./upload/queue.js";
import { Studies } from "./upload/studies.js";

const root = document.getElementById("upload");
const part = (id) => document.getElementById(id);
const { dicomweb, reports } = root.dataset;

const queue = new Queue(`${dicomweb}/studies`, (id) => reports.replace(/ID$/, encodeURIComponent(id)));
const studies = new Studies(part("studies-list"), part("studies-more"), root);
const files = new Files({ list: part("files-list"), show: part("show"), more: part("more") }, queue, studies.address);
const progress = new Progress(root, queue, { files, studies });
queue.addEventListener("stored", (event) => studies.add(event.detail));

async function take(entries) {
  let found = 0;
  for await (const { path, file, error } of walk(entries)) {
    if (file) queue.add(path, file);
    else queue.addBroken(path, error);
    found += 1;
  }
  progress.say(found ? `${found} ${found === 1 ? "file" : "files"} found; they are being sent` : "There is no file in it");
}

for (const id of ["choose-files", "choose-folder"]) {
  part(id).addEventListener("change", ({ target }) => {
    const chosen = [...target.files];
    target.value = ""; // so that the same can be chosen once more
    for (const file of chosen) queue.add(pathOf(file), file);
    if (chosen.length) progress.say(`${chosen.length} ${chosen.length === 1 ? "file" : "files"} chosen; they are being sent`);
  });
}

/* The whole page takes drops: one that misses the field would make the browser leave for the file. */
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
let depth = 0;
addEventListener("dragenter", (event) => {
  if (!carriesFiles(event)) return;
  depth += 1;
  part("drop").toggleAttribute("data-over", true);
});
addEventListener("dragleave", () => {
  depth = Math.max(0, depth - 1);
  if (!depth) part("drop").toggleAttribute("data-over", false);
});
addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
});
addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  part("drop").toggleAttribute("data-over", false);
  take(entriesOf(event.dataTransfer));
});

addEventListener("beforeunload", (event) => {
  if (queue.running) event.preventDefault();
});

/* Files out of a drop or an input, folders walked to their ends. */

/** Return the entries of a drop; call it in the event itself, for they are gone afterwards. */
export function entriesOf(transfer) {
  const files = [...transfer.items].filter((item) => item.kind === "file");
  return files.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
}

/** Yield {path, file}, or {path, error} for what cannot be read, of entries and of all that is below them. */
export async function* walk(entries) {
  const left = [...entries].reverse();
  while (left.length) {
    const entry = left.pop();
    if (entry instanceof File) {
      yield { path: pathOf(entry), file: entry };
      continue;
    }
    const path = entry.fullPath.replace(/^\//, "");
    try {
      if (entry.isDirectory) {
        left.push(...(await childrenOf(entry)).reverse());
      } else {
        yield { path, file: await new Promise((done, failed) => entry.file(done, failed)) };
      }
    } catch (error) {
      yield { path, error };
    }
  }
}

/** Return the path of a file of an input: that below the folder which was chosen. */
export function pathOf(file) {
  return file.webkitRelativePath || file.name;
}

/** readEntries gives a hundred at a time, and none when there are no more. */
async function childrenOf(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    found.push(...some);
  }
}

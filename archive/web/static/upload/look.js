/* A look at the first bytes of a file, to leave out what is no DICOM before it is sent. */

const HEAD = 1024;
const DICOMDIR = "1.2.840.10008.1.3.10"; // Media Storage Directory Storage (PS3.4 Annex I)
const OF_SYSTEMS = new Set([".ds_store", "thumbs.db", "desktop.ini", "autorun.inf"]);

/** Return why a file is not sent, or "" for one that is. Throws where it cannot be read. */
export async function whyNot(file) {
  const name = file.name.toLowerCase();
  if (OF_SYSTEMS.has(name) || name.startsWith("._")) return "A file of the operating system, not an image";
  if (!file.size) return "The file is empty";
  const bytes = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  const text = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
  if (text(128, 132) === "DICM") {
    return text(132, HEAD).includes(DICOMDIR) ? "DICOMDIR is an index, not an image" : "";
  }
  if (text(0, 4) === "PK\x03\x04") return "A zip file: unpack it first";
  return "Not a DICOM file: there is no DICM at byte 128";
}

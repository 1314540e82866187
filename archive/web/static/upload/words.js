/* Numbers, sizes and times in the words that people read; the same as the archive's own pages write them. */

const UNITS = ["bytes", "KB", "MB", "GB", "TB"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function number(count) {
  return count.toLocaleString("en-US");
}

export function files(count) {
  return `${number(count)} ${count === 1 ? "file" : "files"}`;
}

export function size(bytes) {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1000 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${amount.toFixed(unit === 0 || amount >= 100 ? 0 : 1)} ${UNITS[unit]}`;
}

export function duration(seconds) {
  if (seconds < 55) return `${Math.max(5, Math.ceil(seconds / 5) * 5)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** Return a name (PN in DICOM JSON) as family name, given names. */
export function person(value) {
  const group = value?.Alphabetic || value?.Ideographic || value?.Phonetic || "";
  const [family = "", given = "", middle = "", prefix = "", suffix = ""] = group.split("^").map((part) => part.trim());
  return [family, [prefix, given, middle].filter(Boolean).join(" "), suffix].filter(Boolean).join(", ");
}

/** Return a date (DA) as 25 Nov 2026. */
export function day(date) {
  const [, year, month, of_month] = /^(\d{4})(\d\d)(\d\d)$/.exec(date ?? "") ?? [];
  return MONTHS[month - 1] ? `${Number(of_month)} ${MONTHS[month - 1]} ${year}` : (date ?? "");
}

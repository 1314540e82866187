// Windows by name. Those of the image come first; CT has more, in Hounsfield units.

const CT = [
  ["Brain", 40, 80], ["Stroke", 32, 40], ["Subdural", 75, 280], ["Bone", 500, 2000], ["Lung", -600, 1500],
  ["Mediastinum", 40, 400], ["Abdomen", 50, 400], ["Liver", 90, 150], ["Angiography", 300, 600],
].map(([name, centre, width]) => ({ name, centre, width }));

/** The presets for an image with these windows of its own; the first has no window and means: as the archive shows it by itself. */
export function presets(modality, stored) {
  const own = stored.slice(1).map((each, at) => ({
    ...each, name: each.name || `Stored ${at + 2}`,
  }));
  const first = stored[0]?.name;
  return [{ name: first ? `As stored: ${first}` : "As stored" }, ...own, ...(modality === "CT" ? CT : [])];
}

export function same(a, b) {
  return a === b || (a && b && a.centre === b.centre && a.width === b.width);
}

/** "centre,width" as in the address of the page, or null for anything else. */
export function parse(text) {
  const [centre, width, ...rest] = (text ?? "").split(",").map(Number);
  return Number.isFinite(centre) && width >= 1 && !rest.length && text.includes(",") ? { centre, width } : null;
}

export const tidy = (value) => Math.round(value * 100) / 100;

export function format({ centre, width }) {
  return `${centre},${width}`;
}

/** The window after dragging: right is wider, down is brighter, in steps that fit the width. */
export function dragged({ centre, width }, dx, dy, stage) {
  const step = Math.max(width, 16) / stage;
  const round = (value) => (width > 20 ? Math.round(value) : Math.round(value * 100) / 100);
  return { centre: round(centre - dy * step * 1.5), width: Math.max(1, round(width + dx * step * 2)) };
}

// The fields of the window: presets by name, and centre and width as numbers.

import { windowsOf } from "./archive.js";
import { parse, presets, same, tidy } from "./windows.js";

export class WindowFields {
  /** `choose(window)` is called with what a person chooses; null is the window as stored. */
  constructor(page, choose) {
    this.choose = choose;
    this.presets = [];
    this.all = page.getElementById("window-fields");
    this.preset = page.getElementById("preset");
    this.numbers = { centre: page.getElementById("centre"), width: page.getElementById("width") };
    this.preset.addEventListener("change", () => this.choosePreset(Number(this.preset.value)));
    for (const field of Object.values(this.numbers)) field.addEventListener("change", () => this.#typed());
  }

  /** Offer what fits an image. */
  offer(modality, image) {
    const { instance } = image;
    this.presets = presets(modality, windowsOf(image));
    this.preset.replaceChildren(
      ...this.presets.map(({ name, centre, width }, at) => {
        const label = width ? `${name} ${tidy(centre)}/${tidy(width)}` : name;
        return new Option(at < 9 ? `${at + 1}  ${label}` : label, String(at));
      }),
      Object.assign(new Option("Own", "own"), { hidden: true }),
    );
    this.all.disabled = instance.kind !== "image" || !instance.isGrey;
  }

  /** Say which window is shown: a chosen one, or null for that of the image. */
  say(chosen, image) {
    const now = image.instance.isGrey ? chosen ?? windowsOf(image)[0] : null;
    const at = chosen ? this.presets.findIndex((each) => each.width && same(each, chosen)) : 0;
    this.preset.value = at < 0 ? "own" : String(at);
    for (const [name, field] of Object.entries(this.numbers)) {
      if (document.activeElement !== field) field.value = now ? tidy(now[name]) : "";
    }
  }

  choosePreset(at) {
    const found = this.presets[at];
    if (found && !this.all.disabled) this.choose(found.width ? { centre: found.centre, width: found.width } : null);
  }

  #typed() {
    const { centre, width } = this.numbers;
    const chosen = parse(`${centre.value || "x"},${width.value || "x"}`);
    if (chosen) this.choose(chosen);
  }
}

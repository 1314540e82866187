// What is chosen: series, image and window; and what follows from it: the picture's address, the words about it.

import { pictureUrl, windowsOf } from "./archive.js";
import { format, tidy } from "./windows.js";

const AHEAD = 8; // images that are fetched ahead of the one shown, and behind a third of that

export class Chosen {
  /** `side(instance)` is the longest side of a picture to ask for, or null for all of it. */
  constructor(side) {
    Object.assign(this, { side, link: null, series: null, whole: false, index: 0, direction: 1, window: null, current: null });
  }

  get position() {
    return `Image ${this.index + 1} of ${this.series.length}${this.whole ? "" : " or more"}`;
  }

  /** The title of what is shown of the series, `which` one of it. */
  title(which) {
    const { modality, description } = this.link.dataset;
    return [modality, description, which].filter(Boolean).join(", ");
  }

  /** The query of the page's address that leads here again. */
  get query() {
    const query = new URLSearchParams({ series: this.link.dataset.series, image: this.index + 1 });
    if (this.window) query.set("window", format(this.window));
    return `?${query}`;
  }

  url(image) {
    return pictureUrl(image, this.window, this.side(image.instance));
  }

  /** What the screen is to show for an image. */
  target(image) {
    const { instance, frame } = image;
    const { modality, description, number } = this.link.dataset;
    const window = instance.isGrey ? this.window : null;
    const shownWindow = window ?? windowsOf(image)[0];
    return {
      image,
      url: this.url(image),
      width: instance.columns,
      title: this.title(this.position.toLowerCase()),
      position: this.position,
      seriesLines: [[modality, description].filter(Boolean).join(" "), number && `Series ${number}`],
      imageLines: [
        this.position,
        instance.isSlide && "A tile of a slide",
        instance.frames > 1 && instance.frames < this.series.length && `Frame ${frame} of ${instance.frames}`,
        instance.number !== null && `No. ${instance.number}`,
        instance.location !== null && `${Math.round(instance.location * 10) / 10} mm`,
      ],
      windowLines: [
        !instance.isGrey ? "" : shownWindow ? `C ${tidy(shownWindow.centre)} W ${tidy(shownWindow.width)}` : "",
        instance.isGrey && !window ? "window as stored" : "",
      ],
    };
  }

  /** Addresses of the pictures around the one shown, the soonest first; more of them, maybe in a circle, while playing. */
  around({ playing, loop }) {
    const { series, index, direction } = this;
    const urls = [];
    const add = (at) => {
      if (at < 0 || at >= series.length || at === index) return;
      const image = series.at(at);
      if (image.instance.kind === "image") urls.push(this.url(image));
    };
    for (let step = 1; step <= (playing ? AHEAD * 4 : AHEAD); step++) {
      const at = index + step * direction;
      add(playing && loop ? (at + series.length) % series.length : at);
      if (step % 3 === 0) add(index - (step / 3) * direction);
    }
    return urls;
  }
}

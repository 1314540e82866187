// How the picture lies on the stage: fitted, enlarged, moved, turned, flipped, inverted. Knows nothing of images.

const SIDES = [768, 1536, 3072]; // longest sides of pictures that are asked for instead of whole large images

export class View {
  /** `note` is where it says what was turned or flipped. */
  constructor(stage, holder, note) {
    Object.assign(this, { stage, holder, note });
    this.width = this.height = 1; // of the picture as shown at 100 %, in pixels of the image
    this.reset();
  }

  reset() {
    Object.assign(this, { zoom: 1, x: 0, y: 0, turns: 0, horizontal: false, vertical: false, inverted: false });
  }

  fitAgain() {
    Object.assign(this, { zoom: 1, x: 0, y: 0 });
    this.apply();
  }

  /** Screen pixels for one pixel of the picture when it just fits. */
  get fit() {
    const { clientWidth, clientHeight } = this.stage;
    const sides = this.turns % 2 ? [this.height, this.width] : [this.width, this.height];
    return Math.min(clientWidth / sides[0], clientHeight / sides[1]) || 1;
  }

  get scale() {
    return this.fit * this.zoom;
  }

  /** The longest side to ask for, null for all: what is seen, in a few sizes only, so that zooming asks seldom. */
  side(longest) {
    const { clientWidth, clientHeight } = this.stage;
    const box = Math.max(clientWidth, clientHeight) * (window.devicePixelRatio || 1) * Math.max(this.zoom, 1);
    const found = SIDES.find((each) => each >= box);
    return found && found < longest ? found : null;
  }

  /** Zoom by a factor; the point (from the middle of the stage) stays where it is. */
  zoomBy(factor, { x = 0, y = 0 } = {}) {
    const zoom = Math.min(Math.max(this.zoom * factor, 0.25), 40);
    const real = zoom / this.zoom;
    this.x = x - (x - this.x) * real;
    this.y = y - (y - this.y) * real;
    this.zoom = zoom;
    this.apply();
  }

  moveBy(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.apply();
  }

  turn() {
    this.turns = (this.turns + 1) % 4;
    this.apply();
  }

  /** How the picture differs from the image as it was made; left and right may be exchanged. */
  get words() {
    return [
      this.horizontal && "Left and right flipped", this.vertical && "Top and bottom flipped",
      this.turns && `Turned ${this.turns * 90}°`, this.inverted && "Inverted",
    ].filter(Boolean).join(", ");
  }

  apply() {
    // Some of the picture always stays on the stage.
    const { clientWidth, clientHeight } = this.stage;
    const reach = (side, room) => Math.max((side * this.scale + room) / 2 - 40, 0);
    const [across, down] = this.turns % 2 ? [this.height, this.width] : [this.width, this.height];
    this.x = Math.min(Math.max(this.x, -reach(across, clientWidth)), reach(across, clientWidth));
    this.y = Math.min(Math.max(this.y, -reach(down, clientHeight)), reach(down, clientHeight));
    if (this.note.textContent !== this.words) this.note.textContent = this.words;
    const { style } = this.holder;
    style.width = `${this.width * this.fit}px`;
    style.height = `${this.height * this.fit}px`;
    style.filter = this.inverted ? "invert(1)" : "";
    style.imageRendering = this.scale > 6 ? "pixelated" : "";
    // Read from the right: flip the picture, turn it, enlarge it, move it.
    style.transform = `translate(-50%, -50%) translate(${this.x}px, ${this.y}px) scale(${this.zoom}) `
      + `rotate(${this.turns * 90}deg) scale(${this.horizontal ? -1 : 1}, ${this.vertical ? -1 : 1})`;
  }
}

// How the picture lies on the stage: fitted, enlarged, moved, turned, flipped, inverted. Knows nothing of images.

export class View {
  constructor(stage, holder) {
    this.stage = stage;
    this.holder = holder;
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

  /** The longest side, in device pixels, at which the picture is seen. */
  get side() {
    return Math.max(this.width, this.height) * this.scale * (window.devicePixelRatio || 1);
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

  apply() {
    // Some of the picture always stays on the stage.
    const { clientWidth, clientHeight } = this.stage;
    const reach = (side, room) => Math.max((side * this.scale + room) / 2 - 40, 0);
    const [across, down] = this.turns % 2 ? [this.height, this.width] : [this.width, this.height];
    this.x = Math.min(Math.max(this.x, -reach(across, clientWidth)), reach(across, clientWidth));
    this.y = Math.min(Math.max(this.y, -reach(down, clientHeight)), reach(down, clientHeight));
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

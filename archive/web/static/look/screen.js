// What is on the stage. A picture and the words about it change in one go, when the picture is there: what is
// on its way never lends its words to what is shown, nor the other way round.

const LATE = 150; // milliseconds after which a picture that is not there yet is said to be loading
const AT_ONCE = 2; // pictures that are fetched for being shown, not ahead of time

export class Screen {
  /** `parts` are the elements by name; `shown(target)` is called after each change of the stage. */
  constructor(parts, pictures, view, shown) {
    Object.assign(this, { parts, pictures, view, shown });
    this.asked = 0; // number of the newest wish
    this.answered = 0; // number of the wish whose picture, or trouble, is on the stage
    this.epoch = 0;
    this.running = 0;
    this.pending = null;
    this.target = null; // what is on the stage
  }

  get isSettled() {
    return this.answered === this.asked;
  }

  /** Show a picture: `target` has url, width, height (of the image), title and lines for the corners. */
  want(target) {
    const ticket = ++this.asked;
    const here = this.pictures.peek(target.url);
    if (here) {
      this.pending = null;
      this.#swap(ticket, target, here);
      return;
    }
    this.pending = { ticket, target };
    this.#load();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.isSettled || this.wait(target.title), LATE);
  }

  /** Say what is being fetched, until something is shown or said. */
  wait(title) {
    this.parts.loadingWords.textContent = `${title} …`;
    this.parts.loading.hidden = false;
  }

  /** Take everything off the stage. */
  clear() {
    this.epoch++;
    this.pending = null;
    this.answered = ++this.asked;
    this.target = null;
    this.parts.picture.replaceChildren();
    for (const corner of ["cornerSeries", "cornerImage", "cornerWindow"]) this.parts[corner].textContent = "";
    this.#quiet();
  }

  /** Say in words why there is nothing to see; `again` is called by a button. */
  say(words, again) {
    this.parts.picture.replaceChildren();
    this.#quiet();
    const text = document.createElement("p");
    text.textContent = words;
    this.parts.message.replaceChildren(text);
    if (again) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Try again";
      button.addEventListener("click", again);
      this.parts.message.append(button);
    }
    this.parts.message.hidden = false;
  }

  #load() {
    if (!this.pending || this.running >= AT_ONCE) return;
    const { ticket, target } = this.pending;
    const { epoch } = this;
    this.pending = null;
    this.running++;
    this.pictures.get(target.url).then(
      // While somebody scrolls on, what comes later than asked for is shown all the same, with its own words.
      (image) => epoch === this.epoch && ticket > this.answered && this.#swap(ticket, target, image),
      (error) => {
        if (error.name !== "AbortError" && epoch === this.epoch && ticket === this.asked) {
          this.#fail(ticket, target, error);
        }
      },
    ).finally(() => {
      this.running--;
      this.#load();
    });
  }

  #swap(ticket, target, image) {
    this.answered = ticket;
    this.target = target;
    image.alt = target.title;
    image.draggable = false;
    if (this.parts.picture.firstChild !== image) this.parts.picture.replaceChildren(image);
    this.#words(target);
    this.view.width = target.width ?? image.naturalWidth;
    // The archive makes pixels square, so the shape is that of the picture, not that of rows and columns.
    this.view.height = (this.view.width * image.naturalHeight) / image.naturalWidth;
    this.view.apply();
    this.parts.message.hidden = true;
    if (this.isSettled) this.#quiet();
    this.shown(target);
  }

  #fail(ticket, target, error) {
    this.answered = ticket;
    this.target = target;
    this.#words(target);
    const again = () => {
      this.parts.message.hidden = true;
      this.want(target);
    };
    this.say(`${target.title} cannot be shown. ${error.message}`, error.retry ? again : null);
    this.shown(target);
  }

  #words(target) {
    lines(this.parts.cornerSeries, target.seriesLines);
    lines(this.parts.cornerImage, target.imageLines);
    lines(this.parts.cornerWindow, target.windowLines);
  }

  #quiet() {
    clearTimeout(this.timer);
    this.parts.loading.hidden = true;
    this.parts.message.hidden = true;
  }
}

function lines(element, texts) {
  element.replaceChildren(...texts.filter(Boolean).map((text) => {
    const line = document.createElement("div");
    line.textContent = text;
    return line;
  }));
}

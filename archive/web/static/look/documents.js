// Reports, PDF and other documents, and videos: shown by the browser itself, at the archive's address of them.

import { ask } from "./archive.js";

const READABLE = "text/html, application/pdf;q=0.9, image/svg+xml;q=0.8, image/png;q=0.7, image/jpeg;q=0.7, "
  + "text/plain;q=0.6, text/xml;q=0.5, video/mp4;q=0.4";

export class Papers {
  /** `holder` lies on the stage, above pictures; `screen` says what cannot be shown. */
  constructor(stage, holder, screen) {
    Object.assign(this, { stage, holder, screen });
  }

  clear() {
    if (!this.holder.firstChild) return;
    this.holder.replaceChildren();
    this.#open(false);
  }

  /**
   * Show an instance that is no image. `picture(url)` is called where the archive draws one of it after all,
   * `frames()` where the browser cannot play a video; `isCurrent()` tells whether the instance is still wanted.
   */
  async show(instance, title, { signal, isCurrent, picture, frames, speak }) {
    this.screen.clear();
    this.clear();
    const failed = (error) => {
      if (error.name === "AbortError" || signal.aborted || !isCurrent()) return;
      this.clear();
      const again = () => this.show(instance, title, { signal, isCurrent, picture, frames, speak });
      this.screen.say(`${title} cannot be shown. ${error.message}`, error.retry ? again : null);
    };
    if (instance.kind === "video") {
      this.#put(video(instance, title, () => signal.aborted || !isCurrent() || frames()));
      return;
    }
    this.screen.wait(title);
    try {
      const found = await readable(instance, signal);
      if (signal.aborted || !isCurrent()) return;
      if (/^image\/(png|jpeg)$/.test(found.type)) {
        picture(found.url);
        return;
      }
      this.screen.clear();
      this.#put(...paper(found, title));
      speak(title);
    } catch (error) {
      failed(error);
    }
  }

  #put(...elements) {
    this.holder.replaceChildren(...elements);
    this.#open(true);
  }

  #open(yes) {
    this.holder.hidden = !yes;
    this.stage.classList.toggle("has-document", yes);
  }
}

/** Ask how the archive renders something; return its media type and address. */
async function readable({ url }, signal) {
  const rendered = `${url}/rendered`;
  const answer = await ask(rendered, { accept: READABLE, signal });
  const type = (answer.headers.get("Content-Type") ?? "").split(";")[0].trim();
  await answer.body?.cancel();
  return { type, url: `${rendered}?accept=${encodeURIComponent(type)}` };
}

function paper({ type, url }, title) {
  const bar = document.createElement("p");
  bar.className = "look-document-bar";
  const link = document.createElement("a");
  Object.assign(link, { href: url, target: "_blank", rel: "noopener", textContent: "Open by itself" });
  bar.append(`${title} `, link);
  const frame = document.createElement("iframe");
  const isPdf = type === "application/pdf";
  // What a report holds is shown, never run; PDF needs the browser's own reader, which a sandbox would stop.
  if (!isPdf) frame.setAttribute("sandbox", "allow-popups");
  Object.assign(frame, { title, src: isPdf ? `${url}#navpanes=0&view=FitH` : url });
  return [bar, frame];
}

function video({ url }, title, failed) {
  const element = document.createElement("video");
  Object.assign(element, { controls: true, loop: true, muted: true, playsInline: true, src: `${url}/rendered` });
  element.setAttribute("aria-label", title);
  element.addEventListener("error", failed);
  return element;
}

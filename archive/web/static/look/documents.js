// Reports, PDF and other documents, and videos: shown by the browser itself, at the archive's address of them.

import { Trouble, ask } from "./archive.js";

const READABLE = "text/html, application/pdf;q=0.9, image/svg+xml;q=0.8, image/png;q=0.7, image/jpeg;q=0.7, "
  + "text/plain;q=0.6, text/xml;q=0.5, video/mp4;q=0.4";

/** Ask how the archive renders something; return its media type and address. */
export async function readable({ url }, signal) {
  const rendered = `${url}/rendered`;
  const answer = await ask(rendered, { accept: READABLE, signal });
  const type = (answer.headers.get("Content-Type") ?? "").split(";")[0].trim();
  await answer.body?.cancel();
  return { type, url: `${rendered}?accept=${encodeURIComponent(type)}` };
}

/** Put a document into `holder`. */
export function showDocument(holder, { type, url }, title) {
  const bar = document.createElement("p");
  bar.className = "look-document-bar";
  const link = document.createElement("a");
  Object.assign(link, { href: url, target: "_blank", rel: "noopener", textContent: "Open by itself" });
  bar.append(`${title} `, link);
  const frame = document.createElement("iframe");
  // What a report holds is shown, never run; PDF needs the browser's own reader, which a sandbox would stop.
  if (type !== "application/pdf") frame.setAttribute("sandbox", "allow-popups");
  // Its own pages are enough beside our list of series.
  Object.assign(frame, { title, src: type === "application/pdf" ? `${url}#navpanes=0&view=FitH` : url });
  holder.replaceChildren(bar, frame);
}

/** Put a video into `holder`; call `failed` with Trouble where this browser cannot play it. */
export function showVideo(holder, { url }, title, failed) {
  const video = document.createElement("video");
  Object.assign(video, { controls: true, loop: true, muted: true, playsInline: true, src: `${url}/rendered` });
  video.setAttribute("aria-label", title);
  video.addEventListener("error", () => failed(new Trouble("This browser cannot play it. The full viewer, or a download of the study, may help.")));
  holder.replaceChildren(video);
}

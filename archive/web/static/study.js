/* The study page: pictures that cannot be made, and the instances of a series when they are asked for. */

import { copyButtons } from "./copy.js";

copyButtons(document.getElementById("said"));

for (const image of document.querySelectorAll(".thumb img")) {
  const missing = () => {
    image.nextElementSibling.hidden = false;
    image.remove();
  };
  if (image.complete && !image.naturalWidth && image.currentSrc) missing();
  else image.addEventListener("error", missing);
}

for (const details of document.querySelectorAll("details.instances")) {
  details.addEventListener("toggle", () => details.open && !details.dataset.loaded && load(details, details.dataset.source));
  details.addEventListener("click", (event) => {
    const link = event.target.closest(".pager a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    load(details, link.href);
  });
}

/** Put the list of a series page into the study page. */
async function load(details, address) {
  const list = details.querySelector(".instances-list");
  const again = list.contains(document.activeElement);
  list.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    list.replaceChildren(...page.getElementById("instances").childNodes);
    details.dataset.loaded = "yes";
    document.getElementById("said").textContent = list.querySelector("caption").textContent;
    if (again) list.focus();
  } catch (error) {
    const said = document.createElement("p");
    said.textContent = `The list cannot be loaded now (${error.message}). Close it and open it to try again.`;
    list.replaceChildren(said);
  } finally {
    list.removeAttribute("aria-busy");
  }
}

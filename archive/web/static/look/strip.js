// The strip of series: links that lead to each, one of them the series that is shown.

const links = [...document.querySelectorAll(".look-series")];

/** The link of a series, or undefined. */
export const linkOf = (uid) => links.find((each) => each.dataset.series === uid);

/** The link so many after another, or undefined. */
export const beside = (link, by) => links[links.indexOf(link) + by];

/** The series to begin with: images that somebody took come before what was made of them. */
export function first() {
  const taken = (each) => each.hasAttribute("data-images") && !/^(SEG|PR|SR|KO|RTDOSE)$/.test(each.dataset.modality);
  return links.find(taken) ?? links.find((each) => each.hasAttribute("data-images")) ?? links[0];
}

export function mark(link) {
  for (const each of links) each.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
  link.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Call `choose(link)` for clicks; those that ask for another tab are left to the browser. */
export function listen(choose) {
  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      choose(link);
    });
    const thumbnail = link.querySelector("img");
    thumbnail?.addEventListener("error", () => thumbnail.remove());
  }
}

/* Buttons that copy a text: data-copy has it. Where the page came over plain HTTP there is no clipboard API. */

async function copy(text) {
  if (navigator.clipboard && isSecureContext) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** Show the buttons of a page, and tell in the element `said` that they worked. */
export function copyButtons(said) {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copy(button.dataset.copy).catch(() => false);
      button.focus();
      button.textContent = done ? "Copied" : "Could not be copied";
      said.textContent = done ? `${label}: done` : "The browser does not allow it";
      setTimeout(() => (button.textContent = label), 2000);
    });
  }
}

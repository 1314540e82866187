// The keyboard. Letters and digits can be switched off, for those who speak or whose reader uses them.

const OPTION = "filmroom.look.single-keys";
const OWN_KEYS = /^(INPUT|SELECT|TEXTAREA|IFRAME|VIDEO)$/;

/** Call `actions[name](argument)` for keys; `dialog` lists them. */
export function listen(actions, dialog) {
  const option = dialog.querySelector("#single-keys");
  option.checked = localStorage.getItem(OPTION) !== "no";
  option.addEventListener("change", () => localStorage.setItem(OPTION, option.checked ? "yes" : "no"));

  const named = {
    ArrowUp: ["step", -1], ArrowLeft: ["step", -1], ArrowDown: ["step", 1], ArrowRight: ["step", 1],
    PageUp: ["step", -10], PageDown: ["step", 10], Home: ["go", 0], End: ["go", -1],
  };
  const letters = {
    s: ["tool", "scroll"], w: ["tool", "window"], m: ["tool", "pan"], z: ["tool", "zoom"],
    i: ["invert"], r: ["turn"], h: ["flip", "horizontal"], v: ["flip", "vertical"], f: ["screen"],
    "0": ["reset"], "+": ["zoom", 1.25], "=": ["zoom", 1.25], "-": ["zoom", 0.8], "?": ["help"],
  };

  document.addEventListener("keydown", (event) => {
    if (dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    const isField = OWN_KEYS.test(target.tagName) && target.type !== "radio" && target.type !== "checkbox";
    const isRadio = target.type === "radio" && event.key.startsWith("Arrow");
    if (isField || isRadio) return;
    let found;
    if (event.shiftKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      found = ["series", event.key === "ArrowUp" ? -1 : 1];
    } else if (event.key === " ") {
      found = target.closest("button, a, label") ? undefined : ["play"];
    } else if (event.key in named) {
      found = named[event.key];
    } else if (option.checked || event.key === "?") {
      found = /^[1-9]$/.test(event.key) ? ["preset", Number(event.key) - 1] : letters[event.key.toLowerCase()];
    }
    if (!found) return;
    event.preventDefault();
    actions[found[0]](found[1]);
  });
}

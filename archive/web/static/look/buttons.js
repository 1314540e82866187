// The buttons of the bar: what each does, and which are pressed.

const id = (name) => document.getElementById(name);

const BUTTONS = [
  ["invert", "invert"], ["rotate", "turn"], ["flip-horizontal", "flip", "horizontal"],
  ["flip-vertical", "flip", "vertical"], ["reset", "reset"], ["play", "play"], ["screen", "screen"],
  ["help", "help"], ["previous", "step", -1], ["next", "step", 1],
];

export const isPressed = (name) => id(name).getAttribute("aria-pressed") === "true";

export function press(name, yes) {
  id(name).setAttribute("aria-pressed", String(yes));
}

/** Nothing is turned or inverted any more. */
export function release() {
  for (const name of ["invert", "flip-horizontal", "flip-vertical"]) press(name, false);
}

/** Call `actions[name](argument)` for buttons, and for the tool that is chosen. */
export function wire(actions) {
  for (const radio of document.querySelectorAll('input[name="tool"]')) {
    radio.addEventListener("change", () => actions.tool(radio.value));
  }
  for (const [name, action, argument] of BUTTONS) id(name).addEventListener("click", () => actions[action](argument));
  id("loop").addEventListener("click", () => press("loop", !isPressed("loop")));
  id("screen").hidden = !document.fullscreenEnabled;
}

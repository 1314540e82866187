// The quick look: what is chosen, and the parts that show it. The address of the page says all of what is chosen.

import { Series, pictureUrl, readGroups, windowsOf } from "./archive.js";
import { Cine } from "./cine.js";
import { Papers } from "./documents.js";
import { WindowFields } from "./fields.js";
import { watch } from "./gestures.js";
import { listen } from "./keys.js";
import { Pictures } from "./pictures.js";
import { Screen } from "./screen.js";
import { View } from "./view.js";
import { dragged, format, parse, tidy } from "./windows.js";

const AHEAD = 8; // images that are fetched ahead of the one shown, and behind a third of that
const SIDES = [768, 1536, 3072]; // longest sides of pictures that are asked for instead of whole large images

const id = (name) => document.getElementById(name);
const root = id("look");
const links = [...document.querySelectorAll(".look-series")];
const parts = {
  picture: id("picture"), loading: id("loading"), loadingWords: id("loading-words"), message: id("message"),
  cornerSeries: id("corner-series"), cornerImage: id("corner-image"), cornerWindow: id("corner-window"),
};
const viewer = id("full-viewer"); // not there where none is installed
const viewerHref = viewer?.href;
const [stage, slider] = [id("stage"), id("slider")];

const state = { link: null, series: null, whole: false, index: 0, direction: 1, window: null, tool: "window", dragging: false };
let opening = new AbortController(); // ends with the series

const pictures = new Pictures();
const view = new View(stage, parts.picture, id("corner-view"));
const screen = new Screen(parts, pictures, view, shown);
const papers = new Papers(stage, id("document"), screen);
const fields = new WindowFields(document, choose);
const cine = new Cine({
  step: () => {
    const last = state.index >= state.series.length - 1;
    if (last && !isPressed("loop")) return false;
    go(last ? 0 : state.index + 1, 1);
    return true;
  },
  ready: () => screen.isSettled,
  changed: () => {
    press("play", cine.playing);
    id("play").querySelector("span").textContent = cine.playing ? "Stop" : "Play";
    if (!cine.playing) remember();
  },
});

// Series

function open(link, { index = 0, uid = null, window: chosen = null } = {}) {
  cine.stop();
  opening.abort();
  opening = new AbortController();
  pictures.clear();
  screen.clear();
  papers.clear();
  view.reset();
  view.apply();
  for (const each of links) each.toggleAttribute("aria-current", each === link);
  link.setAttribute("aria-current", "true");
  if (viewer) viewer.href = link.dataset.modality === "SM" ? viewer.dataset.slides : viewerHref;
  link.scrollIntoView({ block: "nearest", inline: "nearest" });
  const url = `${root.dataset.dicomweb}/studies/${root.dataset.study}/series/${link.dataset.series}`;
  Object.assign(state, { link, series: new Series(url), whole: false, index: 0, window: chosen, direction: 1, current: null });
  press("invert", false);
  press("flip-horizontal", false);
  press("flip-vertical", false);
  screen.wait("Series");
  read(index, uid);
}

async function read(index, uid) {
  const { series } = state;
  const { signal } = opening;
  let begun = false;
  try {
    await series.read(signal, (whole) => {
      const kept = begun && series.length ? state.current : null;
      state.whole = whole;
      slider.max = Math.max(series.length, 1);
      const found = uid ? series.find(uid) : -1;
      const wanted = found >= 0 ? found + Math.max(index, 0) : index;
      if (kept) {
        state.index = series.find(kept.instance.uid) + kept.frame - 1; // the same image, wherever it is now
        refresh();
      } else if (whole || wanted < series.length) {
        begun = true;
        begin(wanted);
      }
    });
  } catch (error) {
    if (error.name !== "AbortError") screen.say(`The series cannot be read. ${error.message}`, () => open(state.link));
  }
}

function begin(index) {
  if (!state.series.length) {
    screen.say("There is nothing in this series any more.");
    return;
  }
  state.index = Math.min(Math.max(index, 0), state.series.length - 1);
  const first = state.series.at(state.index).instance;
  id("rate").value = Math.min(Math.max(Math.round(first.rate ?? 10), 1), 60);
  cine.rate = Number(id("rate").value);
  refresh();
}

// Images

function go(index, direction = Math.sign(index - state.index) || state.direction) {
  if (!state.series?.length) return;
  const bounded = Math.min(Math.max(index, 0), state.series.length - 1);
  if (bounded === state.index) return;
  state.direction = direction;
  state.index = bounded;
  refresh();
}

function refresh() {
  if (!state.series?.length) return;
  const image = state.series.at(state.index);
  const { instance } = image;
  const moved = state.current?.instance !== instance;
  state.current = image;
  if (moved) {
    fields.offer(state.link.dataset.modality, image);
    groups(image);
  }
  slider.value = state.index + 1;
  slider.setAttribute("aria-valuetext", position());
  id("position").textContent = `${state.index + 1} / ${state.series.length}${state.whole ? "" : "+"}`;
  id("scroll-fields").hidden = state.whole && state.series.length === 1;
  id("previous").disabled = state.index === 0;
  id("next").disabled = state.index === state.series.length - 1;
  fields.say(state.window, image);
  if (instance.kind === "image") {
    papers.clear();
    screen.want(target(image));
  } else if (moved) {
    paper(image);
  }
  remember();
}

const position = () => `Image ${state.index + 1} of ${state.series.length}${state.whole ? "" : " or more"}`;

function target(image) {
  const { instance, frame } = image;
  const { modality, description, number } = state.link.dataset;
  const window = instance.isGrey ? state.window : null;
  const shownWindow = window ?? windowsOf(image)[0];
  return {
    image,
    url: pictureUrl(image, window, side(instance)),
    width: instance.columns,
    title: [modality, description, position().toLowerCase()].filter(Boolean).join(", "),
    position: position(),
    seriesLines: [[modality, description].filter(Boolean).join(" "), number && `Series ${number}`],
    imageLines: [
      position(),
      instance.isSlide && "A tile of a slide",
      instance.frames > 1 && instance.frames < state.series.length && `Frame ${frame} of ${instance.frames}`,
      instance.number !== null && `No. ${instance.number}`,
      instance.location !== null && `${Math.round(instance.location * 10) / 10} mm`,
    ],
    windowLines: [
      !instance.isGrey ? "" : shownWindow ? `C ${tidy(shownWindow.centre)} W ${tidy(shownWindow.width)}` : "",
      instance.isGrey && !window ? "window as stored" : "",
    ],
  };
}

/** The longest side to ask for: what is seen, in a few sizes only, so that zooming asks seldom. */
function side(instance) {
  const box = Math.max(stage.clientWidth, stage.clientHeight) * (window.devicePixelRatio || 1) * Math.max(view.zoom, 1);
  const found = SIDES.find((each) => each >= box);
  return found && found < Math.max(instance.rows, instance.columns) ? found : null;
}

function shown(shownTarget) {
  if (state.dragging) return; // windows that pass by are asked for one image only
  const { series, index, direction } = state;
  const urls = [];
  const add = (at) => {
    if (at < 0 || at >= series.length || at === index) return;
    const image = series.at(at);
    if (image.instance.kind === "image") {
      urls.push(pictureUrl(image, image.instance.isGrey ? state.window : null, side(image.instance)));
    }
  };
  const ahead = cine.playing ? AHEAD * 4 : AHEAD;
  for (let step = 1; step <= ahead; step++) {
    const at = index + step * direction;
    add(cine.playing && isPressed("loop") ? (at + series.length) % series.length : at);
    if (step % 3 === 0) add(index - (step / 3) * direction);
  }
  pictures.prepare(urls);
  if (screen.isSettled && !cine.playing) speak(`${shownTarget.position}. ${shownTarget.windowLines[0]}`);
}

/** An enhanced image names its windows elsewhere; they are for words and dragging, the archive knows them. */
async function groups(image) {
  const { instance } = image;
  if (!instance.isGrey || instance.frames === 1 || instance.windows.length || instance.frameWindows) return;
  instance.frameWindows = [];
  try {
    await readGroups(instance, opening.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    speak(`Its windows cannot be read. ${error.message}`);
  }
  if (state.current?.instance === instance) {
    fields.offer(state.link.dataset.modality, state.current);
    refresh();
  }
}

function paper(image) {
  const { modality, description } = state.link.dataset;
  const title = [[modality, description].filter(Boolean).join(", "), `${state.index + 1} of ${state.series.length}`];
  papers.show(image.instance, title.join(", "), {
    signal: opening.signal,
    isCurrent: () => state.current?.instance === image.instance, // a list that grows makes images anew
    picture: (url) => screen.want({ ...target(state.current), url, width: null }),
    frames: () => {
      state.series.takeApart(image.instance);
      slider.max = state.series.length;
      state.current = null; // what was one is several now
      begin(state.series.find(image.instance.uid));
    },
    speak,
  });
}

function choose(chosen) {
  state.window = chosen;
  if (state.current) refresh();
}

let speaking;
function speak(words) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { id("spoken").textContent = words; }, 500);
}

// The address of the page

let remembering;
function remember() {
  clearTimeout(remembering);
  if (!cine.playing) remembering = setTimeout(() => history.replaceState(null, "", address()), 300);
}

function address() {
  const query = new URLSearchParams({ series: state.link.dataset.series, image: state.index + 1 });
  if (state.window) query.set("window", format(state.window));
  return `?${query}`;
}

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const link = links.find((each) => each.dataset.series === query.get("series")) ?? first();
  if (!link) {
    screen.say("This study has no series.");
    return;
  }
  const uid = query.get("instance");
  const index = Number(query.get(uid ? "frame" : "image") ?? 1) - 1;
  open(link, { index: Number.isFinite(index) ? index : 0, uid, window: parse(query.get("window")) });
}

/** Images that somebody took come before what was made of them. */
function first() {
  const taken = (each) => each.hasAttribute("data-images") && !/^(SEG|PR|SR|KO|RTDOSE)$/.test(each.dataset.modality);
  return links.find(taken) ?? links.find((each) => each.hasAttribute("data-images")) ?? links[0];
}

function chooseSeries(link) {
  if (link === state.link) return;
  clearTimeout(remembering);
  history.pushState(null, "", `?series=${link.dataset.series}`);
  open(link);
}

// Buttons

const isPressed = (name) => id(name).getAttribute("aria-pressed") === "true";

function press(name, yes) {
  id(name).setAttribute("aria-pressed", String(yes));
}

let sharpening;
const actions = {
  step: (by) => { cine.stop(); go(state.index + by); },
  go: (index) => { cine.stop(); go(index < 0 ? state.series.length - 1 : index); },
  series: (by) => {
    const next = links[links.indexOf(state.link) + by];
    if (next) chooseSeries(next);
  },
  play: () => { if (state.series?.length > 1) cine.toggle(); },
  preset: (at) => fields.choosePreset(at),
  tool: (name) => {
    state.tool = name;
    stage.dataset.tool = name;
    document.querySelector(`input[name="tool"][value="${name}"]`).checked = true;
  },
  zoom: (factor, point) => {
    view.zoomBy(factor, point);
    clearTimeout(sharpening); // a large image is asked for again with more of its pixels
    sharpening = setTimeout(() => { if (state.current?.instance.kind === "image") refresh(); }, 250);
  },
  invert: () => { view.inverted = !view.inverted; press("invert", view.inverted); view.apply(); },
  turn: () => view.turn(),
  flip: (way) => {
    view[way] = !view[way];
    press(`flip-${way}`, view[way]);
    view.apply();
  },
  reset: () => {
    view.reset();
    for (const name of ["invert", "flip-horizontal", "flip-vertical"]) press(name, false);
    view.apply();
    choose(null);
  },
  screen: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()),
  help: () => id("keys").showModal(),
};

function wire() {
  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      chooseSeries(link);
    });
    const thumbnail = link.querySelector("img");
    thumbnail?.addEventListener("error", () => thumbnail.remove());
  }
  for (const radio of document.querySelectorAll('input[name="tool"]')) {
    radio.addEventListener("change", () => actions.tool(radio.value));
  }
  id("rate").addEventListener("change", (event) => {
    cine.rate = Math.min(Math.max(Number(event.target.value) || 10, 1), 60);
    event.target.value = cine.rate;
  });
  for (const [name, action, argument] of [
    ["invert", "invert"], ["rotate", "turn"], ["flip-horizontal", "flip", "horizontal"],
    ["flip-vertical", "flip", "vertical"], ["reset", "reset"], ["play", "play"], ["screen", "screen"],
    ["help", "help"], ["previous", "step", -1], ["next", "step", 1],
  ]) id(name).addEventListener("click", () => actions[action](argument));
  id("loop").addEventListener("click", () => press("loop", !isPressed("loop")));
  slider.addEventListener("input", () => { cine.stop(); go(Number(slider.value) - 1); });
  id("screen").hidden = !document.fullscreenEnabled;
  window.addEventListener("popstate", fromAddress);
  new ResizeObserver(() => view.apply()).observe(stage);
  listen(actions, id("keys"));
  watch(stage, {
    step: actions.step,
    zoom: actions.zoom,
    move: (dx, dy) => view.moveBy(dx, dy),
    fit: () => view.fitAgain(),
    dragStart: (tool) => {
      const { instance } = state.current ?? {};
      if (tool !== "window" || !instance?.isGrey) return;
      state.dragging = true;
      state.window ??= windowsOf(state.current)[0] ?? instance.range;
    },
    drag: (tool, dx, dy) => {
      if (tool === "pan") view.moveBy(dx, dy);
      else if (state.current?.instance.isGrey && state.window) choose(dragged(state.window, dx, dy, stage.clientWidth));
    },
    dragEnd: () => {
      state.dragging = false;
      if (screen.target && state.current?.instance.kind === "image") shown(screen.target);
    },
  }, { tool: () => state.tool, room: () => state.series?.length || 1 });
}

wire();
actions.tool(window.matchMedia("(pointer: coarse)").matches ? "scroll" : "window");
fromAddress();
stage.focus({ preventScroll: true });

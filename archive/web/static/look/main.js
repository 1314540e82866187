// The quick look: what is chosen, and the parts that show it. The address of the page says all of what is chosen.

import { Series, readGroups, windowsOf } from "./archive.js";
import { isPressed, press, release, wire } from "./buttons.js";
import { Chosen } from "./chosen.js";
import { Cine } from "./cine.js";
import { Papers } from "./documents.js";
import { WindowFields } from "./fields.js";
import { watch } from "./gestures.js";
import { listen } from "./keys.js";
import { Pictures } from "./pictures.js";
import { Screen } from "./screen.js";
import * as strip from "./strip.js";
import { View } from "./view.js";
import { dragged, parse } from "./windows.js";

const id = (name) => document.getElementById(name);
const root = id("look");
const parts = {
  picture: id("picture"), loading: id("loading"), loadingWords: id("loading-words"), message: id("message"),
  cornerSeries: id("corner-series"), cornerImage: id("corner-image"), cornerWindow: id("corner-window"),
};
const viewer = id("full-viewer"); // not there where none is installed
const viewerHref = viewer?.href;
const [stage, slider] = [id("stage"), id("slider")];

const state = new Chosen(({ rows, columns }) => view.side(Math.max(rows, columns)));
let tool = "window"; // what one finger or the first button does
let dragging = false; // a window
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
  strip.mark(link);
  if (viewer) viewer.href = link.dataset.modality === "SM" ? viewer.dataset.slides : viewerHref;
  const url = `${root.dataset.dicomweb}/studies/${root.dataset.study}/series/${link.dataset.series}`;
  Object.assign(state, { link, series: new Series(url), whole: false, index: 0, window: chosen, direction: 1, current: null });
  release();
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
  pace(state.series.at(state.index).instance.rate ?? 10);
  refresh();
}

function pace(rate) {
  cine.rate = Math.min(Math.max(Math.round(rate), 1), 60);
  id("rate").value = cine.rate;
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
  slider.setAttribute("aria-valuetext", state.position);
  id("position").textContent = `${state.index + 1} / ${state.series.length}${state.whole ? "" : "+"}`;
  id("scroll-fields").hidden = state.whole && state.series.length === 1;
  id("previous").disabled = state.index === 0;
  id("next").disabled = state.index === state.series.length - 1;
  fields.say(state.window, image);
  if (instance.kind === "image") {
    papers.clear();
    screen.want(state.target(image));
  } else if (moved) {
    paper(image);
  }
  remember();
}

function shown(target) {
  if (dragging) return; // windows that pass by are asked for one image only
  pictures.prepare(state.around({ playing: cine.playing, loop: isPressed("loop") }));
  if (screen.isSettled && !cine.playing) speak(`${target.position}. ${target.windowLines[0]}`);
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
  papers.show(image.instance, state.title(`${state.index + 1} of ${state.series.length}`), {
    signal: opening.signal,
    isCurrent: () => state.current?.instance === image.instance, // a list that grows makes images anew
    picture: (url) => screen.want({ ...state.target(state.current), url, width: null }),
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
  if (!cine.playing) remembering = setTimeout(() => history.replaceState(null, "", state.query), 300);
}

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const link = strip.linkOf(query.get("series")) ?? strip.first();
  if (!link) {
    screen.say("This study has no series.");
    return;
  }
  const uid = query.get("instance");
  const index = Number(query.get(uid ? "frame" : "image") ?? 1) - 1;
  open(link, { index: Number.isFinite(index) ? index : 0, uid, window: parse(query.get("window")) });
}

function chooseSeries(link) {
  if (link === state.link) return;
  clearTimeout(remembering);
  history.pushState(null, "", `?series=${link.dataset.series}`);
  open(link);
}

// Buttons

let sharpening;
const actions = {
  step: (by) => { cine.stop(); go(state.index + by); },
  go: (index) => { cine.stop(); go(index < 0 ? state.series.length - 1 : index); },
  series: (by) => {
    const next = strip.beside(state.link, by);
    if (next) chooseSeries(next);
  },
  play: () => { if (state.series?.length > 1) cine.toggle(); },
  preset: (at) => fields.choosePreset(at),
  tool: (name) => {
    tool = name;
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
    release();
    view.apply();
    choose(null);
  },
  screen: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()),
  help: () => id("keys").showModal(),
};

function listenAll() {
  strip.listen(chooseSeries);
  wire(actions);
  id("rate").addEventListener("change", (event) => pace(Number(event.target.value) || 10));
  slider.addEventListener("input", () => { cine.stop(); go(Number(slider.value) - 1); });
  window.addEventListener("popstate", fromAddress);
  new ResizeObserver(() => view.apply()).observe(stage);
  listen(actions, id("keys"));
  watch(stage, {
    step: actions.step,
    zoom: actions.zoom,
    move: (dx, dy) => view.moveBy(dx, dy),
    fit: () => view.fitAgain(),
    dragStart: (used) => {
      const { instance } = state.current ?? {};
      if (used !== "window" || !instance?.isGrey) return;
      dragging = true;
      state.window ??= windowsOf(state.current)[0] ?? instance.range;
    },
    drag: (used, dx, dy) => {
      if (used === "pan") view.moveBy(dx, dy);
      else if (state.current?.instance.isGrey && state.window) choose(dragged(state.window, dx, dy, stage.clientWidth));
    },
    dragEnd: () => {
      dragging = false;
      if (screen.target && state.current?.instance.kind === "image") shown(screen.target);
    },
  }, { tool: () => tool, room: () => state.series?.length || 1 });
}

listenAll();
actions.tool(window.matchMedia("(pointer: coarse)").matches ? "scroll" : "window");
fromAddress();
stage.focus({ preventScroll: true });

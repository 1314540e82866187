// Pointers and wheels on the stage, as what they mean: a step, a drag with a tool, a pinch, a double click.

const STEP = 24; // pixels of dragging for one image
const DOUBLE = 350; // milliseconds
const NOTCH = 60; // pixels of a touchpad for one image

/**
 * Call `on` for what happens on `stage`: step(n), drag(tool, dx, dy), dragStart(tool), dragEnd(tool),
 * zoom(factor, point), move(dx, dy), fit(). Points are from the middle of the stage. `tool()` names what one
 * finger or the first button does; `room()` is how many images there are.
 */
export function watch(stage, on, { tool, room }) {
  const points = new Map();
  let began = null; // {x, y, tool} of a drag by one pointer
  let rest = 0;
  let lastTap = { time: 0, x: 0, y: 0 };
  let wheel = 0;

  const fromMiddle = (x, y) => {
    const box = stage.getBoundingClientRect();
    return { x: x - box.left - box.width / 2, y: y - box.top - box.height / 2 };
  };
  const pinch = () => {
    const [a, b] = [...points.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest("iframe, video, button, a")) return;
    stage.setPointerCapture(event.pointerId);
    points.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (points.size === 1) {
      const byButton = { 1: "zoom", 2: "pan" };
      began = { x: event.clientX, y: event.clientY, tool: byButton[event.button] ?? tool(), moved: false };
      rest = 0;
    } else if (began) {
      if (began.moved) on.dragEnd(began.tool);
      began = null; // a second finger: a pinch from now on
    }
  });

  stage.addEventListener("pointermove", (event) => {
    const before = points.get(event.pointerId);
    if (!before) return;
    const two = points.size === 2 ? pinch() : null;
    points.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (two) {
      const now = pinch();
      on.move(now.x - two.x, now.y - two.y);
      if (two.apart > 0) on.zoom(now.apart / two.apart, fromMiddle(now.x, now.y));
      return;
    }
    if (!began) return;
    const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
    if (!began.moved && Math.hypot(event.clientX - began.x, event.clientY - began.y) < 4) {
      points.set(event.pointerId, before); // a shaking hand is no drag
      return;
    }
    if (!began.moved) {
      began.moved = true;
      on.dragStart(began.tool);
    }
    if (began.tool === "scroll") {
      // A drag over the whole stage is the whole series, where that is long.
      rest += dy / Math.min(STEP, Math.max(stage.clientHeight / room(), 2));
      const steps = Math.trunc(rest);
      rest -= steps;
      if (steps) on.step(steps);
    } else if (began.tool === "zoom") {
      on.zoom(1.01 ** -dy, fromMiddle(began.x, began.y));
    } else {
      on.drag(began.tool, dx, dy);
    }
  });

  const up = (event) => {
    if (!points.delete(event.pointerId) || !began) return;
    if (began.moved) {
      on.dragEnd(began.tool);
    } else if (event.type === "pointerup") {
      const near = Math.hypot(event.clientX - lastTap.x, event.clientY - lastTap.y) < 30;
      const twice = near && event.timeStamp - lastTap.time < DOUBLE;
      lastTap = { time: twice ? 0 : event.timeStamp, x: event.clientX, y: event.clientY };
      if (twice) on.fit();
    }
    began = null;
  };
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("contextmenu", (event) => event.preventDefault()); // the right button moves the image

  stage.addEventListener("wheel", (event) => {
    if (event.target.closest("iframe, video")) return;
    event.preventDefault();
    const pixels = event.deltaY * [1, 20, 400][event.deltaMode];
    if (event.ctrlKey || event.metaKey) {
      on.zoom(Math.exp(-pixels / 300), fromMiddle(event.clientX, event.clientY));
      return;
    }
    // A notch of a mouse wheel is one image; a touchpad sends many small ones.
    wheel = Math.sign(wheel) === Math.sign(pixels) ? wheel + pixels : pixels;
    if (Math.abs(pixels) >= NOTCH || Math.abs(wheel) >= NOTCH) {
      on.step(Math.sign(pixels));
      wheel = 0;
    }
  }, { passive: false });
}

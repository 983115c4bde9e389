"use strict";

/**
 * A viewer in which the images of one sample are flipped at the same position.
 *
 * `open(samples, index, label)` takes samples as `{name, detail, images: [{label, src}]}`. The shown position and
 * zoom stay while one flips between images, and between samples of the same size.
 */
const viewer = (() => {
  const BLINK_MS = 500;
  const MAX_ZOOM = 64;
  let dialog, title, detail, labels, stage, plane, message, zoomText, previousButton, nextButton, blinkButton;
  let samples = [];
  let sampleIndex = 0;
  let shown = 0;
  let before = 0; // the image seen before the shown one: the two that blink
  let size = null; // of the plane, in image pixels
  let view = { x: 0, y: 0, scale: 1, fitted: true };
  let blinkTimer = 0;

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function build() {
    title = element("span", {});
    detail = element("span", { className: "viewer-detail" });
    labels = element("div", { className: "viewer-group viewer-labels" });
    labels.setAttribute("role", "group");
    labels.setAttribute("aria-label", "Images");
    previousButton = element("button", { type: "button", title: "Previous sample (arrow up)", onclick: () => step(-1) }, "↑");
    nextButton = element("button", { type: "button", title: "Next sample (arrow down)", onclick: () => step(1) }, "↓");
    previousButton.setAttribute("aria-label", "Previous sample");
    nextButton.setAttribute("aria-label", "Next sample");
    blinkButton = element("button", { type: "button", onclick: toggleBlink }, element("kbd", {}, "B"), "Blink");
    blinkButton.title = "Blink between the last two images";
    const close = element("button", { type: "button", title: "Close (Esc)", onclick: () => dialog.close() }, "✕");
    close.setAttribute("aria-label", "Close");
    plane = element("div", { className: "viewer-plane" });
    message = element("div", { className: "viewer-message" });
    message.setAttribute("role", "status");
    stage = element("div", { className: "viewer-stage", tabIndex: 0 }, plane, message);
    stage.setAttribute("aria-label", "Image; drag to move, wheel to zoom");
    zoomText = element("output", { className: "viewer-zoom" });
    const zooms = element(
      "div",
      { className: "viewer-group" },
      element("button", { type: "button", title: "Fit (0)", onclick: fit }, "Fit"),
      element("button", { type: "button", title: "One image pixel per screen pixel (z)", onclick: actualSize }, "1:1"),
      zoomText,
    );
    const keys = element("span", { className: "viewer-keys" });
    for (const [names, what] of [
      [["1", "…", "9"], "or"],
      [["←", "→"], "flip"],
      [["↑", "↓"], "sample"],
      [["+", "−"], "zoom"],
      [["0"], "fit"],
      [["Z"], "1:1"],
      [["B"], "blink"],
      [["Esc"], "close"],
    ]) {
      for (const name of names) keys.append(name === "…" ? "…" : element("kbd", {}, name));
      keys.append(` ${what}  `);
    }
    dialog = element(
      "dialog",
      { className: "viewer" },
      element(
        "div",
        { className: "viewer-bar" },
        element("div", { className: "viewer-title" }, title, detail),
        labels,
        element("div", { className: "viewer-group" }, blinkButton, previousButton, nextButton, close),
      ),
      stage,
      element("div", { className: "viewer-bar viewer-foot" }, zooms, keys),
    );
    dialog.setAttribute("aria-label", "Image viewer");
    dialog.addEventListener("keydown", onKey);
    dialog.addEventListener("close", () => {
      stopBlink();
      plane.replaceChildren();
      size = null;
    });
    stage.addEventListener("wheel", onWheel, { passive: false });
    stage.addEventListener("pointerdown", onPointerDown);
    stage.addEventListener("dblclick", (event) => (view.fitted ? actualSize(event) : fit()));
    new ResizeObserver(() => (view.fitted ? fit() : draw())).observe(stage);
    document.body.append(dialog);
  }

  function open(newSamples, index, label) {
    if (!dialog) build();
    samples = newSamples;
    size = null;
    if (!dialog.open) dialog.showModal();
    showSample(index, label);
    stage.focus({ preventScroll: true });
  }

  function showSample(index, label) {
    stopBlink();
    sampleIndex = index;
    const sample = samples[index];
    title.textContent = sample.name;
    title.parentElement.title = sample.name;
    detail.textContent = sample.detail || "";
    message.textContent = "";
    previousButton.disabled = index === 0;
    nextButton.disabled = index === samples.length - 1;
    labels.replaceChildren(
      ...sample.images.map((image, place) =>
        element("button", { type: "button", onclick: () => show(place) }, element("kbd", {}, String(place + 1)), image.label),
      ),
    );
    const start = Math.max(0, sample.images.findIndex((image) => image.label === label));
    const elements = sample.images.map((image) => element("img", { alt: `${image.label} of ${sample.name}`, draggable: false }));
    plane.replaceChildren(...elements);
    elements.forEach((image, place) => {
      // The plane takes the size of the image that was asked for; the others are laid over it.
      image.onload = () => place === start && takeSize(image.naturalWidth, image.naturalHeight);
      image.onerror = () => (message.textContent = `${sample.images[place].label}: the image could not be loaded`);
      image.src = sample.images[place].src;
    });
    before = start === 0 ? elements.length - 1 : 0;
    shown = start;
    show(start);
    preload(index + 1, label);
  }

  function preload(index, label) {
    const sample = samples[index];
    const image = sample && sample.images.find((candidate) => candidate.label === label);
    if (image) new Image().src = image.src;
  }

  function takeSize(width, height) {
    const same = size && size.width === width && size.height === height;
    size = { width, height };
    plane.style.width = `${width}px`;
    plane.style.height = `${height}px`;
    if (same && !view.fitted) draw();
    else fit();
  }

  function show(place) {
    if (place < 0 || place >= plane.children.length) return;
    if (place !== shown) before = shown;
    shown = place;
    [...plane.children].forEach((image, index) => image.classList.toggle("shown", index === place));
    [...labels.children].forEach((button, index) => button.setAttribute("aria-pressed", String(index === place)));
  }

  function flip(by) {
    const count = plane.children.length;
    show((shown + by + count) % count);
  }

  function step(by) {
    const next = sampleIndex + by;
    if (samples[next]) showSample(next, samples[sampleIndex].images[shown].label);
  }

  function toggleBlink() {
    if (blinkTimer) stopBlink();
    else if (plane.children.length > 1) {
      blinkTimer = setInterval(() => show(before), BLINK_MS);
      blinkButton.setAttribute("aria-pressed", "true");
    }
  }

  function stopBlink() {
    clearInterval(blinkTimer);
    blinkTimer = 0;
    blinkButton.setAttribute("aria-pressed", "false");
  }

  function draw() {
    if (!size) return;
    const box = stage.getBoundingClientRect();
    const width = size.width * view.scale;
    const height = size.height * view.scale;
    // Centred while it is smaller than the stage, never out of sight when it is larger.
    view.x = width <= box.width ? (box.width - width) / 2 : Math.min(0, Math.max(box.width - width, view.x));
    view.y = height <= box.height ? (box.height - height) / 2 : Math.min(0, Math.max(box.height - height, view.y));
    plane.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    const dots = view.scale * devicePixelRatio; // screen pixels per image pixel
    plane.classList.toggle("pixelated", dots >= 1.5);
    zoomText.textContent = `${Math.round(dots * 100)} %`;
  }

  function fitScale() {
    const box = stage.getBoundingClientRect();
    return Math.min(box.width / size.width, box.height / size.height);
  }

  function fit() {
    if (!size) return;
    view = { x: 0, y: 0, scale: fitScale(), fitted: true };
    draw();
  }

  function zoomTo(scale, clientX, clientY) {
    if (!size) return;
    const box = stage.getBoundingClientRect();
    const x = clientX === undefined ? box.width / 2 : clientX - box.left;
    const y = clientY === undefined ? box.height / 2 : clientY - box.top;
    const least = Math.min(fitScale(), 1 / devicePixelRatio);
    const next = Math.min(MAX_ZOOM, Math.max(least, scale));
    const grown = next / view.scale;
    view = { x: x - (x - view.x) * grown, y: y - (y - view.y) * grown, scale: next, fitted: false };
    draw();
  }

  function actualSize(event) {
    const aimed = event && event.type === "dblclick";
    zoomTo(1 / devicePixelRatio, aimed ? event.clientX : undefined, aimed ? event.clientY : undefined);
  }

  function onWheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    zoomTo(view.scale * Math.exp(-Math.max(-120, Math.min(120, lines)) / 400), event.clientX, event.clientY);
  }

  const pointers = new Map();

  function onPointerDown(event) {
    if (event.button) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
    if (pointers.size > 1) return;
    const move = (moved) => {
      const last = pointers.get(moved.pointerId);
      if (!last) return;
      const other = [...pointers.values()].find((pointer) => pointer.pointerId !== moved.pointerId);
      pointers.set(moved.pointerId, moved);
      if (other) {
        const distance = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
        const grown = distance(moved) / Math.max(1, distance(last));
        zoomTo(view.scale * grown, (moved.clientX + other.clientX) / 2, (moved.clientY + other.clientY) / 2);
      } else {
        view.x += moved.clientX - last.clientX;
        view.y += moved.clientY - last.clientY;
        view.fitted = false;
        draw();
      }
    };
    const up = (lifted) => {
      pointers.delete(lifted.pointerId);
      if (pointers.size) return;
      stage.removeEventListener("pointermove", move);
      stage.removeEventListener("pointerup", up);
      stage.removeEventListener("pointercancel", up);
    };
    stage.addEventListener("pointermove", move);
    stage.addEventListener("pointerup", up);
    stage.addEventListener("pointercancel", up);
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      ArrowRight: () => flip(1),
      ArrowLeft: () => flip(-1),
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      "+": () => zoomTo(view.scale * 1.25),
      "=": () => zoomTo(view.scale * 1.25),
      "-": () => zoomTo(view.scale / 1.25),
      0: fit,
      z: () => actualSize(),
      b: toggleBlink,
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action) action();
    else if (/^[1-9]$/.test(event.key)) show(Number(event.key) - 1);
    else return;
    event.preventDefault();
  }

  return { open };
})();

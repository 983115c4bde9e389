"use strict";

/** Shows the images behind a number: those of all methods in one metric, scene by scene. */
(() => {
  const AT_ONCE = 12;
  const SCORES = { higher: (value) => value, lower: (value) => -value, zero: (value) => -Math.abs(value) };
  const MEANINGS = { higher: "higher is better", lower: "lower is better", zero: "closest to zero is best" };
  document.documentElement.classList.add("scripted");
  const sets = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);
  const [setBox, metricBox, orderBox, cardHost] = ["set", "metric", "order", "cards"].map(find);
  const [more, chosen, thumb] = ["more", "chosen", "thumb"].map(find);
  let scenes = []; // the numbers of the scenes, in the order of the cards
  let marked = -1; // the method whose number was clicked

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  const current = () => sets[Number(setBox.value)];
  const valueOf = (set, method, scene) => Number(set.values[method][scene][Number(metricBox.value)]);
  const rankOf = (set, method, scene) => Number(set.ranks[method][scene][Number(metricBox.value)]);

  function textOf(set, value) {
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
    const decimals = set.decimals[Number(metricBox.value)];
    return decimals === null ? value.toExponential(4) : value.toFixed(decimals);
  }

  function fill(box, texts) {
    const kept = box.selectedOptions[0] && box.selectedOptions[0].textContent;
    box.replaceChildren(...texts.map(([value, text]) => element("option", { value, textContent: text, selected: text === kept })));
  }

  function fillBoxes() {
    const set = current();
    fill(metricBox, set.metrics.map((name, number) => [number, name]));
    fill(orderBox, [
      ["spread", "where the methods differ most"],
      ...set.order.map((method) => [method, `where ${set.methods[method]} is furthest behind`]),
      ["name", "as in the set"],
    ]);
  }

  /** How far each scene is to the front: its spread between methods, or what one method lacks to the best. */
  function weigh(set) {
    if (orderBox.value === "name") return set.scenes.map((_, scene) => -scene);
    const score = SCORES[set.better[Number(metricBox.value)]];
    return set.scenes.map((_, scene) => {
      const scores = set.methods.map((_, method) => score(valueOf(set, method, scene)));
      const known = scores.filter((value) => !Number.isNaN(value));
      if (!known.length) return -Infinity;
      const least = orderBox.value === "spread" ? Math.min(...known) : scores[Number(orderBox.value)];
      if (Number.isNaN(least) || known.length < scores.length && orderBox.value === "spread") return Infinity;
      const behind = Math.max(...known) - least;
      return Number.isNaN(behind) ? 0 : behind; // all of them infinite
    });
  }

  function show() {
    const set = current();
    const weights = weigh(set);
    scenes = set.scenes.map((_, scene) => scene).sort((one, other) => weights[other] - weights[one] || one - other);
    const metric = Number(metricBox.value);
    chosen.textContent = [set.metrics[metric], set.titles[metric], MEANINGS[set.better[metric]]].filter(Boolean).join(" · ");
    cardHost.replaceChildren();
    showMore();
  }

  function showMore() {
    const set = current();
    const start = cardHost.children.length;
    cardHost.append(...scenes.slice(start, start + AT_ONCE).map((scene) => makeCard(set, scene)));
    const left = scenes.length - cardHost.children.length;
    more.hidden = left === 0;
    more.textContent = `Show more (${left} left)`;
  }

  function imagesOf(set, scene) {
    const { fused, others } = set.scenes[scene];
    const methods = set.order.map((method) => ({ label: set.methods[method], src: fused[method], method }));
    return [...methods, ...others.map(([label, src]) => ({ label, src, method: -1 }))];
  }

  function makeCard(set, scene) {
    const { name, size } = set.scenes[scene];
    const ranks = set.methods.map((_, method) => rankOf(set, method, scene));
    const best = Math.min(...ranks.filter((rank) => !Number.isNaN(rank)));
    const shots = element("div", { className: "shots" });
    const shape = /^(\d+) × (\d+)$/.exec(size);
    if (shape) shots.style.setProperty("--shape", `${shape[1]} / ${shape[2]}`);
    for (const { label, src, method } of imagesOf(set, scene)) {
      const image = element("img", { alt: `${label} of ${name}`, loading: "lazy", decoding: "async" });
      image.src = src; // after `loading`, or it would be loaded at once
      const link = element("a", { href: src, className: "shot" }, image);
      link.dataset.label = label;
      const caption = element("figcaption", {}, label);
      if (method >= 0) {
        const value = element("span", { className: "value" }, textOf(set, valueOf(set, method, scene)));
        if (ranks[method] === best && ranks.some((rank) => rank !== best)) value.classList.add("best");
        caption.append(value);
      }
      shots.append(element("figure", { className: method === marked && method >= 0 ? "marked" : "" }, link, caption));
    }
    const card = element(
      "article",
      { className: "card" },
      element("header", {}, element("h3", {}, name), element("span", { className: "size" }, size)),
      shots,
    );
    card.dataset.scene = scene;
    return card;
  }

  function sampleOf(set, scene) {
    const metric = set.metrics[Number(metricBox.value)];
    const values = set.order.map((method) => `${set.methods[method]} ${textOf(set, valueOf(set, method, scene))}`);
    return {
      name: set.scenes[scene].name,
      detail: `${metric}: ${values.slice(0, 6).join("  ·  ")}`,
      images: imagesOf(set, scene),
    };
  }

  function openCard(event) {
    const shot = event.target.closest(".shot");
    if (!shot || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const set = current();
    const place = scenes.indexOf(Number(shot.closest(".card").dataset.scene));
    viewer.open(scenes.map((scene) => sampleOf(set, scene)), place, shot.dataset.label);
  }

  /** A click on a mean: its metric, its method marked. */
  function openNumber(event) {
    const link = event.target.closest(".means td a");
    if (!link) return;
    const cell = link.closest("td");
    setBox.value = cell.closest("table").dataset.set;
    fillBoxes();
    metricBox.value = String(cell.cellIndex - 1);
    marked = Number(cell.parentElement.dataset.method);
    show();
  }

  fill(setBox, sets.map((set, number) => [number, set.name]));
  find("set-label").hidden = sets.length === 1;
  fillBoxes();
  show();
  document.addEventListener("click", openNumber);
  cardHost.addEventListener("click", openCard);
  setBox.addEventListener("change", () => {
    fillBoxes();
    show();
  });
  metricBox.addEventListener("change", show);
  orderBox.addEventListener("change", show);
  more.addEventListener("click", showMore);
  thumb.addEventListener("input", () => document.documentElement.style.setProperty("--thumb", `${thumb.value}px`));
})();
